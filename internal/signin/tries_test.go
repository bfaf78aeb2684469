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
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		for left := 4; left >= 0; left-- {
			e := b.Types(t, wrong(m.Code))
			want(t, e.Verdict, signin.Wrong)
			want(t, e.TriesLeft, left)
		}
		want(t, b.Types(t, wrong(m.Code)).Verdict, signin.Exhausted)
		want(t, b.Types(t, m.Code).Verdict, signin.Exhausted)
		want(t, b.Waiting(t).Verdict, signin.Exhausted)
		want(t, h.Count(t, `SELECT count(*) FROM sessions`), 0)
		_, u := h.Account(t, addr(t, "ann@example.org"))
		if all := h.Events(t, u.ID); len(all) < 6 || all[4] != audit.CodeWrong || all[5] != audit.CodeExhausted {
			t.Errorf("the owner's history tells %v", all)
		}
	})
}

// The id of an attempt is its time, and no secret.
func TestWhoHasNotTheAttemptsSecretSpendsNoTry(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		forged := b.At(h)
		forged.By.Attempt.Secret[0] ^= 1
		for range 10 {
			want(t, forged.Types(t, wrong(m.Code)).Verdict, signin.Gone)
		}
		e := b.Types(t, wrong(m.Code))
		want(t, e.Verdict, signin.Wrong)
		want(t, e.TriesLeft, 4)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}

func TestTheFifthTryMayBeRight(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		for range 4 {
			want(t, b.Types(t, wrong(m.Code)).Verdict, signin.Wrong)
		}
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}

func TestTriesCountOverAllCodesOfAnAttempt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		for range 4 {
			want(t, b.Types(t, wrong(m.Code)).Verdict, signin.Wrong)
		}
		again := b.GetsAgain(t)
		want(t, b.Types(t, wrong(m.Code, again.Code)).TriesLeft, 0)
		want(t, b.Types(t, again.Code).Verdict, signin.Exhausted)
	})
}

func TestAWrongTryStaysCountedOnceThoughItRanTwice(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		for _, code := range []string{wrong(m.Code), wrong(m.Code), "code: " + wrong(m.Code)} {
			before := h.Count(t, `SELECT tries FROM attempts`)
			want(t, b.Types(t, code).Verdict, signin.Wrong)
			want(t, h.Count(t, `SELECT tries FROM attempts`), before+1)
			want(t, h.Count(t, `SELECT tries_taken FROM attempts`), before+1)
		}
	})
}

func TestFortyTriesAtOnceAreCountedOneByOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		out, err := atOnce(h, 40, func(int) (signin.Entered, error) { return h.Signin.SubmitCode(t.Context(), wrong(m.Code), b.By) })
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
		want(t, b.Types(t, m.Code).Verdict, signin.Exhausted)
	})
}

// atOnce runs fn n times at the same time.
func atOnce(h *house, n int, fn func(i int) (signin.Entered, error)) ([]signin.Entered, error) {
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
func burn(t *testing.T, h *house, id accounts.ID, n int) {
	t.Helper()
	for i := range n / 5 {
		b := h.Browser(fmt.Sprintf("203.0.113.%d", i))
		m := b.Gets(t, id)
		if len(m.Code) != 6 {
			t.Fatalf("stranger %d got %q", i, m.Code)
		}
		for range 5 {
			want(t, b.Types(t, wrong(m.Code)).Verdict, signin.Wrong)
		}
	}
}

func TestTriesOfAnIDAreBoundedAcrossAttempts(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		early := h.Browser("192.0.2.1")
		short := early.Gets(t, ann)
		burn(t, h, ann, 20)

		// At the short code of an attempt that is open, even the right one is not looked at.
		want(t, early.Types(t, wrong(short.Code)).Verdict, signin.Spent)
		want(t, early.Types(t, short.Code).Verdict, signin.Spent)

		// An unknown browser gets a long code instead of a refusal.
		late := h.Browser("198.51.100.7")
		long := late.Gets(t, ann)
		if len(long.Code) != 10 || strings.Trim(long.Code, "abcdefghjkmnpqrstuvwxyz") != "" {
			t.Fatalf("the code is %q, want ten letters", long.Code)
		}
		w := late.Waiting(t)
		if !w.Long || w.Digits || w.Length != 10 {
			t.Errorf("the page asks for %+v", w)
		}
		want(t, late.Types(t, "wrxngwrxng").Verdict, signin.Wrong)
		want(t, late.Types(t, strings.ToUpper(long.Code[:5])+" "+long.Code[5:]).Verdict, signin.Accepted)
	})
}

