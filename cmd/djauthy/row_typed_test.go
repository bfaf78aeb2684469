package main

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestWhatCannotBeTheCodeCostsNoTryAndIsToldTheShape(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b := s.browser(t)
		code := b.ask(anID()).code()
		for _, typed := range []string{code[1:], code + "1", code[:5] + "O", "abcdef", wrong(code) + ", " + code, " ", "\u0663\u0664"} {
			a := b.submit(typed).want(t, http.StatusUnprocessableEntity, "")
			if !strings.Contains(a.body, `role="alert"`) || !strings.Contains(seen(a.body), "it has 6 digits") || strings.Contains(a.body, "left.") {
				t.Errorf("%q: the page does not tell the shape alone:\n%s", typed, seen(a.body))
			}
		}
		for range 4 {
			b.submit(wrong(code)).want(t, http.StatusUnprocessableEntity, "")
		}
		b.submit("@login.example.org #"+code).want(t, http.StatusSeeOther, "/account")
		b.submit("12345").want(t, http.StatusGone, "")
	})
}

func TestTheShapeOfOtherCodesIsToldInTheirWords(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_CODE_ALPHABET=letters", "DJAUTHY_CODE_LENGTH=8")
	b := s.browser(t)
	code := b.ask(anID()).code()
	for range 6 {
		a := b.submit(strings.Repeat("1", 8)).want(t, http.StatusUnprocessableEntity, "")
		if !strings.Contains(seen(a.body), "it has 8 letters and nothing else") {
			t.Errorf("the page does not tell the shape:\n%s", seen(a.body))
		}
	}
	b.submit("Code: "+strings.ToUpper(code)+".").want(t, http.StatusSeeOther, "/account")
}

// The browser that asked sees where its code went and can change that; no other
// page and no log shows the whole address.
func TestOnlyTheCodePageOfTheBrowserThatAskedShowsTheIDAsTyped(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_LIMITS_RESEND_EVERY=0")
	const typed, deliverTo = "Jörg.O'Neil+x@BÜCHER.example", "Jörg.O'Neil+x@xn--bcher-kva.example"
	b := s.browser(t)
	b.post("/login", "id", " Jörg <mailto:"+typed+">, ").want(t, http.StatusSeeOther, "/login/code")
	l := s.mail.next(t, deliverTo)
	shown := func(a answer) bool { return strings.Contains(html.UnescapeString(a.body), typed) }
	for where, a := range map[string]answer{
		"at first": b.get("/login/code"), "after a wrong code": b.submit(wrong(l.code())), "after another shape": b.submit("12345"),
	} {
		if !shown(a) || !strings.Contains(a.body, `<a href="/login">Change the address</a>`) || strings.Contains(a.body, "***") {
			t.Errorf("%s the page shows not the id as typed with a link to change it:\n%s", where, a.body)
		}
	}
	b.post("/login/resend").want(t, http.StatusSeeOther, "/login/code")
	if a := b.get("/login/code"); !shown(a) {
		t.Error("after sending again the page does not show the id")
	}
	l = s.mail.next(t, deliverTo)
	other := s.browser(t)
	pages := []answer{b.get("/login"), other.get("/login/code"), other.get(l.notMe()), other.get(l.link()), other.get("/login/link")}
	s.clock.advance(time.Hour)
	pages = append(pages, b.get("/login/code").want(t, http.StatusGone, ""))
	for _, a := range append(pages, answer{body: s.out.String()}) {
		for _, whole := range []string{typed, deliverTo, "jörg.o'neil", "Jörg.O'Neil"} {
			if strings.Contains(html.UnescapeString(a.body), whole) {
				t.Errorf("%s is shown:\n%s", whole, a.body)
			}
		}
	}
}

func TestWhoChangesTheAddressStillGoesWhereTheyWanted(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, next := s.browser(t), "/account/history?before=5&x=a b+c"
	link := regexp.MustCompile(`href="(/login\?next=[^"]*)"`)
	b.post("/login", "id", anID(), "next", next).want(t, http.StatusSeeOther, "/login/code")
	change := group(link, b.get("/login/code").body)
	s.clock.advance(time.Hour)
	ended := group(link, b.get("/login/code").want(t, http.StatusGone, "").body)
	for _, way := range []string{change, ended} {
		page := b.get(html.UnescapeString(way)).want(t, http.StatusOK, "")
		kept := html.UnescapeString(group(regexp.MustCompile(`name="next" value="([^"]*)"`), page.body))
		if kept != strings.ReplaceAll(next, " ", "%20") {
			t.Errorf("by %q the box keeps next=%q", way, kept)
		}
	}
}

func TestTheEmailThatAProxyIsToldIsTheAddressThatWasProved(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, id := s.browser(t), anID()
	b.signInAs("<"+strings.ToUpper(id)+">", strings.ToUpper(id[:strings.Index(id, "@")])+"@people.example")
	if got := b.get("/forward-auth").header.Get("Remote-Email"); !strings.EqualFold(got, id) || got == id {
		t.Errorf("Remote-Email of %s typed in capitals is %q", id, got)
	}
}

func TestDeletingTheAccountIsProvedAtTheAddressThatWasTyped(t *testing.T) {
	t.Parallel()
	s := start(t)
	const mailbox = "Ann@xn--bcher-kva.example"
	b := s.browser(t)
	b.signInAs("Ann@bücher.example", mailbox)
	s.clock.advance(time.Hour)
	b.get("/account/delete").want(t, http.StatusOK, "")
	b.stepsUp(t, s, "/step-up?action=account.delete&next=/account/delete", mailbox).want(t, http.StatusSeeOther, "")
	b.post("/account/delete").want(t, http.StatusOK, "")
}

func TestARefusedIDIsToldTheReasonThatHolds(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for id, reason := range map[string]string{
		"a@people.example, b@people.example": "There is more than one @", "Ann a@people.example": "There is a blank", "a,b@people.example": "There is a comma, a bracket or another sign",
		"a(x)@people.example": "There is a comma, a bracket or another sign", `"a b"@people.example`: "There are quotation marks", "b@people.example <a@people.example>": "There is more than one @",
	} {
		a := s.browser(t).post("/login", "id", id).want(t, http.StatusUnprocessableEntity, "")
		if page := html.UnescapeString(seen(a.body)); !strings.Contains(page, reason) || strings.Contains(page, "quotation") != strings.Contains(reason, "quotation") {
			t.Errorf("%s is refused without %q:\n%s", id, reason, page)
		}
	}
}

func TestCheckSendsToTheAddressThatWasTyped(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.must(t, "check", "--send", "Ann <Ann@Bücher.example>")
	s.mail.next(t, "Ann@xn--bcher-kva.example")
}
