package signin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/signin"
)

func TestFiveWrongTriesEndAnAttempt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		for left := 4; left >= 0; left-- {
			e := b.types(t, wrong(m.code))
			want(t, e.Verdict, signin.Wrong)
			want(t, e.TriesLeft, left)
		}
		want(t, b.types(t, wrong(m.code)).Verdict, signin.Exhausted)
		want(t, b.types(t, m.code).Verdict, signin.Exhausted)
		want(t, b.waiting(t).Verdict, signin.Exhausted)
		want(t, h.count(t, `SELECT count(*) FROM sessions`), 0)
		_, u := h.account(t, addr(t, "ann@example.org"))
		if all := h.events(t, u.ID); len(all) < 6 || all[4] != audit.CodeWrong || all[5] != audit.CodeExhausted {
			t.Errorf("the owner's history tells %v", all)
		}
	})
}

// The id of an attempt is its time, and no secret.
func TestWhoHasNotTheAttemptsSecretSpendsNoTry(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		forged := b.at(h)
		forged.by.Attempt.Secret[0] ^= 1
		for range 10 {
			want(t, forged.types(t, wrong(m.code)).Verdict, signin.Gone)
		}
		e := b.types(t, wrong(m.code))
		want(t, e.Verdict, signin.Wrong)
		want(t, e.TriesLeft, 4)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}

func TestTheFifthTryMayBeRight(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		for range 4 {
			want(t, b.types(t, wrong(m.code)).Verdict, signin.Wrong)
		}
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}

func TestTriesCountOverAllCodesOfAnAttempt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		for range 4 {
			want(t, b.types(t, wrong(m.code)).Verdict, signin.Wrong)
		}
		again := b.getsAgain(t)
		want(t, b.types(t, wrong(m.code, again.code)).TriesLeft, 0)
		want(t, b.types(t, again.code).Verdict, signin.Exhausted)
	})
}

func TestAWrongTryStaysCountedOnceThoughItRanTwice(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		for _, code := range []string{wrong(m.code), wrong(m.code), "code: " + wrong(m.code)} {
			before := h.count(t, `SELECT tries FROM attempts`)
			want(t, b.types(t, code).Verdict, signin.Wrong)
			want(t, h.count(t, `SELECT tries FROM attempts`), before+1)
			want(t, h.count(t, `SELECT tries_taken FROM attempts`), before+1)
		}
	})
}

func TestFortyTriesAtOnceAreCountedOneByOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		out, err := h.atOnce(40, func(int) (signin.Entered, error) { return h.s.SubmitCode(t.Context(), wrong(m.code), b.by) })
		check(t, err)
		var left []int
		for _, e := range out {
			if e.Verdict == signin.Wrong {
				left = append(left, e.TriesLeft)
			} else {
				want(t, e.Verdict, signin.Exhausted)
			}
		}
		slices.Sort(left)
		if !slices.Equal(left, []int{0, 1, 2, 3, 4}) {
			t.Errorf("tries left were told as %v", left)
		}
		want(t, b.types(t, m.code).Verdict, signin.Exhausted)
	})
}

// atOnce runs fn n times at the same time.
func (h *house) atOnce(n int, fn func(i int) (signin.Entered, error)) ([]signin.Entered, error) {
	out, errs := make([]signin.Entered, n), make([]error, n)
	ready := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-ready
			out[i], errs[i] = fn(i)
		})
	}
	close(ready)
	wg.Wait()
	return out, errors.Join(errs...)
}

// burn makes strangers use up n tries at short codes of id, five in each of
// their attempts.
func (h *house) burn(t *testing.T, id accounts.ID, n int) {
	t.Helper()
	for i := range n / 5 {
		b := h.browser(fmt.Sprintf("203.0.113.%d", i))
		m := b.gets(t, id)
		if len(m.code) != 6 {
			t.Fatalf("stranger %d got %q", i, m.code)
		}
		for range 5 {
			want(t, b.types(t, wrong(m.code)).Verdict, signin.Wrong)
		}
	}
}

func TestTriesOfAnIDAreBoundedAcrossAttempts(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		early := h.browser("192.0.2.1")
		short := early.gets(t, ann)
		h.burn(t, ann, 20)

		// At the short code of an attempt that is open, even the right one is not looked at.
		want(t, early.types(t, wrong(short.code)).Verdict, signin.Spent)
		want(t, early.types(t, short.code).Verdict, signin.Spent)

		// An unknown browser gets a long code instead of a refusal.
		late := h.browser("198.51.100.7")
		long := late.gets(t, ann)
		if len(long.code) != 10 || strings.Trim(long.code, "abcdefghjkmnpqrstuvwxyz") != "" {
			t.Fatalf("the code is %q, want ten letters", long.code)
		}
		w := late.waiting(t)
		if !w.Long || w.Digits || w.Length != 10 {
			t.Errorf("the page asks for %+v", w)
		}
		want(t, late.types(t, "wrxngwrxng").Verdict, signin.Wrong)
		want(t, late.types(t, strings.ToUpper(long.code[:5])+" "+long.code[5:]).Verdict, signin.Accepted)
	})
}

