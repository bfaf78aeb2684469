package upgrade_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

// checks are what has to hold soon after the upgrade, by name. Each has people of its
// own, so their order is any.
var checks = map[string]func(t *testing.T, u *upgraded){
	"sessions stay open":                         sessionsStay,
	"a proof stays fresh":                        proofsStayFresh,
	"who is shut out stays out":                  shutOut,
	"a waiting code opens":                       codesOpen,
	"a waiting link opens":                       linksOpen,
	"a link of users link opens":                 recoveryLinksOpen,
	"each of several codes of one attempt opens": severalCodes,
	"wrong tries stay counted":                   triesStayCounted,
	"used codes stay used":                       usedStaysUsed,
	"void codes stay void":                       voidStaysVoid,
	"what was disowned stays so":                 disownedStaysSo,
	"tries come back":                            triesComeBack,
	"a new service gets a new number":            newNumbers,
	"spent tries stay spent":                     triesStaySpent,
	"spent messages stay spent":                  sendsStaySpent,
	"a waiting message comes":                    messagesCome,
	"people sign in anew":                        signInAnew,
	"history is there":                           historyIsThere,
	"triples verify":                             triplesVerify,
	"apps verify":                                appsVerify,
}

// browser is one as it was when the database was saved.
func (u *upgraded) browser(name string) *program.Visitor {
	b := program.NewVisitor(u.held.Browsers[name].Network)
	for k, v := range u.held.Browsers[name].Cookies {
		b.Cookies[k] = v
	}
	return b
}

// enters requires that a browser gets in with a code that it waited for.
func (u *upgraded) enters(t *testing.T, name, code, to, email string) {
	t.Helper()
	b := u.browser(name)
	b.Get(t, u.Site, "/login/code").Want(t, http.StatusOK, "")
	b.Enter(t, u.Site, code).Want(t, http.StatusSeeOther, to)
	u.isIn(t, b, email)
}

func (u *upgraded) isIn(t *testing.T, b *program.Visitor, email string) {
	t.Helper()
	if got := b.Email(t, u.Site); got != email {
		t.Fatalf("the browser is signed in as %q, want %q", got, email)
	}
}

func sessionsStay(t *testing.T, u *upgraded) {
	for name, email := range map[string]string{
		"root": "root" + domain, "ann": "Ann.Lee" + domain, "ann's other": "Ann.Lee" + domain, "ida": "ida" + domain,
		"jo": "jo@xn--bcher-kva.example", "eve": "eve" + domain, "moe": "moe" + domain, "quin's other": "quin" + domain,
	} {
		u.isIn(t, u.browser(name), email)
	}
	ann := u.browser("ann")
	a := ann.Get(t, u.Site, "/forward-auth")
	if got := a.Header.Get("Remote-Name"); got != "=?utf-8?q?Ann_L=C3=A9e?=" {
		t.Errorf("Ann is called %q", got)
	}
	ann.Get(t, u.Site, "/account").Want(t, http.StatusOK, "", "Ihr Konto")
	ann.Post(t, u.Site, "/account/sessions/end-others").Want(t, http.StatusSeeOther, "/account?done=others_ended")
	u.isIn(t, u.browser("ann's other"), "")
	u.isIn(t, ann, "Ann.Lee"+domain)
}

// With a fresh proof one may delete the account without another code.
func proofsStayFresh(t *testing.T, u *upgraded) {
	u.browser("ida").Get(t, u.Site, "/account/delete").Want(t, http.StatusOK, "", "Delete")
	if page := u.browser("ida").Get(t, u.Site, "/account/delete"); !strings.Contains(page.Body, `action="/account/delete"`) {
		t.Errorf("Ida, who has just proved who she is, is asked again:\n%s", program.Seen(page.Body))
	}
}

func shutOut(t *testing.T, u *upgraded) {
	carl := u.browser("carl")
	u.isIn(t, carl, "")
	if a := carl.Get(t, u.Site, "/account"); a.Status != http.StatusSeeOther || !strings.HasPrefix(a.To(), "/login") {
		t.Errorf("/account answers Carl %d to %q", a.Status, a.To())
	}
	program.NewVisitor("192.0.2.3").Ask(t, u.Site, "carl"+domain).Want(t, http.StatusSeeOther, "/login/code")
	// Messages go out in the order of their asks, so his would be here before this one.
	u.signsIn(t, "192.0.2.3", "new"+domain)
	if n := len(u.mail.All("carl" + domain)); n > 0 {
		t.Errorf("Carl, who is deactivated, was sent %d messages", n)
	}
}

