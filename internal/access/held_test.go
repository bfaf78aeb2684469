package access

import (
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/session"
)

func TestAProofCountsAsWhatWasProvedAndNoMore(t *testing.T) {
	for _, c := range []struct {
		proof session.Proof
		want  string
	}{
		{session.Proof{Factor: "email", Account: 1}, "[email code]"},
		{session.Proof{Factor: "openid", Account: 1, Provider: "corp"}, "[openid corp]"},
		{session.Proof{Factor: "openid", Account: 1}, "[openid]"},
		{session.Proof{Factor: "totp", Authenticator: 1}, "[totp]"},
		{session.Proof{Factor: "recovery", Authenticator: 1}, "[recovery]"},
		{session.Proof{Factor: "passkey", Authenticator: 1}, "[passkey]"},
		{session.Proof{Factor: "passkey", Authenticator: 1, UserVerified: true}, "[passkey passkey:uv]"},
	} {
		h := heldBy(c.proof)
		if got := fmt.Sprint(h.Factors); got != c.want || h.Key.Account != c.proof.Account || h.Key.Authenticator != c.proof.Authenticator {
			t.Errorf("%+v counts as %s of %+v, want %s", c.proof, got, h.Key, c.want)
		}
	}
}

func TestAFreshProofIsAFewMinutesOldByWhateverItWasMade(t *testing.T) {
	now, fresh := time.Now(), freshLevel()
	for _, factor := range []multifactor.Factor{multifactor.AnyCode, multifactor.Passkey, multifactor.TOTP, accounts.OpenID, accounts.OAuth} {
		held := func(age time.Duration) bool {
			h := multifactor.Held{Way: multifactor.Way{Factors: []multifactor.Factor{factor}}, Verified: now.Add(-age), Expires: now.Add(time.Hour)}
			return fresh.HeldBy([]multifactor.Held{h}, now)
		}
		if !held(session.FreshFor) || held(session.FreshFor+time.Second) {
			t.Errorf("%s: in time %v, a second late %v", factor, held(session.FreshFor), held(session.FreshFor+time.Second))
		}
	}
	for _, alone := range []multifactor.Factor{multifactor.Bound, multifactor.Recovery} {
		h := multifactor.Held{Way: multifactor.Way{Factors: []multifactor.Factor{alone}}, Verified: now, Expires: now.Add(time.Hour)}
		if fresh.HeldBy([]multifactor.Held{h}, now) {
			t.Errorf("%s alone is a fresh proof", alone)
		}
	}
}
