package access_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/multifactor"
)

func TestNextReadsADecision(t *testing.T) {
	totp, both := []multifactor.Factor{multifactor.TOTP}, []multifactor.Factor{multifactor.TOTP, multifactor.Passkey}
	for _, c := range []struct {
		d    multifactor.Decision
		step access.Step
	}{
		{multifactor.Decision{Allowed: true}, access.Done},
		{multifactor.Decision{}, access.Refuse},
		{multifactor.Decision{Missing: totp}, access.Prove},
		{multifactor.Decision{Missing: both, Enroll: totp}, access.Prove},
		{multifactor.Decision{Missing: totp, Enroll: totp}, access.Enroll},
	} {
		if step := access.Next(c.d); step != c.step {
			t.Errorf("%+v: %s, want %s", c.d, step, c.step)
		}
	}
}
