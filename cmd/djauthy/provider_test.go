package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/federation/federationtest"
)

// startCorp is a server whose people at corp.example sign in at a provider.
func startCorp(t *testing.T, settings ...string) (*site, *federationtest.Issuer) {
	t.Helper()
	i := federationtest.New(t)
	return start(t, append([]string{
		"DJAUTHY_PROVIDER_0_NAME=corp", "DJAUTHY_PROVIDER_0_KIND=openid", "DJAUTHY_PROVIDER_0_ISSUER=" + i.URL, "DJAUTHY_PROVIDER_0_LABEL=Example & Co",
		"DJAUTHY_PROVIDER_0_CLIENT_ID=djauthy", "DJAUTHY_PROVIDER_0_CLIENT_SECRET=hunter2hunter2", "DJAUTHY_PROVIDER_0_DOMAINS=corp.example",
	}, settings...)...), i
}

// provided follows an answer to the provider, and returns the path with which that sends the
// browser back.
func (b *browser) provided(a answer) string {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, a.header.Get("Location"), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatalf("to %q: %v", a.header.Get("Location"), err)
	}
	_ = resp.Body.Close()
	back, found := strings.CutPrefix(resp.Header.Get("Location"), b.s.public.String())
	if !found {
		b.t.Fatalf("the provider sends back to %q", resp.Header.Get("Location"))
	}
	return back
}

func TestAProviderIsReachedByItsButtonItsPrefixAndItsDomain(t *testing.T) {
	t.Parallel()
	s, i := startCorp(t)
	page := s.browser(t).get("/login?next=/account/history")
	if !strings.Contains(page.body, `<a class="button" href="/login/corp?next=%2Faccount%2Fhistory">Sign in with Example &amp; Co</a>`) {
		t.Errorf("there is no button:\n%s", page.body)
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' "+i.URL+";") {
		t.Error(csp)
	}
	for name, begin := range map[string]func(b *browser) answer{
		"button": func(b *browser) answer { return b.get("/login/corp?next=/account/history") },
		"prefix": func(b *browser) answer { return b.post("/login", "id", "corp:ann", "next", "/account/history") },
		"domain": func(b *browser) answer { return b.post("/login", "id", "ann@corp.example", "next", "/account/history") },
	} {
		b := s.browser(t)
		a := begin(b).want(t, http.StatusSeeOther, "")
		if !strings.HasPrefix(a.header.Get("Location"), i.URL+"/authorize?") {
			t.Fatalf("%s leads to %s", name, a.header.Get("Location"))
		}
		back := b.provided(a)
		b.get(back).want(t, http.StatusSeeOther, "/account/history")
		b.get("/account").want(t, http.StatusOK, "")
		b.get(back).want(t, http.StatusSeeOther, "/account/history") // the page is loaded again
		s.browser(t).get(back).want(t, http.StatusGone, "")
	}
	if out := s.must(t, "users", "list", "--json"); strings.Count(out, `"username"`) != 1 {
		t.Errorf("they are not one person:\n%s", out)
	}
	for _, id := range []string{i.URL + " 1234", "corp:1234"} {
		if out := s.must(t, "users", "show", "--json", id); !strings.Contains(out, i.URL+" 1234") {
			t.Errorf("%s shows\n%s", id, out)
		}
	}
	if log := s.out.String(); strings.Contains(log, "hunter2") {
		t.Error("the log has the secret")
	}
}

// Who signs in at a provider proves there that it is still them.
func TestTheAccountIsDeletedAfterAProofAtTheProvider(t *testing.T) {
	t.Parallel()
	s, i := startCorp(t, "DJAUTHY_HOOK_0_NAME=sms", "DJAUTHY_HOOK_0_URL="+federationtest.New(t).URL)
	i.Person["preferred_username"] = "ann"
	b := s.browser(t)
	b.get(b.provided(b.get("/login/corp"))).want(t, http.StatusSeeOther, "")
	s.clock.advance(6 * time.Minute)
	defer s.clock.advance(0)
	i.Now = s.clock.Now
	b.post("/account/delete").want(t, http.StatusForbidden, "")
	const step = "/step-up?action=account.delete&next=%2Faccount%2Fdelete"
	page := b.get(step)
	if !strings.Contains(seen(page.body), "Sign in once more as ann (127.0.0.1") {
		t.Fatalf("%s", page.body)
	}
	again := func(ago time.Duration) answer {
		i.Claims = func(c map[string]any) { c["auth_time"] = s.clock.Now().Add(-ago).Unix() }
		a := b.post("/step-up", page.fields(t, "/step-up")...).want(t, http.StatusSeeOther, "")
		if !strings.Contains(a.header.Get("Location"), "max_age=300&") {
			t.Errorf("leads to %s", a.header.Get("Location"))
		}
		return b.get(b.provided(a))
	}
	again(time.Hour).want(t, http.StatusUnprocessableEntity, "") // the provider did not ask
	b.post("/account/delete").want(t, http.StatusForbidden, "")
	again(0).want(t, http.StatusSeeOther, step)
	b.post("/account/delete").want(t, http.StatusOK, "")
	if b.in() {
		t.Error("still signed in")
	}
}

