package multifactor_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/totp"
)

const session, otherSession db.ID = 41, 42

// beginApp begins to set up an app in the session.
func (h *house) beginApp() (a multifactor.NewApp) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		a, err = h.BeginApp(tx, session, "ann@example.org")
		return err
	})
	return a
}

// enrollApp is the verdict on a code of an app that is being set up.
func (h *house) enrollApp(u accounts.User, by db.ID, kept []byte, code string) (a multifactor.Authenticator, v multifactor.Verdict) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		a, v, err = h.EnrollApp(tx, u.ID, by, kept, "Phone", code)
		return err
	})
	return a, v
}

// code is the code of an app, some steps from now.
func (h *house) code(a multifactor.NewApp, off int64) string {
	h.t.Helper()
	seed, err := totp.ParseSeed(a.Seed)
	dbtest.Check(h.t, err)
	return totp.Code(seed, totp.Step(h.clock.Now())+off)
}

// app enrolls an app, and lets its code's step pass.
func (h *house) app(u accounts.User) (multifactor.NewApp, multifactor.Authenticator) {
	h.t.Helper()
	begun := h.beginApp()
	a, v := h.enrollApp(u, session, begun.Kept, h.code(begun, 0))
	dbtest.Want(h.t, v, multifactor.Right)
	h.clock.Advance(5 * totp.Period)
	return begun, a
}

// other is a code of six digits that is none of the app's from two steps ago to in two.
func (h *house) other(a multifactor.NewApp) string {
	for i := range 10 {
		text, found := fmt.Sprintf("%06d", i), false
		for off := int64(-2); off <= 2; off++ {
			found = found || h.code(a, off) == text
		}
		if !found {
			return text
		}
	}
	panic("an app has five codes at most")
}

func TestAnAppIsEnrolledOnceByACodeThatIsUsedUpByThat(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		begun := h.beginApp()
		want(t, len(h.all(ann)), 0)
		_, v := h.enrollApp(ann, session, begun.Kept, h.other(begun))
		want(t, v, multifactor.Wrong)
		want(t, len(h.all(ann)), 0)

		a, v := h.enrollApp(ann, session, begun.Kept, h.code(begun, 0))
		want(t, v, multifactor.Right)
		stored := h.one(ann)
		want(t, stored.ID, a.ID)
		want(t, stored.Kind, multifactor.TOTP)
		want(t, stored.Name, "Phone")
		want(t, stored.LastUsed, h.clock.Now())
		want(t, stored.Added(), h.clock.Now())

		_, v = h.checked(ann, multifactor.TOTP, h.code(begun, 0))
		want(t, v, multifactor.Spent)
		_, v = h.enrollApp(ann, session, begun.Kept, h.code(begun, 1))
		want(t, v, multifactor.Spent)
		want(t, h.one(ann).ID, a.ID)
		_, v = h.checked(ann, multifactor.TOTP, h.code(begun, 1))
		want(t, v, multifactor.Right)
	})
}

func TestACodeOfAnAppMayBeOneStepOff(t *testing.T) {
	verdicts := map[int64]multifactor.Verdict{-2: multifactor.Wrong, -1: multifactor.Right, 0: multifactor.Right, 1: multifactor.Right, 2: multifactor.Wrong}
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		begun, _ := h.app(ann)
		for off := int64(-2); off <= 2; off++ {
			_, v := h.checked(ann, multifactor.TOTP, h.code(begun, off))
			want(t, v, verdicts[off])
			fresh := h.beginApp()
			_, v = h.enrollApp(ann, session, fresh.Kept, h.code(fresh, off))
			want(t, v, verdicts[off])
		}
		want(t, len(h.all(ann)), 4)
	})
}

func TestAStepOfAnAppCountsOnce(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		begun, a := h.app(ann)
		used, v := h.checked(ann, multifactor.TOTP, h.code(begun, 0))
		want(t, v, multifactor.Right)
		want(t, used.ID, a.ID)
		want(t, h.one(ann).LastUsed, h.clock.Now())
		want(t, h.one(ann).Counter, totp.Step(h.clock.Now()))
		for _, off := range []int64{0, -1} { // of which the earlier was never used
			_, v = h.checked(ann, multifactor.TOTP, h.code(begun, off))
			want(t, v, multifactor.Spent)
		}
		h.clock.Advance(totp.Period)
		_, v = h.checked(ann, multifactor.TOTP, h.code(begun, -1))
		want(t, v, multifactor.Spent)
		_, v = h.checked(ann, multifactor.TOTP, h.code(begun, 0))
		want(t, v, multifactor.Right)
	})
}

