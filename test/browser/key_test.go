package browser_test

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// key keeps passkeys for one browser, as a phone or a security key does.
type key struct {
	b  *browser
	id webauthn.AuthenticatorID
}

// key plugs one in that verifies its user, or that has no means to. It waits to be touched.
func (b *browser) key(verifies bool) key {
	b.t.Helper()
	call(b, webauthn.Enable, webauthn.EnableParams{})
	r := call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: verifies, IsUserVerified: verifies,
	}})
	return key{b, r.AuthenticatorID}
}

// call calls a command of the browser's protocol.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return r
}

// touch makes the key answer whatever it is asked from now on. What it was asked before stays
// unanswered.
func (k key) touch(on bool) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: k.id, Enabled: on})
		return err
	})
}

// addsPasskey signs in a person who adds a passkey in a key of their own.
func (p *place) addsPasskey(b *browser, id string, verifies bool) key {
	p.t.Helper()
	p.signIn(b, id)
	b.visit("/account/factors")
	k := b.key(verifies)
	b.leave(k.touch(true), chromedp.Click(chromedp.ID("add-passkey")))
	b.at("/account/factors?done=passkey", 200)
	b.do(k.touch(false))
	p.mail.Next(p.t, id) // which tells of it
	return k
}

// must runs a command of the site beside the server.
func (p *place) must(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := p.Run(t, args...)
	if code != 0 {
		t.Fatalf("djauthy %v: %d\n%s", args, code, stderr)
	}
	return stdout
}
