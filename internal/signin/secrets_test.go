package signin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/signin/signintest"
)

func TestNoSecretStandsInTheDatabase(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		h := signintest.Furnish(t, d, c)
		b := h.Browser("192.0.2.1")
		b.Asks(t, signin.Request{ID: addr(t, "ann@example.org"), Next: "/notes"})
		first := h.MakesFirst(t)
		queued := h.Dump(t) // the outbox does not run yet
		h.Deliver(t)
		m := h.Mail(t)
		e := b.Types(t, m.Code)
		want(t, e.Verdict, signin.Accepted)
		h.Clock.Advance(time.Second)
		_, u := h.Account(t, addr(t, "ann@example.org"))
		recovery := recovery(t, h, u.ID)

		secrets := map[string]string{
			"code": m.Code, "code hashed without a key": sum(m.Code), "the secret key": strings.Repeat("k", seal.KeySize),
			"browser cookie": e.Browser, "message text": "with this code", "message link": "/login/link/",
		}
		for name, token := range map[string]seal.Token{
			"mailed link": m.Link, "not me": m.NotMe, "session": e.Session, "attempt": b.By.Attempt, "users link": recovery, "first administrator": parse(t, first),
		} {
			_, secret, _ := strings.Cut(token.String(), ".")
			secrets[name], secrets[name+" raw"], secrets[name+" in hex"] = secret, string(token.Secret[:]), hex.EncodeToString(token.Secret[:])
			secrets[name+" in base64"] = base64.StdEncoding.EncodeToString(token.Secret[:])
		}
		for when, dump := range map[string]map[string][]string{"queued": queued, "signed in": h.Dump(t)} {
			for table, rows := range dump {
				for _, row := range rows {
					for name, secret := range secrets {
						if name == "code" && inNumbers(row, secret) {
							continue
						}
						if strings.Contains(row, secret) {
							t.Errorf("%s: %s stands in %s", when, name, table)
						}
					}
				}
			}
			// The one address in clear is that of the attempt and of the account.
			if text := strings.Join(dump["outbox"], "\n"); strings.Contains(text, "ann@") {
				t.Errorf("%s: the outbox tells the address", when)
			}
		}
	})
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// inNumbers reports whether a six-digit code is found in a row only as part of
// a longer number or hash, by chance.
func inNumbers(row, code string) bool {
	for rest := row; ; {
		at := strings.Index(rest, code)
		if at < 0 {
			return true
		}
		before, after := rest[:at], rest[at+len(code):]
		if !(before != "" && hexDigit(before[len(before)-1])) && !(after != "" && hexDigit(after[0])) {
			return false
		}
		rest = rest[at+1:]
	}
}

func hexDigit(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

func parse(t *testing.T, text string) seal.Token {
	t.Helper()
	token, ok := seal.ParseToken(text)
	want(t, ok, true)
	return token
}
