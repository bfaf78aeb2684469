package browser_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

func TestAPasskeyIsAddedAndSignsIn(t *testing.T) {
	p := newPlaceBy(t, &whole)
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.press("Passkeys, authenticator app, recovery codes")
	b.at("/account/factors", 200)
	b.arrive("factors-none")
	k := b.key(true)
	b.leave(k.touch(true), chromedp.Click(chromedp.ID("add-passkey")))
	b.at("/account/factors?done=passkey", 200)
	b.says("The passkey is added.", "Passkey")
	b.arrive("factors-passkey")
	b.do(k.touch(false))
	b.visit("/account")
	b.press("Sign out")
	b.at("/login?done=signed_out", 200)
	b.visit("/login?next=/account/history")
	b.arrive("login-passkey")
	k.use()
	b.at("/account/history", 200)
	b.says("Signed in with a passkey")
}

// The browser offers passkeys in the box, among what was typed there before.
func TestTheBoxOffersPasskeys(t *testing.T) {
	p := newPlaceBy(t, &whole)
	b := p.open()
	k := p.addsPasskey(b, "ann@people.example", true)
	b.visit("/account")
	b.press("Sign out")
	if kind := eval[string](b, `document.getElementById("id").autocomplete`); kind != "username webauthn" {
		t.Errorf("the box completes %q", kind)
	}
	k.asksInTheBox()
	b.do(k.touch(true)) // and so takes the first that is offered
	b.aside(func() {    // Chromium notes a page that leaves before anybody has touched it
		// It may leave before it is loaded, which a visit would take for a failure.
		eval[bool](b, `location.assign("/login?next=/account/history"), true`)
		b.awaitPath("/account/history")
	})
	b.says("Signed in with a passkey")
}

// A browser without passkeys is as before.
func TestWhoHasNoPasskeyIsNotHeldUp(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	k := b.key(true)
	b.visit("/login")
	k.asksInTheBox()
	b.visit("/login")
	b.do(k.touch(true), chromedp.Click(chromedp.ID("use-passkey")))
	b.refused("That did not work.")
	b.arrive("login-passkey-failed")
	// The box offers them again: options were fetched for it, for the button, and for it.
	b.await(`performance.getEntriesByName(location.origin + "/login/passkey").length == 3`)
	p.signIn(b, "ann@people.example")
}

// refused waits for the page to tell that the browser has no passkey to give.
func (b *browser) refused(what string) {
	b.t.Helper()
	b.await(`document.querySelector("form[data-passkey] [role=status]").innerText != ""`)
	b.says(what)
}

func TestADeviceHasOnePasskeyOfAPerson(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	k := p.addsPasskey(b, "ann@people.example", true)
	b.visit("/account/factors")
	b.do(k.touch(true), chromedp.Click(chromedp.ID("add-passkey")))
	b.refused("This device has a passkey of yours for this site already.")
	b.arrive("factors-passkey-taken")
}

// Else the browser would show the name of before for good.
func TestAPasskeyShowsItsOwnersNewName(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	k := p.addsPasskey(b, "ann@people.example", true)
	if c := k.passkeys()[0]; c.UserName != "ann@people.example" || c.UserDisplayName != "ann@people.example" {
		t.Errorf("at first it shows %q, %q", c.UserName, c.UserDisplayName)
	}
	b.visit("/account")
	b.fill("first_name", "Ann")
	b.fill("last_name", "Poe")
	b.press("Save")
	b.at("/account?done=saved", 200)
	for deadline := time.Now().Add(stepLimit); k.passkeys()[0].UserDisplayName != "Ann Poe"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it shows %+v", k.passkeys()[0])
		}
	}
}