func codesOpen(t *testing.T, u *upgraded) {
	u.enters(t, "dora", u.held.Codes["dora"], "/account/history", "dora"+domain)
	if code := u.held.Codes["joe"]; len(code) < 10 {
		t.Errorf("Joe waits for the long code, and has %s", code)
	}
	u.enters(t, "joe", u.held.Codes["joe"], "/account", "joe"+domain)
}

func linksOpen(t *testing.T, u *upgraded) {
	eve := u.browser("eve's other")
	eve.Follow(t, u.Site, u.held.Links["eve's other"]).Want(t, http.StatusSeeOther, "/account")
	u.isIn(t, eve, "eve"+domain)
	eve.Follow(t, u.Site, u.held.Links["eve's other"]).Want(t, http.StatusGone, "", "used")
	// In another browser than asked, a link shows the code to type in that one.
	elsewhere := program.NewVisitor("192.0.2.4")
	elsewhere.Get(t, u.Site, u.held.Links["fay"]).Want(t, http.StatusSeeOther, "/login/link")
	elsewhere.Get(t, u.Site, "/login/link").Want(t, http.StatusOK, "", u.held.Codes["fay"])
	u.enters(t, "fay", u.held.Codes["fay"], "/account", "fay"+domain)
}

func recoveryLinksOpen(t *testing.T, u *upgraded) {
	b := program.NewVisitor("192.0.2.5")
	b.Follow(t, u.Site, u.held.Links["kim"]).Want(t, http.StatusSeeOther, "/account")
	u.isIn(t, b, "kim"+domain)
	program.NewVisitor("192.0.2.6").Follow(t, u.Site, u.held.Links["kim"]).Want(t, http.StatusGone, "", "used")
}

func severalCodes(t *testing.T, u *upgraded) {
	pat := u.browser("pat")
	pat.Post(t, u.Site, "/login/resend").Want(t, http.StatusSeeOther, "/login/code")
	third := u.mail.Next(t, "Pat"+domain).Code()
	if third == u.held.Codes["pat"] || third == u.held.Codes["pat's first"] {
		t.Errorf("a code was sent twice")
	}
	for _, link := range []string{u.held.Links["pat"], strings.TrimPrefix(u.mail.All("Pat" + domain)[0].Link(), u.URL)} {
		b := program.NewVisitor("192.0.2.7")
		b.Get(t, u.Site, link).Want(t, http.StatusSeeOther, "/login/link")
		b.Get(t, u.Site, "/login/link").Want(t, http.StatusOK, "")
	}
	u.enters(t, "pat", u.held.Codes["pat's first"], "/account", "Pat"+domain)
	u.browser("pat").Enter(t, u.Site, u.held.Codes["pat"]).Want(t, http.StatusGone, "")
}

func triesStayCounted(t *testing.T, u *upgraded) {
	hal := u.browser("hal")
	hal.Enter(t, u.Site, wrong(u.held.Codes["hal"])).Want(t, http.StatusUnprocessableEntity, "")
	hal.Enter(t, u.Site, u.held.Codes["hal"]).Want(t, http.StatusGone, "", "too many wrong tries")
	u.isIn(t, hal, "")
}

func usedStaysUsed(t *testing.T, u *upgraded) {
	// In the session that came of it, a code once more is a double click.
	u.browser("ida").Enter(t, u.Site, u.held.Codes["ida"]).Want(t, http.StatusSeeOther, "/account")
	ida := u.browser("ida")
	delete(ida.Cookies, "djauthy")
	ida.Enter(t, u.Site, u.held.Codes["ida"]).Want(t, http.StatusGone, "", "used already")
	ida.Follow(t, u.Site, u.held.Links["ida"]).Want(t, http.StatusGone, "", "used already")
	u.isIn(t, ida, "")
}

func voidStaysVoid(t *testing.T, u *upgraded) {
	quin := u.browser("quin")
	quin.Enter(t, u.Site, u.held.Codes["quin"]).Want(t, http.StatusGone, "")
	quin.Follow(t, u.Site, u.held.Links["quin"]).Want(t, http.StatusGone, "")
	u.isIn(t, quin, "")
}

func disownedStaysSo(t *testing.T, u *upgraded) {
	rob := u.browser("rob")
	rob.Enter(t, u.Site, u.held.Codes["rob"]).Want(t, http.StatusGone, "", "stopped")
	rob.Ask(t, u.Site, "rob"+domain).Want(t, http.StatusSeeOther, "/login/code") // and gets nothing
	program.NewVisitor("192.0.2.8").Post(t, u.Site, u.held.Links["not-me sam"], "confirm", "yes").Want(t, http.StatusOK, "")
	u.browser("sam").Enter(t, u.Site, u.held.Codes["sam"]).Want(t, http.StatusGone, "", "stopped")
	sam := u.browser("sam")
	sam.Ask(t, u.Site, "sam"+domain).Want(t, http.StatusSeeOther, "/login/code") // and gets nothing
	for _, name := range []string{"rob", "sam"} {
		u.signsIn(t, "192.0.2.8", name+domain)
		if n := len(u.mail.All(name + domain)); n != 1 {
			t.Errorf("%s has %d messages, want the one asked for in a browser that is not blocked", name, n)
		}
	}
}

