package multifactor_test

import (
	"bytes"
	"fmt"
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
