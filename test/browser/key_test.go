package browser_test

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// key keeps passkeys for one browser, as a phone or a security key does.
type key struct {
	b  *browser
	id webauthn.AuthenticatorID
}

// key gives the browser one that verifies its user, or that has no means to. It waits to be
// touched.
func (b *browser) key(verifies bool) key {
	b.t.Helper()
	call(b, webauthn.Enable, webauthn.EnableParams{})
	r := call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: verifies, IsUserVerified: verifies,
	}})
	// A key that answers whatever it is asked would answer the box, too, now and then before the
	// button is pressed. So the box asks only where a test wants that.
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		const get = navigator.credentials?.get.bind(navigator.credentials);
		if (get) navigator.credentials.get = (options) => options.mediation !== "conditional" || sessionStorage.getItem("box") ? get(options) :
			new Promise((_, fail) => (window.heldBack = true) && options.signal.addEventListener("abort", () => fail(options.signal.reason)));`})
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

// holds makes the key keep a copy of a passkey in its place.
func (k key) holds(c *webauthn.Credential) {
	k.b.t.Helper()
	call(k.b, webauthn.ClearCredentials, webauthn.ClearCredentialsParams{AuthenticatorID: k.id})
	add := cdp.Command[map[string]any, cdp.Empty]{Method: webauthn.CommandAddCredential} // its own type names what Chromium refuses
	call(k.b, add, map[string]any{"authenticatorId": k.id, "credential": map[string]any{
		"credentialId": c.CredentialID, "isResidentCredential": true, "rpId": c.RpID, "privateKey": c.PrivateKey, "userHandle": c.UserHandle, "signCount": c.SignCount,
	}})
}

// asksInTheBox has the box of the next sign-in page ask the key, as it does for people. It waits
// for the box of this page, which may be about to ask and would then be answered, too.
func (k key) asksInTheBox() {
	k.b.t.Helper()
	k.b.await(`window.heldBack`)
	eval[bool](k.b, `sessionStorage.setItem("box", "1"), true`)
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

// use presses the button of the page and touches the key.
func (k key) use() {
	k.b.t.Helper()
	k.b.leave(k.touch(true), chromedp.Click(chromedp.ID("use-passkey")))
	k.b.do(k.touch(false))
}

// signsIn signs out, and in again by a passkey of the key.
func (k key) signsIn() {
	k.b.t.Helper()
	k.b.visit("/account")
	k.b.press("Sign out")
	k.use()
}

// passkeys are those that the key keeps.
func (k key) passkeys() []*webauthn.Credential {
	k.b.t.Helper()
	return call(k.b, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: k.id}).Credentials
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
