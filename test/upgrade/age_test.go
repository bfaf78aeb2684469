package upgrade_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

// expired requires, hours after the saving, that codes are printed as expired and that
// sessions are open, with proofs that are no longer fresh.
func (u *upgraded) expired(t *testing.T) {
	t.Helper()
	dora := u.browser("dora")
	dora.Get(t, u.Site, "/login/code").Want(t, http.StatusGone, "", "expired")
	dora.Enter(t, u.Site, u.held.Codes["dora"]).Want(t, http.StatusGone, "", "expired")
	u.isIn(t, dora, "")
	u.browser("eve's other").Follow(t, u.Site, u.held.Links["eve's other"]).Want(t, http.StatusGone, "", "expired")
	program.NewVisitor("192.0.2.5").Follow(t, u.Site, u.held.Links["kim"]).Want(t, http.StatusGone, "", "expired")
	ida := u.browser("ida")
	u.isIn(t, ida, "ida"+domain)
	if page := ida.Get(t, u.Site, "/account/delete").Want(t, http.StatusOK, ""); strings.Contains(page.Body, `action="/account/delete"`) {
		t.Errorf("Ida, who proved who she is two hours ago, is not asked again:\n%s", program.Seen(page.Body))
	}
	tom := u.browser("tom")
	tom.Get(t, u.Site, "/login/code").Want(t, http.StatusGone, "", "expired")
	tom.Post(t, u.Site, "/login/resend").Want(t, http.StatusSeeOther, "/login/code")
	tom.Enter(t, u.Site, u.mail.Next(t, "tom"+domain).Code()).Want(t, http.StatusSeeOther, "/account")
	if n := len(u.mail.All("tom" + domain)); n != 1 {
		t.Errorf("Tom was sent %d messages, want the new one and not that which has expired", n)
	}
}

// swept requires of a sweep after a year that it forgets history and unproved
// accounts, and keeps users.
func (u *upgraded) swept(t *testing.T) {
	t.Helper()
	u.run(t, "sweep")
	for _, name := range []string{"ann.lee", "bob", "carl", "root"} {
		shown := u.run(t, "users", "export", name+domain)
		if !strings.Contains(strings.Join(strings.Fields(shown), ""), `"history":[]`) {
			t.Errorf("after a year there is history:\n%s", shown)
		}
	}
	if _, _, code := u.Run(t, "users", "show", "dora"+domain); code != 1 {
		t.Error("Dora, who never entered her code, is kept for a year")
	}
}

// ended requires after a year that sessions have ended, that budgets have come back,
// and that people and services go on.
func (u *upgraded) ended(t *testing.T) {
	t.Helper()
	for name := range u.held.Browsers {
		u.isIn(t, u.browser(name), "")
	}
	u.browser("dora").Enter(t, u.Site, u.held.Codes["dora"]).Want(t, http.StatusGone, "")
	for range 3 {
		program.NewVisitor(u.held.Browsers["lou's network"].Network).Ask(t, u.Site, "lou"+domain).Want(t, http.StatusSeeOther, "/login/code")
	}
	program.NewVisitor("192.0.2.9").Ask(t, u.Site, "joe"+domain).Want(t, http.StatusSeeOther, "/login/code")
	if code := u.mail.Next(t, "joe"+domain).Code(); len(code) >= 10 {
		t.Errorf("after a year Joe is still sent the long code %s", code)
	}
	signInAnew(t, u)
	shutOut(t, u)
	triplesVerify(t, u)
	appsVerify(t, u)
}

// knowsItsUsers requires that everybody who had an account has one, at any age.
func (u *upgraded) knowsItsUsers(t *testing.T) {
	t.Helper()
	for _, name := range []string{"root", "ann.lee", "bob", "carl", "kim", "ida", "moe"} {
		u.run(t, "users", "show", name+domain)
	}
	u.run(t, "users", "show", "jo@bücher.example")
	if list := u.run(t, "users", "list"); !strings.Contains(list, "Ann Lée") || !strings.Contains(list, "deactivated") || !strings.Contains(list, "superuser") {
		t.Errorf("users list:\n%s", list)
	}
}
