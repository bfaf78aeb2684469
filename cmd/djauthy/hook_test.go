package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
)

// smsGateway receives what a hook posts, as JSON of all values, unless it is broken.
func smsGateway(t *testing.T, broken *atomic.Bool) (address string, arrived chan map[string]string) {
	t.Helper()
	arrived = make(chan map[string]string, 100)
	g := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			panic(http.ErrAbortHandler)
		}
		var message map[string]string
		if r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&message) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		arrived <- message
		_, _ = io.WriteString(w, "queued for "+message["to"])
	}))
	t.Cleanup(g.Close)
	return g.URL + "/hidden-token/send", arrived
}

// Strangers with many networks cannot make a gateway send for more money than was set.
func TestAHookHasALimitOverAllNetworks(t *testing.T) {
	t.Parallel()
	address, arrived := smsGateway(t, new(atomic.Bool))
	s := start(t, "DJAUTHY_HOOK_0_NAME=sms", "DJAUTHY_HOOK_0_URL="+address, "DJAUTHY_HOOK_0_LIMIT=3/24h")
	owner := s.browser(t)
	owner.post("/login", "id", "sms:+41790000000").want(t, http.StatusSeeOther, "/login/code")
	owner.submit(deliverytest.Next(t, arrived)["code"]).want(t, http.StatusSeeOther, "/account")
	for n := range 6 { // each browser is at a network of its own
		a := s.browser(t).post("/login", "id", fmt.Sprintf("sms:+4179111111%d", n))
		if want := map[bool]int{true: http.StatusSeeOther, false: http.StatusTooManyRequests}[n < 3]; a.status != want {
			t.Errorf("message %d: %d, want %d", n, a.status, want)
		}
	}
	owner.post("/logout")
	owner.post("/login", "id", "sms:+41790000000").want(t, http.StatusSeeOther, "/login/code") // a known browser
	s.browser(t).post("/login", "id", anID()).want(t, http.StatusSeeOther, "/login/code")      // another channel
}

func TestACodeByHookSignsIn(t *testing.T) {
	t.Parallel()
	address, arrived := smsGateway(t, new(atomic.Bool))
	s := start(t, "DJAUTHY_HOOK_0_NAME=sms", "DJAUTHY_HOOK_0_URL="+address, `DJAUTHY_HOOK_0_IDS=\+[0-9 ]+`, "DJAUTHY_EXPIRY_TIME_SMS=3m", "DJAUTHY_BRAND_NAME=Example")
	for _, typed := range []string{"sms:+41 79 123 45 67", "+41791234567"} {
		b := s.browser(t)
		b.post("/login", "id", typed).want(t, http.StatusSeeOther, "/login/code")
		m := deliverytest.Next(t, arrived)
		if m["to"] != "+41791234567" || m["site"] != "Example" || m["minutes"] != "3" || !strings.Contains(m["text"], m["code"]) {
			t.Errorf("%q", m)
		}
		b.submit(m["code"]).want(t, http.StatusSeeOther, "/account")
		if page := b.get("/account").body; !strings.Contains(page, "+41791234567") || !strings.Contains(page, ">sms<") {
			t.Errorf("the account page does not show the number:\n%s", seen(page))
		}
	}
	if out := s.must(t, "users", "list", "--json"); strings.Count(out, `"username"`) != 1 {
		t.Errorf("two spellings of a number are two people:\n%s", out)
	}
	// What an operator sees holds neither the number nor the address of the hook.
	out := s.must(t, "messages", "list", "--json") + s.out.String()
	if strings.Contains(out, "1791234567") || strings.Contains(out, "hidden-token") || !strings.Contains(out, "+***7") {
		t.Errorf("messages lists\n%s", out)
	}
}