func triesStaySpent(t *testing.T, u *upgraded) {
	program.NewVisitor("192.0.2.9").Ask(t, u.Site, "joe"+domain).Want(t, http.StatusSeeOther, "/login/code")
	if code := u.mail.Next(t, "joe"+domain).Code(); len(code) < 10 {
		t.Errorf("tries at Joe's codes are spent, and yet a stranger has the short one %s sent", code)
	}
}

// A success gives back the tries that its attempt has taken from the address.
func triesComeBack(t *testing.T, u *upgraded) {
	u.enters(t, "gus", u.held.Codes["gus"], "/account", "gus"+domain) // the fifth of ten
	for i, errs := range []int{5, 1} {
		b := program.NewVisitor(fmt.Sprint("192.0.2.", 20+i))
		b.Ask(t, u.Site, "gus"+domain).Want(t, http.StatusSeeOther, "/login/code")
		code := u.mail.Next(t, "gus"+domain).Code()
		for range errs {
			b.Enter(t, u.Site, wrong(code)).Want(t, http.StatusUnprocessableEntity, "")
		}
	}
	program.NewVisitor("192.0.2.22").Ask(t, u.Site, "gus"+domain).Want(t, http.StatusSeeOther, "/login/code")
	if code := u.mail.Next(t, "gus"+domain).Code(); len(code) >= 10 {
		t.Errorf("six tries of ten are taken, and a stranger is sent the long code %s", code)
	}
}

func sendsStaySpent(t *testing.T, u *upgraded) {
	lou := u.held.Browsers["lou's network"].Network
	program.NewVisitor(lou).Ask(t, u.Site, "lou"+domain).Want(t, http.StatusTooManyRequests, "")
	program.NewVisitor("192.0.2.10").Ask(t, u.Site, "lou"+domain).Want(t, http.StatusSeeOther, "/login/code")
	u.mail.Next(t, "lou"+domain)
	program.NewVisitor("192.0.2.11").Ask(t, u.Site, "mia"+domain).Want(t, http.StatusTooManyRequests, "")
}

func messagesCome(t *testing.T, u *upgraded) {
	u.enters(t, "tom", u.mail.Next(t, "tom"+domain).Code(), "/account", "tom"+domain)
}

// signsIn lets somebody in a fresh browser sign in.
func (u *upgraded) signsIn(t *testing.T, network, id string) *program.Visitor {
	t.Helper()
	b := program.NewVisitor(network)
	b.Ask(t, u.Site, id).Want(t, http.StatusSeeOther, "/login/code")
	b.Enter(t, u.Site, u.mail.Next(t, id).Code()).Want(t, http.StatusSeeOther, "/account")
	return b
}

func signInAnew(t *testing.T, u *upgraded) {
	b := u.signsIn(t, "192.0.2.12", "ann.lee"+domain) // folded: Ann
	a := b.Get(t, u.Site, "/forward-auth")
	if got := a.Header.Get("Remote-Name"); got != "=?utf-8?q?Ann_L=C3=A9e?=" {
		t.Errorf("who signs in with Ann's address is called %q", got)
	}
	u.signsIn(t, "192.0.2.13", "bob"+domain)
	u.signsIn(t, "192.0.2.14", "nobody.was.here"+domain)
}

func historyIsThere(t *testing.T, u *upgraded) {
	u.browser("moe").Get(t, u.Site, "/account/history").Want(t, http.StatusOK, "", "A code was sent", "Signed in")
}

func (u *upgraded) wire(t *testing.T) wire {
	return wire{T: t, site: u.Site, held: u.held, clock: u.clock}
}

const wireOK = `{"status":"OK"}`

