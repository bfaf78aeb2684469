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
		b := h.browser("192.0.2.1")
		m := b.gets(t, ann)
		_, u := h.account(t, ann)
		before := h.dump(t)
		for _, code := range misshapen {
			e := b.types(t, code)
			want(t, e.Verdict, signin.Misshapen)
			want(t, e.Shape, multifactor.Shape{Digits: true, Length: 6})
		}
		after := h.dump(t)
		for table := range before {
			want(t, strings.Join(after[table], "\n"), strings.Join(before[table], "\n"))
		}
		want(t, len(h.events(t, u.ID)), 1) // that the code was sent
		for left := 4; left >= 0; left-- {
			want(t, b.types(t, wrong(m.code)).TriesLeft, left)
		}
		want(t, b.types(t, "12345").Verdict, signin.Exhausted)
	})
}

func TestOfAKnownAndAnUnknownIDTheShapeIsToldAlike(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.OpenSignup = false
		b := h.browser("192.0.2.1")
		b.asks(t, signin.Request{ID: addr(t, "nobody@example.org")})
		e := b.types(t, "12345")
		want(t, e.Verdict, signin.Misshapen)
		want(t, e.Shape.Length, 6)
		want(t, b.types(t, "123456").TriesLeft, 4)
	})
}

func TestALongCodesShapeIsTenLetters(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		h.burn(t, ann, 20)
		b := h.browser("192.0.2.1")
		long := b.gets(t, ann)
		for _, code := range []string{"123456", long.code[1:], long.code + "a", "wrongwrong"} {
			e := b.types(t, code)
			want(t, e.Verdict, signin.Misshapen)
			want(t, e.Shape, multifactor.Shape{Length: 10})
		}
		want(t, h.count(t, `SELECT max(tries) FROM attempts WHERE has_short = 0`), 0)
		want(t, b.types(t, "Code: "+strings.ToUpper(long.code[:5])+" "+long.code[5:]+".").Verdict, signin.Accepted)
	})
}

// An attempt that has ended says so, whatever is typed.
func TestAnAttemptThatIsOverIsSoForAnyShape(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		used, stopped, expired := h.browser("192.0.2.1"), h.browser("192.0.2.2"), h.browser("192.0.2.3")
		m, disowned := used.gets(t, ann), stopped.gets(t, addr(t, "bob@example.org"))
		expired.gets(t, addr(t, "eve@example.org"))
		want(t, used.types(t, m.code).Verdict, signin.Accepted)
		want(t, used.types(t, "12345").Verdict, signin.Used)
		want(t, used.types(t, "Code: "+m.code).Verdict, signin.Again)
		_, err := h.s.NotMe(t.Context(), disowned.notMe, true, stopped.by)
		check(t, err)
		want(t, stopped.types(t, "12345").Verdict, signin.Stopped)
		h.clock.Advance(10 * time.Minute)
		want(t, expired.types(t, "12345").Verdict, signin.Expired)
		want(t, h.browser("192.0.2.4").types(t, "12345").Verdict, signin.Gone)
	})
}

func TestAPastedLineGivesItsCode(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for i, around := range []string{"Code: %s.", "@login.example.org #%s", "Ihr Code lautet %s", "%s"} {
			b := h.browser("192.0.2.1")
			m := b.gets(t, addr(t, string(rune('a'+i))+"@example.org"))
			want(t, b.types(t, strings.Replace(around, "%s", m.code, 1)).Verdict, signin.Accepted)
		}
	})
}