func TestAnAppIsSetUpInItsSessionWithinHalfAnHour(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		begun := h.beginApp()
		keys, err := seal.New([]byte(strings.Repeat("K", seal.KeySize)))
		check(t, err)
		foreign, err := multifactor.NewEnrolled(keys, site)
		check(t, err)
		changed := bytes.Clone(begun.Kept)
		changed[len(changed)/2] ^= 1
		for name, kept := range map[string][]byte{"nothing": nil, "another server": (&house{foreign, t, h.db, h.clock}).beginApp().Kept, "changed": changed} {
			if _, v := h.enrollApp(ann, session, kept, h.code(begun, 0)); v != multifactor.Expired {
				t.Errorf("%s: %v", name, v)
			}
		}
		_, v := h.enrollApp(ann, otherSession, begun.Kept, h.code(begun, 0))
		want(t, v, multifactor.Expired)
		h.do(func(tx *db.Tx) error {
			_, other := h.AgainApp(tx, otherSession, begun.Kept, "ann@example.org")
			again, ok := h.AgainApp(tx, session, begun.Kept, "ann@example.org")
			if other || !ok || again.Seed != begun.Seed || again.URL != begun.URL || !bytes.Equal(again.Kept, begun.Kept) {
				t.Errorf("shown again in another session: %v, in its own: %v, %v", other, ok, again)
			}
			return nil
		})
		late := h.beginApp()
		h.clock.Advance(30*time.Minute - time.Millisecond)
		_, v = h.enrollApp(ann, session, begun.Kept, h.code(begun, 0))
		want(t, v, multifactor.Right)
		h.clock.Advance(time.Millisecond)
		_, v = h.enrollApp(ann, session, late.Kept, h.code(late, 0))
		want(t, v, multifactor.Expired)
		h.do(func(tx *db.Tx) error {
			if _, ok := h.AgainApp(tx, session, late.Kept, "ann@example.org"); ok {
				t.Error("it is shown again after half an hour")
			}
			return nil
		})
		want(t, len(h.all(ann)), 1)
	})
}

func TestASeedInAnotherRowProvesNothing(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		begun, a := h.app(ann)
		_, b := h.app(bob)
		h.moveSeal(a, b)
		err := h.db.Update(t.Context(), func(tx *db.Tx) error {
			_, v, err := h.Check(tx, bob.ID, multifactor.TOTP, h.code(begun, 0))
			if v == multifactor.Right {
				t.Error("ann's app proves bob")
			}
			return err
		})
		if !errors.Is(err, seal.ErrOpen) {
			t.Errorf("a row that was changed: %v", err)
		}
		_, v := h.checked(ann, multifactor.TOTP, h.code(begun, 0))
		want(t, v, multifactor.Right)
	})
}

func TestACodeOfAnAppIsFoundInEveryTyping(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		begun, _ := h.app(ann)
		digits := func(zero rune) func(string) string {
			return func(text string) string {
				return strings.Map(func(r rune) rune {
					if r >= '0' && r <= '9' {
						r += zero - '0'
					}
					return r
				}, text)
			}
		}
		grouped := func(code string) string { return "\t" + code[:3] + "\u00a0" + code[3:] + "\r\n" }
		for _, typing := range []func(string) string{
			func(code string) string { return code },
			func(code string) string { return "  " + code[:3] + " " + code[3:] + " " },
			func(code string) string { return code[:3] + "-" + code[3:] },
			func(code string) string { return "Code: " + code + "." },
			digits('０'), digits('٠'), grouped,
			func(code string) string { return digits('０')(grouped(code)) },
		} {
			text := typing(h.code(begun, 0))
			if _, v := h.checked(ann, multifactor.TOTP, text); v != multifactor.Right {
				t.Errorf("%q: %v", text, v)
			}
			fresh := h.beginApp()
			text = typing(h.code(fresh, 0))
			a, v := h.enrollApp(ann, session, fresh.Kept, text)
			if v != multifactor.Right {
				t.Errorf("%q enrolls: %v", text, v)
			}
			h.remove(ann, a.ID)
			h.clock.Advance(totp.Period)
		}
		code := h.code(begun, 0)
		for _, text := range []string{"", " ", code[:5], code + "0", h.other(begun), h.other(begun) + " " + code, strings.Repeat(code+" ", 1000)} {
			if _, v := h.checked(ann, multifactor.TOTP, text); v != multifactor.Wrong {
				t.Errorf("%.40q: %v", text, v)
			}
		}
		_, v := h.checked(ann, multifactor.TOTP, code)
		want(t, v, multifactor.Right)
	})
}