// triplesVerify speaks the wire of 2021, that of 0.6, and as an administrator.
func triplesVerify(t *testing.T, u *upgraded) {
	w := u.wire(t)
	say := func(a program.Answer, status int, body string) {
		t.Helper()
		if a.Status != status || body != "" && strings.TrimSpace(a.Body) != body {
			t.Errorf("answered %d %s, want %d %s", a.Status, a.Body, status, body)
		}
	}
	say(w.verify("shop", "printer"), http.StatusOK, wireOK)
	say(w.verify("till", "printer"), http.StatusOK, wireOK)
	say(w.verify("shop", "gone"), http.StatusForbidden, "")
	say(w.verify("gone", "printer"), http.StatusForbidden, "")
	say(w.verify("till", "cup"), http.StatusForbidden, "") // not of the one realm that it may
	say(w.verify("cup", "printer"), http.StatusForbidden, "")
	say(w.verify("shop", "old printer"), http.StatusOK, wireOK) // its seed was kept for eighty years
	printer := u.held.Triples["printer"]
	say(w.send("/ungleichotp/verify/", w.claim("shop", printer, "000000")), http.StatusForbidden, "")
	shop := u.held.Triples["shop"]
	say(w.send("/ungleichotp/verify/", map[string]string{
		"name": shop.Name, "realm": shop.Realm, "token": w.token(shop.Seed),
		"verifyname": printer.Name, "verifyrealm": printer.Realm, "verifytoken": w.token(printer.Seed),
	}), http.StatusOK, wireOK)
	root := u.held.Triples["root"]
	list := w.request(http.MethodGet, "/ungleichotp/", map[string]string{"auth_name": root.Name, "auth_realm": root.Realm, "auth_token": w.token(root.Seed)})
	var all []triple
	if err := json.Unmarshal([]byte(list.Body), &all); err != nil || !slices.Contains(all, printer) || !slices.Contains(all, shop) || !slices.Contains(all, root) {
		t.Errorf("the list of entries: %d, %v\n%s", list.Status, err, list.Body)
	}
}

// newNumbers requires that a service which is added has a number above all others.
func newNumbers(t *testing.T, u *upgraded) {
	numbers := func() (all []int64) {
		var services []struct {
			ID int64 `json:"id"`
		}
		must(t, json.Unmarshal([]byte(u.run(t, "--json", "services", "list")), &services))
		for _, s := range services {
			all = append(all, s.ID)
		}
		return all
	}
	before := slices.Max(numbers())
	u.run(t, "services", "add", "--name", "newest", "--realm", "office")
	if after := slices.Max(numbers()); after <= before {
		t.Errorf("the new service has the number %d, another had %d", after, before)
	}
}

// appsVerify speaks the wire of 2018.
func appsVerify(t *testing.T, u *upgraded) {
	w := u.wire(t)
	counter, kiosk := u.held.Apps["counter"], u.held.Apps["kiosk"]
	ask := func(by, claim app, token string) string {
		t.Helper()
		a := w.send("/verify", map[string]string{"version": "1", "appuuid": by.UUID, "token": w.token(by.Seed), "appuuidtoverify": claim.UUID, "tokentoverify": token})
		return fmt.Sprint(a.Status, " ", strings.TrimSpace(a.Body))
	}
	if got := ask(counter, kiosk, w.token(kiosk.Seed)); got != "200 "+wireOK {
		t.Errorf("a right token of the kiosk: %s", got)
	}
	if got := ask(counter, kiosk, "000000"); got != `200 {"status":"FAIL"}` {
		t.Errorf("a wrong token of the kiosk: %s", got)
	}
	if got := ask(kiosk, counter, w.token(counter.Seed)); got != `200 {"status":"FAIL"}` {
		t.Errorf("the kiosk, which is not trusted, asks: %s", got)
	}
}

// printsTheSame requires that commands print what they did before. Later releases may
// add fields.
func (u *upgraded) printsTheSame(t *testing.T) {
	t.Helper()
	if len(u.held.Printed) < 30 {
		t.Fatalf("only %d commands are held", len(u.held.Printed))
	}
	for _, x := range u.held.Printed {
		var before, now any
		must(t, json.Unmarshal(x.JSON, &before))
		must(t, json.Unmarshal([]byte(u.run(t, x.Args...)), &now))
		for _, fault := range missing(before, now, "") {
			t.Errorf("djauthy %s: %s", strings.Join(x.Args, " "), fault)
		}
	}
}

// missing says what of one JSON value is not in another.
func missing(want, got any, at string) (faults []string) {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return []string{at + " is no object"}
		}
		for key, value := range want {
			faults = append(faults, missing(value, got[key], at+"."+key)...)
		}
		return faults
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return []string{fmt.Sprintf("%s is no list of %d: %v", at, len(want), got)}
		}
		for i := range want {
			faults = append(faults, missing(want[i], got[i], fmt.Sprintf("%s[%d]", at, i))...)
		}
		return faults
	}
	if !reflect.DeepEqual(want, got) {
		return []string{fmt.Sprintf("%s is %v, was %v", at, got, want)}
	}
	return nil
}