// A passkey that was removed here is still in its key, until the browser hears of it: not
// before the removal can no longer be undone.
func TestAPasskeyThatNobodyKnowsIsForgottenByTheBrowser(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	k := p.addsPasskey(b, "ann@people.example", true)
	id := base64.RawURLEncoding.EncodeToString(k.passkeys()[0].CredentialID)
	b.act("/account/factors/remove")
	b.press("Yes, remove it")
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		const signal = PublicKeyCredential.signalUnknownCredential?.bind(PublicKeyCredential);
		PublicKeyCredential.signalUnknownCredential = (what) => { window.signalled = what; return signal ? signal(what) : Promise.resolve(); };`})
	k.signsIn()
	b.at("/login/passkey", 422)
	b.says("That passkey does not sign you in here. Use your address.")
	b.arrive("login-passkey-unknown")
	if n := len(k.passkeys()); n != 1 || eval[bool](b, `!!window.signalled`) {
		t.Errorf("undoing the removal brings back what the key has lost: it keeps %d passkeys", n)
	}
	p.exec(t, `DELETE FROM authenticators`) // as the sweeper does
	b.visit("/login")
	k.use()
	b.at("/login/passkey", 422)
	if got := eval[map[string]string](b, `window.signalled`); got["rpId"] != "localhost" || got["credentialId"] != id {
		t.Errorf("the browser hears of %v instead of %s", got, id)
	}
	for deadline := time.Now().Add(stepLimit); len(k.passkeys()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the key keeps the passkey")
		}
	}
}

// A counter that went back tells of a copy, and nobody knows who has which.
func TestACopiedPasskeyIsRefusedForGood(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	k := p.addsPasskey(b, "ann@people.example", true)
	p.must(t, "levels", "set", "strong", "--need", "email+passkey")
	copied := k.passkeys()[0]
	k.signsIn()
	b.at("/account", 200)
	b.press("Sign out")
	p.signIn(b, "ann@people.example")
	k.holds(copied) // which has not counted what the passkey did since
	b.visit("/step-up?level=strong")
	k.use()
	b.at("/step-up", 422)
	b.says("There may be a copy of that passkey, so we do not take it any more.")
	b.arrive("step-passkey-copied")
	k.signsIn() // by now the copy has counted far enough
	b.at("/login/passkey", 422)
	b.says("There may be a copy of that passkey, so we do not take it any more.")
	b.arrive("login-passkey-copied")

	p.signIn(b, "ann@people.example")
	b.visit("/step-up?level=strong")
	b.headed("Set up one more way first")
	b.visit("/account/history")
	b.says("A copied passkey was refused")
	b.visit("/account/factors")
	b.says("there may be a copy of it")
	b.arrive("factors-passkey-copied")
	b.act("/account/factors/remove")
	b.press("Yes, remove it")
	b.at("/account/factors?done=removed", 200)
}

// What was sent twice is no other passkey.
func TestAnAnswerOfAPasskeyCountsOnce(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	k := p.addsPasskey(b, "ann@people.example", true)
	b.visit("/account")
	b.press("Sign out")
	eval[bool](b, `document.querySelector("form.passkey").addEventListener("submit", e => sessionStorage.sent = JSON.stringify(Object.fromEntries(new FormData(e.target)))) ?? true`)
	k.use()
	b.at("/account", 200)
	b.press("Sign out")
	b.aside(func() { b.leave(post("/login/passkey", eval[map[string]string](b, `JSON.parse(sessionStorage.sent)`))) })
	b.at("/login/passkey", 422)
	b.says("That page was open for too long, or was sent twice. Begin again.")
}

// A level may need that the passkey asks for a PIN, a finger or a face.
func TestAPasskeyThatDoesNotVerifyItsUserIsNotEnough(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	k := p.addsPasskey(b, "ann@people.example", true)
	p.must(t, "levels", "set", "strong", "--need", "passkey:uv")
	b.visit("/account")
	b.press("Sign out")
	p.signIn(b, "ann@people.example")
	b.visit("/step-up?level=strong&next=" + history)
	b.says("It has to ask for your PIN, finger or face.")
	b.arrive("step-passkey-verified")
	call(b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: k.id, IsUserVerified: false})
	b.do(k.touch(true), chromedp.Click(chromedp.ID("use-passkey")))
	b.refused("unlock the passkey with your PIN, finger or face")
	b.arrive("step-passkey-unverified")
	b.visit("/step-up?level=strong&next=" + history)
	b.headed("Use your passkey")
	// One that says it did, and did not.
	call(b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: k.id, IsUserVerified: true})
	call(b, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: k.id, IsBadUV: new(true)})
	k.use()
	b.at("/step-up", 422)
	b.headed("Use your passkey")
	b.says("unlock the passkey with your PIN, finger or face")
	call(b, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: k.id})
	k.use()
	b.at(history, 200)
}

func TestAKeyThatCannotVerifyItsUserIsNoWayToALevelThatNeedsIt(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.addsPasskey(b, "ann@people.example", false)
	p.must(t, "levels", "set", "strong", "--need", "passkey:uv")
	b.visit("/step-up?level=strong&next=" + history)
	b.headed("Set up one more way first")
	b.says("a passkey with PIN, finger or face")
}
