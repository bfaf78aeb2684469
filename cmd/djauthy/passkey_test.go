package main

import (
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

var passkeyForm = regexp.MustCompile(`(?s)data-passkey="create" data-options="([^"]*)".*?name="kept" value="([^"]*)"`)

// addsPasskey makes a passkey and adds it to the account of the person of the browser.
func (b *browser) addsPasskey(t testing.TB) *passkeytest.Key {
	t.Helper()
	form := passkeyForm.FindStringSubmatch(b.get("/account/factors").want(t, http.StatusOK, "").body)
	if form == nil {
		t.Fatal("the page of factors offers to add no passkey")
	}
	key := passkeytest.New(t)
	response := key.Create(b.s.public.Scheme+"://"+b.s.public.Host, []byte(html.UnescapeString(form[1])))
	b.post("/account/factors/passkey", "kept", html.UnescapeString(form[2]), "response", string(response)).want(t, http.StatusSeeOther, "/account/factors?done=passkey")
	return key
}

// signsInBy signs in by a passkey.
func (b *browser) signsInBy(t testing.TB, key *passkeytest.Key) answer {
	t.Helper()
	b.get("/login")
	var begun struct {
		Options json.RawMessage
		Kept    string
	}
	script := map[string]string{"Sec-Fetch-Mode": "cors"}
	if err := json.Unmarshal([]byte(b.do(http.MethodGet, "/login/passkey", "", "", script).body), &begun); err != nil {
		t.Fatal(err)
	}
	response := key.Get(b.s.public.Scheme+"://"+b.s.public.Host, begun.Options)
	return b.post("/login/passkey", "kept", begun.Kept, "response", string(response))
}

// Who has stolen a passkey is out once it is removed, and not only kept from signing in again.
func TestRemovingAPasskeySignsOutWhoSignedInByIt(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		stolen, own := b.addsPasskey(t), b.addsPasskey(t)
		thief, byOwn, byCommand := s.browser(t), s.browser(t), s.browser(t)
		thief.signsInBy(t, stolen).want(t, http.StatusSeeOther, "/account")
		byOwn.signsInBy(t, own).want(t, http.StatusSeeOther, "/account")
		all := list(t, s.must(t, "factors", "list", id, "--json"))
		b.post("/account/factors/remove", "factor", digitsOf(all[0]["number"]), "sure", "1").want(t, http.StatusSeeOther, "/account/factors?done=removed")
		if thief.in() || !byOwn.in() || !b.in() {
			t.Errorf("signed in: the thief %v, the owner by another passkey %v, by mail %v", thief.in(), byOwn.in(), b.in())
		}
		thief.signsInBy(t, stolen).want(t, http.StatusUnprocessableEntity, "")

		byCommand.signsInBy(t, own).want(t, http.StatusSeeOther, "/account")
		byCommand.post("/account/factors/remove", "factor", digitsOf(all[1]["number"]), "sure", "1").want(t, http.StatusSeeOther, "/account/factors?done=removed")
		if byOwn.in() || !byCommand.in() {
			t.Errorf("signed in: by the passkey elsewhere %v, where it was removed %v", byOwn.in(), byCommand.in())
		}
	})
}

// Once a counter tells of a copy nobody knows who has which: whatever rests on the passkey ends.
func TestWhatRestsOnACopiedPasskeyEnds(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		s.must(t, "levels", "set", "strong", "--need", "email+passkey")
		b, _ := s.person(t)
		key := b.addsPasskey(t)
		b.get("/step-up?level=strong").want(t, http.StatusSeeOther, "/account")
		copied := *key
		x, thief := s.browser(t), s.browser(t)
		x.signsInBy(t, key).want(t, http.StatusSeeOther, "/account")
		thief.signsInBy(t, &copied).want(t, http.StatusUnprocessableEntity, "") // its counter is that of the other
		if x.in() || thief.in() || !b.in() {
			t.Errorf("signed in: by the passkey %v, by the copy %v, by mail %v", x.in(), thief.in(), b.in())
		}
		b.get("/step-up?level=strong").want(t, http.StatusOK, "") // the proof by it is gone
	})
}

// When the copy shows in a step-up, that session ends, too, if it rests on the passkey.
func TestACopyThatShowsInAStepUpEndsWhatRestsOnIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.must(t, "levels", "set", "strong", "--need", "passkey", "--valid", "passkey=1m")
	b, _ := s.person(t)
	key := b.addsPasskey(t)
	x, thief := s.browser(t), s.browser(t)
	x.signsInBy(t, key).want(t, http.StatusSeeOther, "/account")
	copied := *key
	thief.signsInBy(t, &copied).want(t, http.StatusSeeOther, "/account")
	s.clock.advance(2 * time.Minute)
	const strong = "/step-up?level=strong&next=%2Faccount"
	step := x.get(strong).want(t, http.StatusOK, "")
	options := html.UnescapeString(group(regexp.MustCompile(`data-passkey="get" data-options="([^"]*)"`), step.body))
	response := key.Get(s.public.Scheme+"://"+s.public.Host, []byte(options))
	fields := step.fields(t, "/step-up")
	fields[slices.Index(fields, "response")+1] = string(response)
	x.post("/step-up", fields...).want(t, http.StatusSeeOther, "")
	if x.in() || thief.in() || !b.in() {
		t.Errorf("signed in: where it showed %v, by the copy %v, by mail %v", x.in(), thief.in(), b.in())
	}
}
