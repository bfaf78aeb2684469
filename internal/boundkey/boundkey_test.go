package boundkey_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/boundkey"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
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

func instructions(session string) boundkey.Instructions {
	return boundkey.Instructions{
		Session: session, Refresh: refresh, Except: []string{"/static"}, Initiators: []string{"*"},
		Cookie: "__Host-djauthy-bound", Attributes: "Path=/; Secure; HttpOnly; SameSite=Lax",
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
