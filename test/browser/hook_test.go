package browser_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A telephone number is typed as people write it; its hook gets it in one form.
func TestPeopleSignInByTelephone(t *testing.T) {
	arrived := make(chan map[string]string, 10)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m map[string]string
		if json.NewDecoder(r.Body).Decode(&m) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		arrived <- m
	}))
	t.Cleanup(gateway.Close)
	s := newPlace(t, "LIMITS_RESEND_EVERY=0", "HOOK_0_NAME=sms", "HOOK_0_URL="+gateway.URL, `HOOK_0_IDS=\+[0-9 ]+`)
	for n, typed := range []string{"+41 79 123 45 67", "sms:+41791234567"} {
		b := s.open()
		b.visit("/login")
		if n == 0 {
			b.arrive("login-hook")
		}
		b.fill("id", typed)
		b.leave(chromedp.KeyEvent(kb.Enter))
		b.at("/login/code", 200)
		if n == 0 {
			b.arrive("code-hook")
		}
		m := <-arrived
		if m["to"] != "+41791234567" {
			t.Errorf("it goes to %q", m["to"])
		}
		b.enter(m["code"])
		b.at("/account", 200)
		b.says("+41791234567")
	}
}
