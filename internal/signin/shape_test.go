package signin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/signin"
)

// misshapen are texts that no code of six digits can be.
var misshapen = []string{
	"", "12345", "1234567", "abcdef", "12345O", "abcdefghjk", "*", strings.Repeat("7", 100_000), "\x00", "' OR 1=1 --", "123456 or 654321",
}

func TestWhatCannotBeTheCodeByItsShapeCostsNoTry(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		_, u := h.Account(t, ann)
		before := h.Dump(t)
		for _, code := range misshapen {
			e := b.Types(t, code)
			want(t, e.Verdict, signin.Misshapen)
			want(t, e.Shape, multifactor.Shape{Digits: true, Length: 6})
		}
		after := h.Dump(t)
		for table := range before {
			want(t, strings.Join(after[table], "\n"), strings.Join(before[table], "\n"))
		}
		want(t, len(h.Events(t, u.ID)), 1) // that the code was sent
		for left := 4; left >= 0; left-- {
			want(t, b.Types(t, wrong(m.Code)).TriesLeft, left)
		}
		want(t, b.Types(t, "12345").Verdict, signin.Exhausted)
	})
}

func TestOfAKnownAndAnUnknownIDTheShapeIsToldAlike(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Signin.Settings.OpenSignup = false
		b := h.Browser("192.0.2.1")
		b.Asks(t, signin.Request{ID: addr(t, "nobody@example.org")})
		e := b.Types(t, "12345")
		want(t, e.Verdict, signin.Misshapen)
		want(t, e.Shape.Length, 6)
		want(t, b.Types(t, "123456").TriesLeft, 4)
	})
}

func TestALongCodesShapeIsTenLetters(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		burn(t, h, ann, 20)
		b := h.Browser("192.0.2.1")
		long := b.Gets(t, ann)
		for _, code := range []string{"123456", long.Code[1:], long.Code + "a", "wrongwrong"} {
			e := b.Types(t, code)
			want(t, e.Verdict, signin.Misshapen)
			want(t, e.Shape, multifactor.Shape{Length: 10})
		}
		want(t, h.Count(t, `SELECT max(tries) FROM attempts WHERE has_short = 0`), 0)
		want(t, b.Types(t, "Code: "+strings.ToUpper(long.Code[:5])+" "+long.Code[5:]+".").Verdict, signin.Accepted)
	})
}

// An attempt that has ended says so, whatever is typed.
func TestAnAttemptThatIsOverIsSoForAnyShape(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		used, stopped, expired := h.Browser("192.0.2.1"), h.Browser("192.0.2.2"), h.Browser("192.0.2.3")
		m, disowned := used.Gets(t, ann), stopped.Gets(t, addr(t, "bob@example.org"))
		expired.Gets(t, addr(t, "eve@example.org"))
		want(t, used.Types(t, m.Code).Verdict, signin.Accepted)
		want(t, used.Types(t, "12345").Verdict, signin.Used)
		want(t, used.Types(t, "Code: "+m.Code).Verdict, signin.Again)
		_, err := h.Signin.NotMe(t.Context(), disowned.NotMe, true, stopped.By)
		check(t, err)
		want(t, stopped.Types(t, "12345").Verdict, signin.Stopped)
		h.Clock.Advance(10 * time.Minute)
		want(t, expired.Types(t, "12345").Verdict, signin.Expired)
		want(t, h.Browser("192.0.2.4").Types(t, "12345").Verdict, signin.Gone)
	})
}

func TestAPastedLineGivesItsCode(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for i, around := range []string{"Code: %s.", "@login.example.org #%s", "Ihr Code lautet %s", "%s"} {
			b := h.Browser("192.0.2.1")
			m := b.Gets(t, addr(t, string(rune('a'+i))+"@example.org"))
			want(t, b.Types(t, strings.Replace(around, "%s", m.Code, 1)).Verdict, signin.Accepted)
		}
	})
}
