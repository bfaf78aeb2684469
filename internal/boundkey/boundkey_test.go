package boundkey_test

import (
	"bytes"
	"errors"
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

func TestABrowserRegistersItsKeyAndProvesItAgain(t *testing.T) {
	for name, browser := range map[string]*boundkeytest.Browser{"ES256": boundkeytest.New(t), "RS256": boundkeytest.NewRSA(t)} {
		for _, browser.Audience = range []bool{false, true} {
			b := binder(t)
			key := bind(t, b, browser, "s1")
			last := never
			for i := range 3 {
				now := noon.Add(time.Duration(i) * time.Hour)
				proof := browser.Proof(site, b.Challenge("s1", last, now))
				made, err := b.Refresh(proof, site+refresh, "s1", key, last, now.Add(time.Second))
				if err != nil || !made.Equal(now) {
					t.Fatalf("%s, refresh %d: %v, %v", name, i, made, err)
				}
				last = made
			}
		}
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

func TestAChallengeServesOneSessionOnePurposeAndMinutes(t *testing.T) {
	b, browser := binder(t), boundkeytest.New(t)
	key := bind(t, b, browser, "s1")
	proof := browser.Proof(site, b.Challenge("s1", never, noon))
	for name, c := range map[string]struct {
		session string
		now     time.Time
		good    bool
	}{
		"at once":             {"s1", noon, true},
		"just in time":        {"s1", noon.Add(boundkey.ChallengeLife - time.Millisecond), true},
		"too late":            {"s1", noon.Add(boundkey.ChallengeLife), false},
		"a clock far behind":  {"s1", noon.Add(-boundkey.ChallengeLife), false},
		"for another session": {"s2", noon, false},
	} {
		_, err := b.Refresh(proof, site+refresh, c.session, key, never, c.now)
		if c.good != (err == nil) || err != nil && !errors.Is(err, boundkey.ErrChallenge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, proof := range map[string]string{
		"of a registration": browser.Sign(nil, map[string]any{"jti": challengeOf(b.Offer("s1", register, noon))}),
		"a cookie":          browser.Sign(nil, map[string]any{"jti": b.Cookie("s1", noon)}),
		"none":              browser.Sign(nil, map[string]any{}),
		"made up":           browser.Sign(nil, map[string]any{"jti": "mimkcg00.AAAA"}),
		"no number":         browser.Sign(nil, map[string]any{"jti": "-.-"}),
	} {
		if _, err := b.Refresh(proof, site+refresh, "s1", key, never, noon); !errors.Is(err, boundkey.ErrChallenge) {
			t.Errorf("a challenge that is %s: %v", name, err)
		}
	}
}

func TestAProofCountsOnce(t *testing.T) {
	b, browser := binder(t), boundkeytest.New(t)
	key := bind(t, b, browser, "s1")
	older := browser.Proof(site, b.Challenge("s1", never, noon.Add(-time.Second)))
	proof := browser.Proof(site, b.Challenge("s1", never, noon))
	last, err := b.Refresh(proof, site+refresh, "s1", key, never, noon)
	if err != nil {
		t.Fatal(err)
	}
	for name, again := range map[string]string{"the same": proof, "as Chromium repeats it": browser.Proof(site, ""), "an older one": older} {
		if _, err := b.Refresh(again, site+refresh, "s1", key, last, noon.Add(time.Second)); !errors.Is(err, boundkey.ErrChallenge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A process with a clock that is behind makes one that can be answered all the same.
	behind := noon.Add(-10 * time.Second)
	if _, err := b.Refresh(browser.Proof(site, b.Challenge("s1", last, behind)), site+refresh, "s1", key, last, behind); err != nil {
		t.Error(err)
	}
}

func TestNoSessionWaitsForAClockThatWasWrong(t *testing.T) {
	b, browser := binder(t), boundkeytest.New(t)
	key := bind(t, b, browser, "s1")
	last := noon.AddDate(1, 0, 0)
	made, err := b.Refresh(browser.Proof(site, b.Challenge("s1", last, noon)), site+refresh, "s1", key, last, noon)
	if err != nil || !made.Equal(noon) {
		t.Errorf("%v, %v", made, err)
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