func TestCheckTriesEveryHookAndSendsByIt(t *testing.T) {
	t.Parallel()
	address, arrived := smsGateway(t, new(atomic.Bool))
	s := start(t, "DJAUTHY_HOOK_0_NAME=sms", "DJAUTHY_HOOK_0_URL="+address)
	out := s.must(t, "check", "--send", "sms:+41791234567")
	if m := deliverytest.Next(t, arrived); m["to"] != "+41791234567" || !strings.Contains(out, "the server said: 200 queued") || strings.Contains(out, "hidden-token") {
		t.Errorf("%q arrived, check prints\n%s", m, out)
	}
	environ := append(s.environ, "DJAUTHY_HOOK_0_URL=http://127.0.0.1:1/hidden-token")
	out, _, code := (&site{environ: environ}).command("check", "--send", "sms:+41791234567")
	if code != exitFailed || !strings.Contains(out, "not sent: see sms") || !strings.Contains(out, "cannot be reached") || strings.Contains(out, "hidden-token") {
		t.Errorf("check prints, with exit %d,\n%s", code, out)
	}
}

func TestAClosedChannelIsToldToEveryIdAlike(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	address, arrived := smsGateway(t, &broken)
	s := start(t, "DJAUTHY_HOOK_0_NAME=sms", "DJAUTHY_HOOK_0_URL="+address)
	s.house.outbox.ProbeEvery = time.Millisecond
	known := s.browser(t)
	known.post("/login", "id", "sms:+41790000001").want(t, http.StatusSeeOther, "/login/code")
	known.submit(deliverytest.Next(t, arrived)["code"]).want(t, http.StatusSeeOther, "/account")

	broken.Store(true)
	b := s.browser(t)
	b.post("/login", "id", "sms:+41790000002").want(t, http.StatusSeeOther, "/login/code") // who finds out
	deliverytest.Until(t, "nobody finds out", func() bool { return s.house.outbox.Down("sms") })
	s.clock.advance(30 * time.Second)
	deliverytest.Until(t, "the channel stays open", func() bool { return s.house.outbox.Closed("sms") })
	users := s.must(t, "users", "list", "--json")
	for _, id := range []string{"sms:+41790000001", "sms:+41790000002", "sms:+41790000003"} {
		page := s.browser(t).post("/login", "id", id).want(t, http.StatusServiceUnavailable, "").body
		if !strings.Contains(page, "send codes by sms at the moment") || !strings.Contains(page, strings.TrimPrefix(id, "sms:+")) {
			t.Errorf("%s: the page says\n%s", id, seen(page))
		}
	}
	b.post("/login/resend").want(t, http.StatusServiceUnavailable, "")
	if now := s.must(t, "users", "list", "--json"); now != users {
		t.Errorf("an ask that was refused left something behind:\n%s\n%s", users, now)
	}
	s.browser(t).ask(anID()) // another channel is not touched

	broken.Store(false)
	deliverytest.Until(t, "the channel stays closed", func() bool { return !s.house.outbox.Closed("sms") })
	s.browser(t).post("/login", "id", "sms:+41790000003").want(t, http.StatusSeeOther, "/login/code")
}

func TestInManualModeTheHookIsChosen(t *testing.T) {
	t.Parallel()
	address, arrived := smsGateway(t, new(atomic.Bool))
	s := start(t, "DJAUTHY_MODE=manual", "DJAUTHY_HOOK_0_NAME=sms", "DJAUTHY_HOOK_0_URL="+address)
	b := s.browser(t)
	page := b.get("/login").want(t, http.StatusOK, "").body
	for _, part := range []string{`value="email"`, `value="sms"`, "Type an address (Email, sms)", "> sms</label>"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %s:\n%s", part, seen(page))
		}
	}
	if strings.Contains(page, `inputmode="email"`) {
		t.Error("a telephone shows the keyboard for mail")
	}
	b.post("/login", "id", "0791234567", "implementation", "sms").want(t, http.StatusSeeOther, "/login/code")
	if to := deliverytest.Next(t, arrived)["to"]; to != "0791234567" {
		t.Errorf("it goes to %q", to)
	}
	b.post("/login", "id", "0791234567", "implementation", "fax").want(t, http.StatusUnprocessableEntity, "")
	b.post("/login", "id", "ann@people.example").want(t, http.StatusUnprocessableEntity, "")
}
