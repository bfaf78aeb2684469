package main

import (
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
	"github.com/djauthy/djauthy/internal/federation/federationtest"
)

var refresh = regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]+)">`)

// leaves follows the page that leads to a provider, and returns an answer that leads there.
func (b *browser) leaves(a answer) answer {
	b.t.Helper()
	page := b.get(a.want(b.t, http.StatusSeeOther, "").header.Get("Location")).want(b.t, http.StatusOK, "")
	to := refresh.FindStringSubmatch(page.body)
	if to == nil || !strings.Contains(page.body, `href="`+to[1]+`"`) {
		b.t.Fatalf("the page leads nowhere:\n%s", page.body)
	}
	page.header.Set("Location", html.UnescapeString(to[1]))
	return page
}

func TestAnIDSignsInAtTheIssuerThatItNames(t *testing.T) {
	t.Parallel()
	i := federationtest.New(t)
	i.Person["preferred_username"] = "ann"
	s := start(t, "DJAUTHY_FETCH_ALLOW=127.0.0.0/8")
	host := strings.TrimPrefix(i.URL, "http://")
	i.WebFinger["acct:ann@"+host] = i.URL
	for _, typed := range []string{"acct:ann@" + host, i.URL, strings.ToUpper(i.URL) + "/", host} {
		b := s.browser(t)
		a := b.leaves(b.post("/login", "id", typed, "next", "/account/history"))
		if !strings.HasPrefix(a.header.Get("Location"), i.URL+"/authorize?") {
			t.Fatalf("%s leads to %s", typed, a.header.Get("Location"))
		}
		b.get(b.provided(a)).want(t, http.StatusSeeOther, "/account/history")
		if page := b.get("/account").body; !strings.Contains(page, "ann ("+host+")") {
			t.Errorf("the account page does not say who it is: %s", seen(page))
		}
	}
	if out := s.must(t, "users", "list", "--json"); strings.Count(out, `"username"`) != 1 {
		t.Errorf("they are not one person:\n%s", out)
	}
	i.Forget() // the issuer has lost its clients
	b := s.browser(t)
	again := b.get(b.provided(b.leaves(b.post("/login", "id", i.URL))))
	b.get(b.provided(again)).want(t, http.StatusSeeOther, "/account")
	if n := i.Hits("/register"); n != 2 {
		t.Errorf("registered %d times", n)
	}
	i.Forget() // during a step-up, which wants a fresh proof
	s.clock.advance(6 * time.Minute)
	defer s.clock.advance(0)
	i.Now = s.clock.Now
	step := b.get("/step-up").want(t, http.StatusOK, "").fields(t, "/step-up")
	again = b.get(b.provided(b.leaves(b.post("/step-up", step...))))
	if to := again.header.Get("Location"); !strings.Contains(to, "max_age=300&") {
		t.Errorf("asked once more, it does not ask anew: %s", to)
	}
}

func TestAnIDThatLeadsNowhereIsToldAtTheField(t *testing.T) {
	t.Parallel()
	i := federationtest.New(t)
	s := start(t, "DJAUTHY_FETCH_ALLOW=127.0.0.0/8")
	b := s.browser(t)
	for _, typed := range []string{"acct:bob@" + strings.TrimPrefix(i.URL, "http://"), i.URL + "/nobody", "http://127.0.0.1:1", "http://10.1.2.3/"} {
		page := b.post("/login", "id", typed).want(t, http.StatusUnprocessableEntity, "")
		if !strings.Contains(seen(page.body), "We found no way to sign in with") || !strings.Contains(page.body, `aria-invalid="true"`) {
			t.Errorf("%s: %s", typed, seen(page.body))
		}
	}
	i.Metadata = func(m map[string]any) { delete(m, "registration_endpoint") }
	page := b.post("/login", "id", i.URL).want(t, http.StatusUnprocessableEntity, "")
	if !strings.Contains(page.body, "127.0.0.1") || !strings.Contains(page.body, "does not know this site") {
		t.Errorf("%s", seen(page.body))
	}
}

