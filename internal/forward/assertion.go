package forward

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/signkeys"
)

// identity is who a visitor of a site is.
type identity struct {
	session db.ID

	Subject, User, Email, Name string
	Groups                     []string
}

// assertions signs who visitors are, for apps that believe no bare header. Signing costs more
// than all else, so one is given again for half its life.
type assertions struct {
	keys   *signkeys.Ring
	issuer string

	mu   sync.Mutex
	made map[string]assertion
}

type assertion struct {
	text string
	at   time.Time
}

const (
	assertionLife = 60 * time.Second
	// maxAssertions bounds those that are kept in memory.
	maxAssertions = 10_000
)

func newAssertions(keys *signkeys.Ring, issuer string) *assertions {
	return &assertions{keys: keys, issuer: issuer, made: map[string]assertion{}}
}

// claims are those of the header (RFC 7519 4.1; OIDC Core 5.1).
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Issued   int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	Username string   `json:"preferred_username"`
	Email    string   `json:"email"`
	Groups   []string `json:"groups"`
}

// sign returns the signed header for a site, good for at least half of assertionLife.
func (a *assertions) sign(ctx context.Context, origin string, id identity, now time.Time) (string, error) {
	key := strings.Join(append([]string{origin, strconv.FormatInt(int64(id.session), 10), id.Subject, id.User, id.Email}, id.Groups...), "\x00")
	a.mu.Lock()
	known, ok := a.made[key]
	a.mu.Unlock()
	if age := now.Sub(known.at); ok && age >= 0 && age < assertionLife/2 {
		return known.text, nil
	}
	text, err := a.keys.Sign(ctx, "JWT", claims{
		Issuer: a.issuer, Subject: id.Subject, Audience: origin, Issued: now.Unix(), Expires: now.Add(assertionLife).Unix(),
		Username: id.User, Email: id.Email, Groups: id.Groups,
	})
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	if len(a.made) >= maxAssertions {
		clear(a.made)
	}
	a.made[key] = assertion{text, now}
	a.mu.Unlock()
	return text, nil
}
