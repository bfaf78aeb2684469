package boundkey_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/boundkey"
	"github.com/djauthy/djauthy/internal/boundkey/boundkeytest"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
	site     = "https://auth.example.com"
	register = "/bound/register"
	refresh  = "/bound/refresh"
)

var (
	noon  = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	never time.Time
)

func binder(t testing.TB) *boundkey.Binder {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte("k"), seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return boundkey.New(keys.MAC("bound session"))
}

// bind registers the key of a browser at noon, for session.
func bind(t testing.TB, b *boundkey.Binder, browser *boundkeytest.Browser, session string) boundkey.Key {
	t.Helper()
	path, proof := browser.Register(site, b.Offer(session, register, noon))
	got, key, err := b.Register(proof, site+path, noon.Add(time.Second))
	if err != nil || got != session {
		t.Fatalf("registered for %q: %v", got, err)
	}
	browser.Accept(instructions(session).JSON())
	return stored(t, key)
}

// stored is the key as a database gives it back.
func stored(t testing.TB, key boundkey.Key) boundkey.Key {
	t.Helper()
	text, err := key.Bytes()
	if err == nil {
		key, err = boundkey.ParseKey(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func instructions(session string) boundkey.Instructions {
	return boundkey.Instructions{
		Session: session, Refresh: refresh, Except: []string{"/static"}, Initiators: []string{"*"},
		Cookie: "__Host-djauthy-bound", Attributes: "Path=/; Secure; HttpOnly; SameSite=Lax",
	}
}

func TestAProofWorksInQuotesAsTheDraftHasIt(t *testing.T) {
	b, browser := binder(t), boundkeytest.New(t)
	path, proof := browser.Register(site, b.Offer("s1", register, noon))
	for _, header := range []string{proof, `"` + proof + `"`, ` "` + proof + `"; a=1`} {
		if session, _, err := b.Register(header, site+path, noon); session != "s1" || err != nil {
			t.Errorf("%q for %q: %v", session, header, err)
		}
	}
}

func TestABrowserRegistersItsKey(t *testing.T) {
	for name, browser := range map[string]*boundkeytest.Browser{"ES256": boundkeytest.New(t), "RS256": boundkeytest.NewRSA(t)} {
		for _, browser.Audience = range []bool{false, true} {
			if b := binder(t); bind(t, b, browser, "s1") == (boundkey.Key{}) {
				t.Errorf("%s: no key", name)
			}
		}
	}
}

func TestACookieServesItsSessionForMinutes(t *testing.T) {
	b := binder(t)
	cookie := b.Cookie("s1", noon)
	for name, c := range map[string]struct {
		session, value string
		now            time.Time
		want           bool
	}{
		"at once":             {"s1", cookie, noon, true},
		"under way":           {"s1", cookie, noon.Add(boundkey.CookieLife + time.Second), true},
		"too late":            {"s1", cookie, noon.Add(boundkey.CookieLife + time.Minute), false},
		"from a wrong clock":  {"s1", b.Cookie("s1", noon.AddDate(1, 0, 0)), noon, false},
		"for another session": {"s2", cookie, noon, false},
		"changed":             {"s1", "0" + cookie, noon, false},
		"empty":               {"s1", "", noon, false},
	} {
		if got := b.Holds(c.session, c.value, c.now); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
