package forward

import (
	"context"
	"slices"
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

// signsAs reports whether the signed header of another says the same.
func (id identity) signsAs(o identity) bool {
	return id.Subject == o.Subject && id.User == o.User && id.Email == o.Email && slices.Equal(id.Groups, o.Groups)
}

// assertions signs who visitors are, for apps that believe no bare header. Signing costs more
// than all else, so one is given again for half its life.
type assertions struct {
	keys   *signkeys.Ring
	issuer string

	mu   sync.Mutex
	made map[visitor]assertion
}

// visitor is a session at a site; without one it is everybody who is anonymous there.
type visitor struct {
	origin  string
	session db.ID
}

type assertion struct {
	text string
	at   time.Time
	says identity
}

const (
	assertionLife = 60 * time.Second
	// maxAssertions bounds those that are kept in memory.
	maxAssertions = 10_000
)

func newAssertions(keys *signkeys.Ring, issuer string) *assertions {
	return &assertions{keys: keys, issuer: issuer, made: map[visitor]assertion{}}
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
	by := visitor{origin, id.session}
	a.mu.Lock()
	known, ok := a.made[by]
	a.mu.Unlock()
	if age := now.Sub(known.at); ok && age >= 0 && age < assertionLife/2 && known.says.signsAs(id) {
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
	a.made[by] = assertion{text, now, id}
	a.mu.Unlock()
	return text, nil
}