func TestEachOfTwoAppsHasItsOwnCodes(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		first, a := h.app(ann)
		second, b := h.app(ann)
		bobs, _ := h.app(bob)
		for _, c := range []struct {
			begun multifactor.NewApp
			id    db.ID
		}{{second, b.ID}, {first, a.ID}} {
			used, v := h.checked(ann, multifactor.TOTP, h.code(c.begun, 0))
			want(t, v, multifactor.Right)
			want(t, used.ID, c.id)
		}
		for _, begun := range []multifactor.NewApp{first, second} {
			_, v := h.checked(ann, multifactor.TOTP, h.code(begun, 0))
			want(t, v, multifactor.Spent)
		}
		_, v := h.checked(ann, multifactor.TOTP, h.code(bobs, 0))
		want(t, v, multifactor.Wrong)
		h.remove(ann, a.ID)
		_, v = h.checked(ann, multifactor.TOTP, h.code(first, 1))
		want(t, v, multifactor.Wrong)
		_, v = h.checked(ann, multifactor.TOTP, h.code(second, 1))
		want(t, v, multifactor.Right)
		h.restore(ann, a.ID)
		_, v = h.checked(ann, multifactor.TOTP, h.code(first, 0)) // used before it was removed
		want(t, v, multifactor.Spent)
		_, v = h.checked(ann, multifactor.TOTP, h.code(first, 1))
		want(t, v, multifactor.Right)
	})
}

// oathtool is another authenticator app: it makes the code of a seed from a QR code's address.
func TestAnAppElsewhereReadsTheAddressAndItsCodeEnrolls(t *testing.T) {
	program, err := exec.LookPath("oathtool")
	if err != nil {
		t.Fatal("oathtool is missing; `make deps` installs it")
	}
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		begun := h.beginApp()
		u, err := url.Parse(begun.URL)
		check(t, err)
		q := u.Query()
		if u.Scheme != "otpauth" || u.Host != "totp" || q.Get("secret") != begun.Seed || len(begun.Seed) != 32 {
			t.Fatalf("%s for the seed %s", begun.URL, begun.Seed)
		}
		for _, off := range []time.Duration{0, 10 * time.Minute} {
			at := h.clock.Now().Add(off)
			out, err := exec.CommandContext(t.Context(), program, "--totp="+q.Get("algorithm"), "--base32", "--digits="+q.Get("digits"),
				"--time-step-size="+q.Get("period"), fmt.Sprintf("--now=@%d", at.Unix()), q.Get("secret")).Output()
			check(t, err)
			h.clock.Advance(off)
			if off == 0 {
				_, v := h.enrollApp(ann, session, begun.Kept, string(out))
				want(t, v, multifactor.Right)
			} else {
				_, v := h.checked(ann, multifactor.TOTP, string(out))
				want(t, v, multifactor.Right)
			}
		}
	})
}

// The names in the address are read by programs that know nothing of the server
// (github.com/google/google-authenticator/wiki/Key-Uri-Format).
func TestTheAddressOfAnAppSaysWhoseItIsWhateverTheNames(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		for name, shown := range map[string]string{
			"Example": "Example", "Müller & Söhne": "Müller & Söhne", "a+b=c?d#e/f": "a+b=c?d#e/f", "100%": "100%", "x&secret=AAAA&digits=8": "x&secret=AAAA&digits=8", "A: B": "A  B",
		} {
			s := site
			s.Name = name
			h := &house{enrolledAt(t, s), t, h.db, h.clock}
			begun := h.beginApp()
			u, err := url.Parse(begun.URL)
			check(t, err)
			q := u.Query()
			if u.Path != "/"+shown+":ann@example.org" || q.Get("issuer") != shown || strings.Contains(begun.URL, " ") || strings.Contains(u.RawQuery, "+") {
				t.Errorf("%s: %s", name, begun.URL)
			}
			if len(q) != 5 || len(q["secret"]) != 1 || q.Get("secret") != begun.Seed || q.Get("digits") != "6" || q.Get("period") != "30" || q.Get("algorithm") != "SHA1" {
				t.Errorf("%s: %s", name, begun.URL)
			}
		}
	})
}
