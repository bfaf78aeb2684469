package multifactor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
)

const life = 10 * time.Minute

func codes(t *testing.T, alphabet string, length int) *multifactor.Codes {
	t.Helper()
	keys, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	check(t, err)
	c, err := multifactor.NewCodes(keys, alphabet, length)
	check(t, err)
	return c
}

// attempt is an attempt with its codes.
type attempt struct {
	id    db.ID
	set   multifactor.Set
	clock *dbtest.Clock
}

var lastID db.ID

func newAttempt(clock *dbtest.Clock) *attempt {
	lastID++
	return &attempt{id: lastID, clock: clock}
}

// issue makes one more code of an attempt.
func issue(t *testing.T, c *multifactor.Codes, a *attempt, long bool) multifactor.Code {
	t.Helper()
	code, err := c.Issue(a.clock.Now(), a.id, &a.set, long, 0, life)
	check(t, err)
	return code
}

func match(t *testing.T, c *multifactor.Codes, a *attempt, text string, g accounts.Generation, short bool) multifactor.Verdict {
	t.Helper()
	v, err := c.Match(a.clock.Now(), a.id, a.set, text, g, short)
	check(t, err)
	return v
}

func check(t *testing.T, err error) {
	t.Helper()
	dbtest.Check(t, err)
}

func want[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("got %v, want %v", got, wanted)
	}
}