func TestTheBoundOfOneIDIsNotThatOfAnother(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		burn(t, h, addr(t, "ann@example.org"), 20)
		want(t, len(h.Browser("192.0.2.1").Gets(t, addr(t, "bob@example.org")).Code), 6)
	})
}

func TestALongCodeByResendWorksInAnAttemptThatBeganWithAShortOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		short := b.Gets(t, ann)
		burn(t, h, ann, 20)
		long := b.GetsAgain(t)
		want(t, len(long.Code), 10)
		want(t, b.Types(t, short.Code).Verdict, signin.Misshapen) // a long code is open, so not Spent; but not in
		want(t, b.Types(t, long.Code).Verdict, signin.Accepted)
	})
}

func TestAShortCodeIsCountedAsLongAsItLives(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		first, second := b.Gets(t, ann), b.GetsAgain(t)
		burn(t, h, ann, 20)
		third, fourth := b.GetsAgain(t), b.GetsAgain(t)
		if len(first.Code) != 6 || len(second.Code) != 6 || len(third.Code) != 10 || len(fourth.Code) != 10 {
			t.Fatalf("codes are %q %q %q %q", first.Code, second.Code, third.Code, fourth.Code)
		}
		// The first is replaced, the second is not: it stays worth nothing while the id's tries are used up.
		want(t, b.Types(t, second.Code).Verdict, signin.Misshapen)
		want(t, b.Types(t, fourth.Code).Verdict, signin.Accepted)
	})
}

func TestThePageAsksForLettersOnceALongCodeWasSent(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		b.Gets(t, ann)
		burn(t, h, ann, 20)
		want(t, len(b.GetsAgain(t).Code), 10)
		if w := b.Waiting(t); w.Digits || w.Length != 10 {
			t.Errorf("the message holds ten letters; the page asks for digits=%v, length %d", w.Digits, w.Length)
		}
	})
}

func TestAKnownBrowserHasTriesOfItsOwn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		own := h.Browser("192.0.2.1")
		own.SignsIn(t, ann)
		h.Clock.Advance(time.Millisecond)
		burn(t, h, ann, 20)
		m := own.Gets(t, ann)
		want(t, len(m.Code), 6)
		want(t, own.Types(t, wrong(m.Code)).Verdict, signin.Wrong)
		want(t, own.Types(t, m.Code).Verdict, signin.Accepted)

		// What it knows of one id says nothing of another.
		bob := addr(t, "bob@example.org")
		burn(t, h, bob, 20)
		want(t, len(own.Gets(t, bob).Code), 10)
	})
}

func TestAKnownBrowsersTriesAreBoundedToo(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		stolen := h.Browser("192.0.2.1")
		stolen.SignsIn(t, ann)
		h.Clock.Advance(time.Millisecond)
		for range 4 {
			m := stolen.Gets(t, ann)
			want(t, len(m.Code), 6)
			for range 5 {
				want(t, stolen.Types(t, wrong(m.Code)).Verdict, signin.Wrong)
			}
		}
		want(t, len(stolen.Gets(t, ann).Code), 10)
	})
}

func TestASuccessGivesBackTheTriesOfItsOwnAttemptOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		for range 4 {
			b.Types(t, wrong(m.Code))
		}
		burn(t, h, ann, 10)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		// Of 20, the strangers' ten stay taken.
		h.Clock.Advance(time.Millisecond)
		burn(t, h, ann, 10)
		want(t, len(h.Browser("198.51.100.7").Gets(t, ann).Code), 10)
	})
}

func TestAnswersToAnAttemptThatIsOverTakeNothingFromTheID(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		h.Signin.Settings.TriesPerID = config.Rates{{N: 1, Per: time.Hour}}
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		want(t, b.Types(t, m.Code).Verdict, signin.Again)
		want(t, len(h.Browser("192.0.2.2").Gets(t, ann).Code), 6)
	})
}

func TestTriesThatTheIDHadNoRoomForAreNotGivenBack(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		h.Signin.Settings.TriesPerID = config.Rates{{N: 4, Per: time.Hour}}
		ann := addr(t, "ann@example.org")
		tries := func(b *browser, m mail, n int) {
			for range n {
				b.Types(t, wrong(m.Code))
			}
		}
		stranger, owner, next := h.Browser("192.0.2.1"), h.Browser("192.0.2.2"), h.Browser("192.0.2.3")
		tries(stranger, stranger.Gets(t, ann), 2)
		tries(owner, owner.Gets(t, ann), 4) // of which two find room
		want(t, owner.Types(t, owner.GetsAgain(t).Code).Verdict, signin.Accepted)
		m := next.Gets(t, ann)
		tries(next, m, 2)
		want(t, next.Types(t, m.Code).Verdict, signin.Spent)
	})
}
