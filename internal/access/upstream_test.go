package access

import (
	"fmt"
	"testing"

	"github.com/djauthy/djauthy/internal/session"
)

func TestWhatAProviderSaysCountsOnlyIfItIsTrustedWithIt(t *testing.T) {
	s := &Service{Trusts: map[string]bool{"corp": true, "": true}}
	for _, c := range []struct {
		provider, amr, acr, want string
	}{
		{"corp", "pwd otp mfa", "", "[totp]"},
		{"corp", "hwk", "", "[passkey]"},
		{"corp", "swk user", "", "[passkey passkey:uv]"},
		{"corp", "pwd", "phrh", "[passkey]"},
		{"corp", "otp fido pin", "", "[totp][passkey passkey:uv]"},
		{"corp", "pwd sms mfa", "0", ""},
		{"corp", "pin", "", ""}, // nothing that is had
		{"corp", "notp hwkx", "", ""},
		{"other", "otp hwk", "", ""},
		{"", "otp hwk", "", ""},
	} {
		got := ""
		for _, h := range s.upstream(session.Proof{Provider: c.provider, Account: 1, Upstream: session.Upstream{AMR: c.amr, ACR: c.acr}}) {
			got += fmt.Sprint(h.Factors)
		}
		if got != c.want {
			t.Errorf("%q with amr %q and acr %q counts as %s, want %s", c.provider, c.amr, c.acr, got, c.want)
		}
	}
}
