package multifactor_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
)

func TestMatchLooksAtEveryCodeOfTheAttempt(t *testing.T) {
	clock := dbtest.NewClock()
	c := codes(t, "letters", 8)
	a, b := newAttempt(clock), newAttempt(clock)
	var texts []string
	for n := range 5 {
		texts = append(texts, issue(t, c, a, false).Text)
		for i, text := range texts {
			verdict := multifactor.Right
			if i <= n-multifactor.Slots {
				verdict = multifactor.Wrong
			}
			want(t, match(t, c, a, text, 0, true), verdict)
		}
	}
	issue(t, c, b, false)
	want(t, match(t, c, b, texts[4], 0, true), multifactor.Wrong)
	for _, text := range []string{"", "x", texts[4] + "x", texts[4][1:]} {
		want(t, match(t, c, a, text, 0, true), multifactor.Wrong)
	}
}

func TestMatchTellsWhyACodeIsNotRight(t *testing.T) {
	clock := dbtest.NewClock()
	c := codes(t, "letters", 8)
	made := clock.Now()
	a := newAttempt(clock)
	want(t, match(t, c, a, "x", 0, true), multifactor.Expired) // no code there at all
	short := issue(t, c, a, false)
	want(t, short.Expires, made.Add(life))
	want(t, match(t, c, a, short.Text, 0, true), multifactor.Right)
	want(t, match(t, c, a, short.Text, 1, true), multifactor.Expired) // void: its account had a success
	want(t, match(t, c, a, "x", 1, true), multifactor.Wrong)          // which nobody else learns
	want(t, match(t, c, a, short.Text, 0, false), multifactor.Spent)
	want(t, match(t, c, a, "x", 0, false), multifactor.Spent)
	clock.Advance(time.Minute)
	long := issue(t, c, a, true)
	want(t, match(t, c, a, long.Text, 0, false), multifactor.Right)
	want(t, match(t, c, a, short.Text, 0, false), multifactor.Wrong)
	want(t, match(t, c, a, short.Text, 0, true), multifactor.Right)
	clock.Advance(life - time.Minute)
	want(t, match(t, c, a, short.Text, 0, true), multifactor.Expired)
	want(t, match(t, c, a, "x", 0, true), multifactor.Wrong)
	want(t, match(t, c, a, long.Text, 0, true), multifactor.Right)
	clock.Advance(time.Minute)
	want(t, match(t, c, a, "x", 0, true), multifactor.Expired)
}

func TestAnotherSecretKeyMakesNoCodeRight(t *testing.T) {
	clock := dbtest.NewClock()
	keys, err := seal.New([]byte("another secret key of thirty-two bytes"))
	check(t, err)
	other, err := multifactor.NewCodes(keys, "letters", 8)
	check(t, err)
	a := newAttempt(clock)
	code := issue(t, codes(t, "letters", 8), a, false)
	want(t, match(t, other, a, code.Text, 0, true), multifactor.Wrong)
}

func TestACodeIsOpenedByItsLinkOnly(t *testing.T) {
	clock := dbtest.NewClock()
	c := codes(t, "digits", 6)
	a := newAttempt(clock)
	made := clock.Now()
	first, second := issue(t, c, a, false), issue(t, c, a, true)
	byLink := func(link seal.Token, g accounts.Generation) (o multifactor.Opened, ok bool) {
		t.Helper()
		o, ok, err := c.ByLink(clock.Now(), a.id, a.set, link, g)
		check(t, err)
		return o, ok
	}
	for _, code := range []multifactor.Code{first, second} {
		o, ok := byLink(code.Link, 0)
		want(t, ok, true)
		want(t, o, multifactor.Opened{Text: code.Text, Created: made, Open: true})
		o, _ = byLink(code.Link, 1)
		want(t, o.Open, false)
	}
	for _, guess := range []seal.Token{{}, seal.NewToken(int64(a.id)), {ID: int64(a.id) + 1, Secret: first.Link.Secret}} {
		o, ok := byLink(guess, 0)
		want(t, ok, false)
		want(t, o, multifactor.Opened{})
	}
	clock.Advance(life)
	o, ok := byLink(first.Link, 0)
	want(t, ok, true)
	want(t, o.Open, false)
}

func TestSameKnowsACodeThatIsOver(t *testing.T) {
	clock := dbtest.NewClock()
	c := codes(t, "letters", 8)
	a := newAttempt(clock)
	code := issue(t, c, a, false)
	clock.Advance(2 * life)
	for text, same := range map[string]bool{code.Text: true, "x": false, "": false} {
		got, err := c.Same(a.id, a.set, text)
		check(t, err)
		want(t, got, same)
	}
}
