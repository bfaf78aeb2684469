package multifactor_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
)

func TestMatchLooksAtEveryCodeOfTheAttempt(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		c := codes(t, "letters", 8)
		a, b := newID(t, d), newID(t, d)
		var texts []string
		for n := range 5 {
			texts = append(texts, issue(t, d, c, a, n, false).Text)
			for i, text := range texts {
				verdict := multifactor.Right
				if i <= n-multifactor.Slots {
					verdict = multifactor.Wrong
				}
				want(t, match(t, d, c, a, text, 0, true), verdict)
			}
		}
		want(t, count(t, d, `SELECT count(*) FROM codes`), multifactor.Slots)
		issue(t, d, c, b, 0, false)
		want(t, match(t, d, c, b, texts[4], 0, true), multifactor.Wrong)
		for _, text := range []string{"", "x", texts[4] + "x", texts[4][1:]} {
			want(t, match(t, d, c, a, text, 0, true), multifactor.Wrong)
		}
	})
}

func TestMatchTellsWhyACodeIsNotRight(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := codes(t, "letters", 8)
		made := clock.Now()
		a := newID(t, d)
		want(t, match(t, d, c, a, "x", 0, true), multifactor.Expired) // no code there at all
		short := issue(t, d, c, a, 0, false)
		want(t, short.Expires, made.Add(life))
		want(t, match(t, d, c, a, short.Text, 0, true), multifactor.Right)
		want(t, match(t, d, c, a, short.Text, 1, true), multifactor.Expired) // void: its account had a success
		want(t, match(t, d, c, a, "x", 1, true), multifactor.Wrong)          // which nobody else is told
		want(t, match(t, d, c, a, short.Text, 0, false), multifactor.Spent)
		want(t, match(t, d, c, a, "x", 0, false), multifactor.Spent)
		clock.Advance(time.Minute)
		long := issue(t, d, c, a, 1, true)
		want(t, match(t, d, c, a, long.Text, 0, false), multifactor.Right)
		want(t, match(t, d, c, a, short.Text, 0, false), multifactor.Wrong)
		want(t, match(t, d, c, a, short.Text, 0, true), multifactor.Right)
		clock.Advance(life - time.Minute)
		want(t, match(t, d, c, a, short.Text, 0, true), multifactor.Expired)
		want(t, match(t, d, c, a, "x", 0, true), multifactor.Wrong)
		want(t, match(t, d, c, a, long.Text, 0, true), multifactor.Right)
		clock.Advance(time.Minute)
		want(t, match(t, d, c, a, "x", 0, true), multifactor.Expired)
	})
}

func TestAnotherSecretKeyMakesNoCodeRight(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		keys, err := seal.New([]byte("another secret key of thirty-two bytes"))
		check(t, err)
		other, err := multifactor.NewCodes(keys, "letters", 8, life)
		check(t, err)
		a := newID(t, d)
		code := issue(t, d, codes(t, "letters", 8), a, 0, false)
		want(t, match(t, d, other, a, code.Text, 0, true), multifactor.Wrong)
	})
}

func TestACodeIsOpenedByItsLinkOnly(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := codes(t, "digits", 6)
		a := newID(t, d)
		made := clock.Now()
		first, second := issue(t, d, c, a, 0, false), issue(t, d, c, a, 1, true)
		byLink := func(link seal.Token, g accounts.Generation) (o multifactor.Opened, ok bool) {
			t.Helper()
			check(t, d.View(t.Context(), func(tx *db.Tx) (err error) {
				o, ok, err = c.ByLink(tx, link, g)
				return err
			}))
			return o, ok
		}
		for _, code := range []multifactor.Code{first, second} {
			o, ok := byLink(code.Link, 0)
			want(t, ok, true)
			want(t, o, multifactor.Opened{Text: code.Text, Created: made, Open: true})
			o, _ = byLink(code.Link, 1)
			want(t, o.Open, false)
		}
		for _, guess := range []seal.Token{{}, seal.NewToken(int64(a)), {ID: int64(a) + 1, Secret: first.Link.Secret}} {
			o, ok := byLink(guess, 0)
			want(t, ok, false)
			want(t, o, multifactor.Opened{})
		}
		clock.Advance(life)
		o, ok := byLink(first.Link, 0)
		want(t, ok, true)
		want(t, o.Open, false)
	})
}

func TestSameKnowsACodeThatIsOver(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := codes(t, "letters", 8)
		a := newID(t, d)
		code := issue(t, d, c, a, 0, false)
		clock.Advance(2 * life)
		for text, same := range map[string]bool{code.Text: true, "x": false, "": false} {
			check(t, d.View(t.Context(), func(tx *db.Tx) error {
				got, err := c.Same(tx, a, text)
				want(t, got, same)
				return err
			}))
		}
	})
}
