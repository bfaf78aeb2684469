package browser_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	_ "modernc.org/sqlite" // to make a proof old
)

func TestSessionsEndOneByOneAndTogether(t *testing.T) {
	p := newPlace(t)
	var all []*browser
	for range 4 {
		b := p.open()
		p.signIn(b, "ann@people.example")
		all = append(all, b)
	}
	b := all[3]
	b.visit("/account")
	b.arrive("account-sessions")
	// The list has the newest first, so this ends the third.
	b.leave(chromedp.Click(chromedp.CSS(`form[action="/account/sessions/end"] button`)))
	b.at("/account?done=session_ended", 200)
	b.says("The session has ended.")
	b.arrive("account-session-ended")
	all[2].visit("/account")
	all[2].at("/login?next=%2Faccount", 200)
	all[0].visit("/account")
	all[0].at("/account", 200)

	b.press("Sign out everywhere else")
	b.at("/account/sessions/end-others", 200)
	b.says("2 other browsers are signed in.")
	b.arrive("end-others")
	b.press("Keep them")
	b.press("Sign out everywhere else")
	b.press("Yes, end them")
	b.at("/account?done=others_ended", 200)
	for _, gone := range all[:3] {
		gone.visit("/account")
		gone.at("/login?next=%2Faccount", 200)
	}
	b.visit("/account/sessions/end-others")
	b.says("Only this browser is signed in.")
	b.arrive("end-others-none")
}

func TestHistoryTellsWhatHappened(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	code := p.ask(b, "ann@people.example").Code()
	b.enter(wrong(code))
	b.leave(chromedp.SendKeys(chromedp.ID("auth_code"), code+"\r"))
	b.at("/account", 200)
	b.press("Activity")
	b.at("/account/history", 200)
	b.says("A code was sent", "A wrong code was typed", "Signed in with a code", "this machine")
	b.arrive("history")

	session := b.cookie("djauthy")
	for range 55 {
		b.send(session, "/account/settings", url.Values{"first_name": {"Ann"}})
	}
	b.visit("/account/history")
	b.press("Show older")
	b.says("A wrong code was typed")
	b.arrive("history-older")
}

// cookie is the value of one of the browser's cookies.
func (b *browser) cookie(name string) string {
	b.t.Helper()
	r, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range r.Cookies {
		if c.Name == name {
			return c.Value
		}
	}
	b.t.Fatalf("no cookie %s", name)
	return ""
}

// send sends a form past the browser, in its session.
func (b *browser) send(session, path string, form url.Values) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.ctx, http.MethodPost, b.site.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "djauthy", Value: session})
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != 303 {
		b.t.Fatalf("POST %s: %s", path, answer.Status)
	}
}

func TestNameAndLanguageAreSaved(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.fill("first_name", "Anneliese-Wilhelmine")
	b.fill("last_name", "محمد Lee")
	b.press("Save")
	b.at("/account?done=saved", 200)
	b.says("Saved.", "Anneliese-Wilhelmine محمد Lee")
	b.arrive("account-named")
	b.fill("first_name", "Anna")
	b.fill("last_name", strings.Repeat("x", 151))
	b.do(chromedp.SetValue(chromedp.ID("language"), "de"))
	b.press("Save")
	b.at("/account/settings", 422)
	b.summed("That last name is too long", "last_name")
	b.arrive("account-name-too-long")
	kept := eval[[]string](b, `["first_name", "last_name", "language"].map(id => document.getElementById(id).value)`)
	if kept[0] != "Anna" || len(kept[1]) != 151 || kept[2] != "de" {
		t.Errorf("what was typed is gone: %q", kept)
	}
}

func TestTheExportHoldsWhatThereIs(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	dir := t.TempDir()
	id := chromedp.FromContext(b.ctx).BrowserContextID
	_, err := chromedp.CallBrowser(b.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: id, DownloadPath: dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Click(words("Download your data (JSON)")))
	var files []string
	for deadline := time.Now().Add(stepLimit); len(files) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is downloaded")
		}
		files, _ = filepath.Glob(filepath.Join(dir, "*.json"))
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) || !strings.Contains(string(text), "ann@people.example") {
		t.Errorf("the export reads:\n%s", text)
	}
	b.quiet()
}

func TestAnAccountIsDeletedAfterAFreshCode(t *testing.T) {
	p := newPlace(t, "LIMITS_RESEND_EVERY=0")
	b := p.open()
	p.signIn(b, "ann@people.example")
	username := eval[string](b, `document.getElementById("username").value`)
	p.age(t)
	b.press("Delete your account")
	b.says("First show it is you")
	b.arrive("delete-stale")
	b.press("Show it is you")
	b.press("Send me a code")
	b.enter(p.mail.Next(t, "ann@people.example").Code())
	b.at("/account/delete", 200)
	b.arrive("delete")
	b.press("Keep my account")
	b.at("/account", 200)
	b.press("Delete your account")
	b.press("Yes, delete my account")
	b.says("Your account is deleted")
	b.arrive("deleted")
	b.visit("/account")
	b.at("/login?next=%2Faccount", 200)
	p.signIn(b, "ann@people.example")
	if again := eval[string](b, `document.getElementById("username").value`); again == username {
		t.Error("the deleted account is back")
	}
}

// age makes every proof an hour older, which nobody can wait for.
func (p *place) age(t *testing.T) {
	t.Helper()
	p.exec(t, `UPDATE proofs SET verified_at = verified_at - 3600000`)
}

// exec changes the site's database behind its back.
func (p *place) exec(t *testing.T, statement string) {
	t.Helper()
	d, err := sql.Open("sqlite", "file:"+p.Database()+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestAfterSigningOutBackShowsNothing(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.visit("/account/history")
	b.visit("/account")
	b.press("Sign out")
	b.at("/login?done=signed_out", 200)
	for range 3 {
		b.back()
		// A page may come back as it was and then see that it is over.
		var text string
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			seen, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
			if text = seen; err == nil && text != "" && !personal(text) {
				break
			}
		}
		if personal(text) {
			t.Fatalf("Back shows at %s:\n%s", b.path(), text)
		}
	}
}

func personal(text string) bool {
	return strings.Contains(text, "ann@people.example") || strings.Contains(text, "Your sessions") || strings.Contains(text, "What happened")
}

// back goes back as the browser's button does: to a page that is asked for
// anew, or to one that the browser has kept as it was.
func (b *browser) back() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.WaitEvent(page.FrameNavigated, nil, chromedp.Evaluate[chromedp.Void](`history.back()`))); err != nil {
		b.t.Fatal(err)
	}
}