func TestTheBoundOfOneIDIsNotThatOfAnother(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		h.burn(t, addr(t, "ann@example.org"), 20)
		want(t, len(h.browser("192.0.2.1").gets(t, addr(t, "bob@example.org")).code), 6)
	})
}

func TestALongCodeByResendWorksInAnAttemptThatBeganWithAShortOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		short := b.gets(t, ann)
		h.burn(t, ann, 20)
		long := b.getsAgain(t)
		want(t, len(long.code), 10)
		want(t, b.types(t, short.code).Verdict, signin.Misshapen) // a long code is open, so not Spent; but not in
		want(t, b.types(t, long.code).Verdict, signin.Accepted)
	})
}

func TestAShortCodeIsCountedAsLongAsItLives(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		first, second := b.gets(t, ann), b.getsAgain(t)
		h.burn(t, ann, 20)
		third, fourth := b.getsAgain(t), b.getsAgain(t)
		if len(first.code) != 6 || len(second.code) != 6 || len(third.code) != 10 || len(fourth.code) != 10 {
			t.Fatalf("codes are %q %q %q %q", first.code, second.code, third.code, fourth.code)
		}
		// The first is replaced, the second is not: it stays worth nothing while the id's tries are used up.
		want(t, b.types(t, second.code).Verdict, signin.Misshapen)
		want(t, b.types(t, fourth.code).Verdict, signin.Accepted)
	})
}

func TestThePageAsksForLettersOnceALongCodeWasSent(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		b.gets(t, ann)
		h.burn(t, ann, 20)
		want(t, len(b.getsAgain(t).code), 10)
		if w := b.waiting(t); w.Digits || w.Length != 10 {
			t.Errorf("the message holds ten letters; the page asks for digits=%v, length %d", w.Digits, w.Length)
		}
	})
}

func TestAKnownBrowserHasTriesOfItsOwn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		own := h.browser("192.0.2.1")
		own.signsIn(t, ann)
		h.clock.Advance(time.Millisecond)
		h.burn(t, ann, 20)
		m := own.gets(t, ann)
		want(t, len(m.code), 6)
		want(t, own.types(t, wrong(m.code)).Verdict, signin.Wrong)
		want(t, own.types(t, m.code).Verdict, signin.Accepted)

		// What it knows of one id says nothing of another.
		bob := addr(t, "bob@example.org")
		h.burn(t, bob, 20)
		want(t, len(own.gets(t, bob).code), 10)
	})
}

func TestAKnownBrowsersTriesAreBoundedToo(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		stolen := h.browser("192.0.2.1")
		stolen.signsIn(t, ann)
		h.clock.Advance(time.Millisecond)
		for range 4 {
			m := stolen.gets(t, ann)
			want(t, len(m.code), 6)
			for range 5 {
				want(t, stolen.types(t, wrong(m.code)).Verdict, signin.Wrong)
			}
		}
		want(t, len(stolen.gets(t, ann).code), 10)
	})
}

func TestASuccessGivesBackTheTriesOfItsOwnAttemptOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		m := b.gets(t, ann)
		for range 4 {
			b.types(t, wrong(m.code))
		}
		h.burn(t, ann, 10)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		// Of 20, the strangers' ten stay taken.
		h.clock.Advance(time.Millisecond)
		h.burn(t, ann, 10)
		want(t, len(h.browser("198.51.100.7").gets(t, ann).code), 10)
	})
}

func TestAnswersToAnAttemptThatIsOverTakeNothingFromTheID(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		h.s.Settings.TriesPerID = config.Rates{{N: 1, Per: time.Hour}}
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		m := b.gets(t, ann)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		want(t, b.types(t, m.code).Verdict, signin.Again)
		want(t, len(h.browser("192.0.2.2").gets(t, ann).code), 6)
	})
}

func TestTriesThatTheIDHadNoRoomForAreNotGivenBack(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		h.s.Settings.TriesPerID = config.Rates{{N: 4, Per: time.Hour}}
		ann := addr(t, "ann@example.org")
		tries := func(b *browser, m mail, n int) {
			for range n {
				b.types(t, wrong(m.code))
			}
		}
		stranger, owner, next := h.browser("192.0.2.1"), h.browser("192.0.2.2"), h.browser("192.0.2.3")
		tries(stranger, stranger.gets(t, ann), 2)
		tries(owner, owner.gets(t, ann), 4) // of which two find room
		want(t, owner.types(t, owner.getsAgain(t).code).Verdict, signin.Accepted)
		m := next.gets(t, ann)
		tries(next, m, 2)
		want(t, next.types(t, m.code).Verdict, signin.Spent)
	})
}