func TestWithoutAnyIssuerNoURLSignsIn(t *testing.T) {
	t.Parallel()
	i := federationtest.New(t)
	s := start(t, "DJAUTHY_FETCH_ALLOW=127.0.0.0/8", "DJAUTHY_OPENID_ANY_ISSUER=false")
	for _, typed := range []string{i.URL, "acct:ann@example.org", "ann.example.org"} {
		s.browser(t).post("/login", "id", typed).want(t, http.StatusUnprocessableEntity, "")
	}
	if n := i.Hits("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestWhatSeveralWaysFitIsAskedAndRemembered(t *testing.T) {
	t.Parallel()
	sms, smsCame := smsGateway(t, new(atomic.Bool))
	chat, chatCame := smsGateway(t, new(atomic.Bool))
	s := start(t, "DJAUTHY_HOOK_0_NAME=sms", "DJAUTHY_HOOK_0_URL="+sms, `DJAUTHY_HOOK_0_IDS=\+[0-9]+`, "DJAUTHY_HOOK_1_NAME=chat", "DJAUTHY_HOOK_1_URL="+chat, `DJAUTHY_HOOK_1_IDS=\+[0-9]+`)
	const number = "+41791234567"
	b := s.browser(t)
	b.get("/login/choose").want(t, http.StatusSeeOther, "/login")
	b.post("/login", "id", number, "next", "/account/history").want(t, http.StatusSeeOther, "/login/choose")
	page := b.get("/login/choose").want(t, http.StatusOK, "")
	for _, says := range []string{number, `value="sms"`, `value="chat"`, "Send me a code by chat"} {
		if !strings.Contains(page.body, says) {
			t.Errorf("the page does not say %q:\n%s", says, page.body)
		}
	}
	for _, name := range []string{"", "email", "nobody"} {
		b.post("/login/choose", "implementation", name).want(t, http.StatusUnprocessableEntity, "")
	}
	b.post("/login/choose", "implementation", "chat").want(t, http.StatusSeeOther, "/login/code")
	b.submit(deliverytest.Next(t, chatCame)["code"]).want(t, http.StatusSeeOther, "/account/history")
	b.post("/logout")
	b.post("/login", "id", number).want(t, http.StatusSeeOther, "/login/code") // it is remembered
	deliverytest.Next(t, chatCame)
	s.browser(t).post("/login", "id", number).want(t, http.StatusSeeOther, "/login/choose")
	if len(smsCame) > 0 {
		t.Error("a message went the other way")
	}
	other := s.browser(t)
	other.cookies["djauthy_asked"] = b.cookies["djauthy_asked"] // what was typed in another browser
	other.get("/login/choose").want(t, http.StatusSeeOther, "/login")
}

func TestWhoseProviderIsDownMayGoAnotherWay(t *testing.T) {
	t.Parallel()
	s, i := startCorp(t)
	i.Stop()
	b := s.browser(t)
	page := b.post("/login", "id", "ann@corp.example", "next", "/account/history").want(t, http.StatusBadGateway, "")
	if !strings.Contains(page.body, `href="/login/choose"`) {
		t.Fatalf("there is no other way: %s", page.body)
	}
	if page := b.get("/login/choose").body; !regexp.MustCompile(`(?s)value="corp".*value="email"`).MatchString(page) {
		t.Errorf("the ways are not ranked:\n%s", page)
	}
	b.post("/login/choose", "implementation", "email").want(t, http.StatusSeeOther, "/login/code")
	b.submit(s.mail.next(t, "ann@corp.example").code()).want(t, http.StatusSeeOther, "/account/history")
}

func TestDiscoverShowsWhatTheBoxWouldDo(t *testing.T) {
	t.Parallel()
	s, i := startCorp(t)
	for id, want := range map[string]string{
		"ann@corp.example": "corp domain",
		"corp:ann":         "corp prefix",
		i.URL:              "corp syntax",
		"ann@example.org":  "email syntax",
		"ann.example.org":  "openid syntax",
	} {
		var out struct {
			ID     string
			Choice *struct{ Implementation, Provider, Why string }
		}
		if err := json.Unmarshal([]byte(s.must(t, "discover", id)), &out); err != nil || out.Choice == nil || out.ID != id {
			t.Fatalf("%s: %v, %+v", id, err, out)
		}
		way := out.Choice.Provider
		if way == "" {
			way = out.Choice.Implementation
		}
		if got := way + " " + out.Choice.Why; got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	if _, stderr, code := s.command("discover", "ann"); code != exitFailed || !strings.Contains(stderr, "An @ is missing") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if stdout, _, _ := s.command("discover", "nobody:ann"); stdout != "" {
		t.Errorf("a refused id prints %s", stdout)
	}
}
