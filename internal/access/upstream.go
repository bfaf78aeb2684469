package access

import (
	"slices"
	"strings"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/session"
)

// Keys of what a provider says that somebody proved there, beside the account itself. No
// authenticator has such an id.
const (
	upstreamTOTP    db.ID = -1
	upstreamPasskey db.ID = -2
)

// possessed are the methods of RFC 8176 2 that prove a key, and those of OpenID's EAP ACR
// values.
var possessed = []string{"hwk", "swk", "pop", "fido", "phr", "phrh"}

// verifying are the methods of RFC 8176 2 by which a device verifies who uses it.
var verifying = []string{"user", "pin", "fpt", "face", "iris", "retina", "vbm"}

// upstream returns what a proof at a provider counts as besides its account, if this server
// trusts the provider with that: by amr and acr (OIDC Core 2), at the time at which they
// were proved there.
func (s *Service) upstream(p session.Proof) (all []multifactor.Held) {
	if !s.Trusts[p.Provider] || p.Provider == "" {
		return nil
	}
	methods := append(strings.Fields(p.Upstream.AMR), strings.Fields(p.Upstream.ACR)...)
	has := func(names []string) bool {
		return slices.ContainsFunc(methods, func(m string) bool { return slices.Contains(names, m) })
	}
	add := func(id db.ID, factors ...multifactor.Factor) {
		all = append(all, multifactor.Held{
			Way: multifactor.Way{Factors: factors, Key: multifactor.Key{Account: p.Account, Authenticator: id}}, Verified: p.Verified, Expires: p.Expires,
		})
	}
	if slices.Contains(methods, "otp") {
		add(upstreamTOTP, multifactor.TOTP)
	}
	switch {
	case has(possessed) && has(verifying):
		add(upstreamPasskey, multifactor.Passkey, multifactor.VerifiedPasskey)
	case has(possessed):
		add(upstreamPasskey, multifactor.Passkey)
	}
	return all
}
