package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/seal"
)

// asserted is what the signed header of a proxy's answer says.
func (a answer) asserted(t testing.TB) (claims struct {
	Audience string `json:"aud"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	Username string `json:"preferred_username"`
	Groups   []string
},
) {
	t.Helper()
	part := strings.Split(a.header.Get("X-Djauthy-Jwt-Assertion"), ".")
	if len(part) != 3 {
		t.Fatalf("%d: no assertion in %v", a.status, a.header)
	}
	raw, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return claims
}

// An assertion is kept for a while, and given again to nobody else and nowhere else.
func TestAnAssertionThatIsGivenAgainSaysWhatHolds(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	s.must(t, "groups", "add", "staff")
	s.must(t, "groups", "add", "ops")
	b, id := s.person(t)
	s.must(t, "groups", "join", "staff", id)
	x := s.browser(t)
	at, wiki := visitor{x, "http://grafana.test"}, visitor{s.browser(t), "http://wiki.test:8081"}
	for _, v := range []visitor{at, wiki} {
		v.enters(t, s, b, "/").want(t, http.StatusFound, v.origin+"/")
		if got := v.asks(http.MethodGet, "/", nil).asserted(t); got.Audience != v.origin || fmt.Sprint(got.Groups) != "[users staff]" {
			t.Errorf("at %s: %+v", v.origin, got)
		}
	}
	s.must(t, "groups", "join", "ops", id)
	if got := at.asks(http.MethodGet, "/", nil).asserted(t); fmt.Sprint(got.Groups) != "[users ops staff]" {
		t.Errorf("groups: %v", got.Groups)
	}
	s.must(t, "groups", "leave", "staff", id)
	if got := at.asks(http.MethodGet, "/", nil).asserted(t); fmt.Sprint(got.Groups) != "[users ops]" {
		t.Errorf("groups: %v", got.Groups)
	}
	b.post("/account/username", "username", "another.name").want(t, http.StatusSeeOther, "")
	if got := at.asks(http.MethodGet, "/", nil).asserted(t); got.Username != "another.name" {
		t.Errorf("username: %s", got.Username)
	}
	for _, later := range []time.Duration{25 * time.Second, 25 * time.Second, 2 * time.Minute, -2 * time.Minute} {
		s.clock.advance(later)
		got, now := at.asks(http.MethodGet, "/", nil).asserted(t), s.clock.Now().Unix()
		if got.Issued > now+1 || got.Expires < now+29 || got.Expires > now+61 {
			t.Errorf("%s later: issued %d s ago, for %d s more", later, now-got.Issued, got.Expires-now)
		}
	}
}

// A stranger hands their own session over, bound to what a browser without a cookie shows.
func TestABrowserThatKeepsNothingAtASiteIsHandedNothing(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b, _ := s.person(t)
	nothing := sha256.Sum256([]byte(seal.Token{}.String()))
	a := b.get("/login/site?bind="+base64.RawURLEncoding.EncodeToString(nothing[:])+"&to=http://grafana.test/").want(t, http.StatusSeeOther, "")
	uri, found := strings.CutPrefix(a.header.Get("Location"), "http://grafana.test/.djauthy/enter?code=")
	if !found {
		t.Fatalf("leads to %s", a.header.Get("Location"))
	}
	at := visitor{s.browser(t), "http://grafana.test"}
	at.asks(http.MethodGet, "/.djauthy/enter?code="+uri, nil).want(t, http.StatusForbidden, "")

	// whoever comes without is given something there first, and led to that site alone
	for _, bind := range []string{"", "&bind=", "&bind=eA"} {
		b.get("/login/site?to=http://grafana.test/x"+bind).want(t, http.StatusSeeOther, "http://grafana.test/.djauthy/enter?to=http://grafana.test/x")
	}
	for to, want := range map[string]string{"http://grafana.test/x": "http://grafana.test/x", "http://wiki.test:8081/x": "http://grafana.test/", "http://evil.example/": "http://grafana.test/", "": "http://grafana.test/"} {
		a := at.asks(http.MethodGet, "/.djauthy/enter?to="+to, nil).want(t, http.StatusFound, "")
		if got := s.local(t, a.header.Get("Location")); !strings.HasPrefix(got, "/login/site?bind=") || !strings.HasSuffix(got, "&to="+want) {
			t.Errorf("to %q leads to %s", to, got)
		}
	}
}

func TestASiteAndItsRuleEachNeedALevelAndAGroup(t *testing.T) {
	t.Parallel()
	s := startSites(t, "DJAUTHY_SITE_1_LEVEL=once", "DJAUTHY_SITE_1_RULES_0_PATH=/ops/*", "DJAUTHY_SITE_1_RULES_0_GROUPS=ops", "DJAUTHY_SITE_1_RULES_1_PATH=/both", "DJAUTHY_SITE_1_RULES_1_LEVEL=strong")
	s.must(t, "levels", "set", "once", "--need", "email")
	s.must(t, "levels", "set", "strong", "--need", "email+totp")
	b, id := s.person(t)
	for _, name := range []string{"staff", "ops", "ops2", "op"} {
		s.must(t, "groups", "add", name)
	}
	at := visitor{s.browser(t), "http://wiki.test:8081"}
	at.enters(t, s, b, "/").want(t, http.StatusFound, at.origin+"/")
	answers := func(site, ops int) {
		t.Helper()
		at.asks(http.MethodGet, "/", nil).want(t, site, "")
		at.asks(http.MethodGet, "/ops/x", nil).want(t, ops, "")
	}
	answers(http.StatusForbidden, http.StatusForbidden)
	s.must(t, "groups", "join", "ops", id)
	answers(http.StatusForbidden, http.StatusForbidden)
	s.must(t, "groups", "join", "staff", id)
	answers(http.StatusOK, http.StatusOK)
	at.asks(http.MethodGet, "/both", map[string]string{"Sec-Fetch-Mode": "cors"}).want(t, http.StatusUnauthorized, "")
	s.must(t, "groups", "leave", "ops", id)
	s.must(t, "groups", "join", "ops2", id) // which are not it
	s.must(t, "groups", "join", "op", id)
	answers(http.StatusOK, http.StatusForbidden)
}