func TestRow16_ALinkOfAnotherSiteSignsNobodyInAnew(t *testing.T) {
	t.Parallel()
	s, i := startCorp(t)
	b := s.browser(t)
	from := func(site string) answer {
		return b.do(http.MethodGet, "/login/corp?next=/account/history", "", "", map[string]string{"Sec-Fetch-Site": site})
	}
	b.get(b.provided(from("cross-site"))).want(t, http.StatusSeeOther, "/account/history") // a portal may link here
	for _, site := range []string{"cross-site", "same-site"} {
		from(site).want(t, http.StatusSeeOther, "/login?next=%2Faccount%2Fhistory")
	}
	for _, site := range []string{"same-origin", "none"} {
		if a := from(site).want(t, http.StatusSeeOther, ""); !strings.HasPrefix(a.header.Get("Location"), i.URL) {
			t.Errorf("%s: leads to %s", site, a.header.Get("Location"))
		}
	}
}

func TestAProviderMayPostItsResponse(t *testing.T) {
	t.Parallel()
	s, _ := startCorp(t)
	b := s.browser(t)
	path, query, _ := strings.Cut(b.provided(b.get("/login/corp")), "?")
	bare := s.browser(t) // of a POST from another site browsers send no cookie
	a := bare.do(http.MethodPost, path, formKind, query, map[string]string{"Origin": "https://idp.example", "Sec-Fetch-Site": "cross-site"})
	a.want(t, http.StatusSeeOther, "")
	b.get(a.header.Get("Location")).want(t, http.StatusSeeOther, "/account")
	if !b.in() {
		t.Fatal("not signed in")
	}
	long := bare.do(http.MethodPost, path, formKind, "code="+strings.Repeat("a", 9000), nil)
	long.want(t, http.StatusRequestEntityTooLarge, "")
}

func TestWhatGoesWrongAtAProviderIsAPage(t *testing.T) {
	t.Parallel()
	s, i := startCorp(t, "DJAUTHY_OPEN_SIGNUP=false")
	b := s.browser(t)
	page := func(a answer, status int, says string) {
		t.Helper()
		a.want(t, status, "")
		if !strings.Contains(a.body, says) || !strings.Contains(a.body, `<a class="main" href="/login">`) {
			t.Errorf("the page does not say %q: %s", says, seen(a.body))
		}
	}
	page(b.get(b.provided(b.get("/login/corp"))), http.StatusUnprocessableEntity, "You cannot sign in here")
	i.Respond = func(r url.Values) {
		r.Del("code")
		r.Set("error", "access_denied")
		r.Set("error_description", "<script>alert(1)</script>\r\nSet-Cookie: a=b")
	}
	refused := b.get(b.provided(b.get("/login/corp")))
	page(refused, http.StatusUnprocessableEntity, "Not signed in at Example &amp; Co")
	if strings.Contains(refused.body, "alert") || strings.Contains(s.out.String(), "\nSet-Cookie") {
		t.Error("what the provider says is shown as it is")
	}
	page(b.get("/login/corp/callback"), http.StatusGone, "That sign-in has ended")
	page(b.get("/login/corp/callback?state=a&code=%zz"), http.StatusUnprocessableEntity, "Not signed in")
	page(b.get("/login/leave/abc"), http.StatusGone, "That sign-in has ended")
	b.get("/login/nobody").want(t, http.StatusNotFound, "")
	b.get("/login/nobody/callback").want(t, http.StatusNotFound, "")
	b.get("/login/openid").want(t, http.StatusNotFound, "")
	page(b.get("/login/openid/callback"), http.StatusGone, "That sign-in has ended")
	b.post("/login", "id", "nobody:ann").want(t, http.StatusUnprocessableEntity, "")
	away := b.get("/login/corp")
	i.Respond = nil
	back := b.provided(away)
	i.Answer = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }
	page(b.get(back), http.StatusBadGateway, "Example &amp; Co does not answer")
}

// A provider that is down keeps no server from starting.
func TestAProviderThatIsDownStopsNoStart(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_PROVIDER_0_NAME=gone", "DJAUTHY_PROVIDER_0_KIND=openid", "DJAUTHY_PROVIDER_0_ISSUER=http://127.0.0.1:1", "DJAUTHY_PROVIDER_0_CLIENT_ID=x")
	b := s.browser(t)
	b.get("/login/gone").want(t, http.StatusBadGateway, "")
	b.post("/login", "id", "gone:ann").want(t, http.StatusBadGateway, "")
	b.signIn(anID())
}

func TestPeopleChooseAProviderInManualMode(t *testing.T) {
	t.Parallel()
	s, i := startCorp(t, "DJAUTHY_MODE=manual")
	b := s.browser(t)
	if page := b.get("/login").body; !strings.Contains(page, `value="corp"`) || !strings.Contains(page, `value="email"`) || !strings.Contains(page, "> Example &amp; Co</label>") {
		t.Errorf("the ways are not there to choose:\n%s", page)
	}
	for _, id := range []string{"", "ann", "ann@gmail.example"} {
		a := b.post("/login", "id", id, "implementation", "corp").want(t, http.StatusSeeOther, "")
		if !strings.HasPrefix(a.header.Get("Location"), i.URL) {
			t.Errorf("%q leads to %s", id, a.header.Get("Location"))
		}
	}
	b.post("/login", "id", "ann@corp.example", "implementation", "email").want(t, http.StatusSeeOther, "/login/code")
}

func TestManySignInsAtProvidersLeaveFewCookies(t *testing.T) {
	t.Parallel()
	s, _ := startCorp(t)
	b := s.browser(t)
	first := b.provided(b.get("/login/corp"))
	var last string
	for range 6 {
		last = b.provided(b.get("/login/corp"))
	}
	n := 0
	for name := range b.cookies {
		if strings.HasPrefix(name, "djauthy_trip_") {
			n++
		}
	}
	if n != 4 {
		t.Errorf("%d are kept", n)
	}
	b.get(first).want(t, http.StatusGone, "")
	b.get(last).want(t, http.StatusSeeOther, "/account")
}
