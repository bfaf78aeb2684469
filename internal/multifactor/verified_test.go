package multifactor_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

func TestAPasskeyIsVerifiedOnlyWhenItSaysSo(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		a := h.passkey(ann, k)
		for _, verifies := range []bool{false, true, false} {
			k.Verifies = verifies
			for _, use := range []func() (multifactor.Used, multifactor.Verdict){
				func() (multifactor.Used, multifactor.Verdict) { return h.proves(ann, k) },
				func() (multifactor.Used, multifactor.Verdict) { return h.enters(k) },
			} {
				used, v := use()
				want(t, v, multifactor.Right)
				want(t, used.Verified, verifies)
				want(t, used.Authenticator.ID, a.ID)
				want(t, h.one(ann).CanVerify, true) // it could
			}
		}
	})
}

// Somebody gives their key a PIN after they have enrolled it.
func TestAPasskeyThatVerifiesLaterCanVerifyFromThenOn(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		k.Verifies = false
		h.passkey(ann, k)
		want(t, h.one(ann).CanVerify, false)
		used, v := h.proves(ann, k)
		want(t, v, multifactor.Right)
		want(t, used.Verified, false)
		want(t, h.one(ann).CanVerify, false)
		k.Verifies = true
		used, v = h.proves(ann, k)
		want(t, v, multifactor.Right)
		want(t, used.Verified, true)
		want(t, used.Authenticator.CanVerify, true)
		want(t, h.one(ann).CanVerify, true)
	})
}

func TestACounterThatFallsBackIsACopyAndRefused(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		a := h.passkey(ann, k)
		k.Counter = 9
		_, v := h.proves(ann, k)
		want(t, v, multifactor.Right)
		uses := []func() (multifactor.Used, multifactor.Verdict){
			func() (multifactor.Used, multifactor.Verdict) { return h.proves(ann, k) },
			func() (multifactor.Used, multifactor.Verdict) { return h.enters(k) },
		}
		first := h.clock.Now().Add(life)
		for _, last := range []uint32{9, 8, 0} { // the same again, one less, the first
			for _, use := range uses {
				h.clock.Advance(life)
				before := h.one(ann)
				k.Counter = last
				used, v := use()
				want(t, v, multifactor.Wrong)
				want(t, used.Copied, true)
				want(t, used.Authenticator.ID, a.ID)
				after := h.one(ann)
				want(t, after.Warned, first)
				want(t, after.Counter, 10)
				want(t, after.LastUsed, before.LastUsed)
			}
		}
		k.NoCounter = true
		used, v := h.proves(ann, k)
		want(t, v, multifactor.Wrong)
		want(t, used.Copied, true)

		k.NoCounter, k.Counter = false, 20 // nobody knows whose it is, so it may count as far as it likes
		for _, use := range uses {
			used, v = use()
			want(t, v, multifactor.Wrong)
			want(t, used.Copied, true)
		}
		want(t, h.one(ann).Warned, first)
		want(t, h.one(ann).Counter, 10)
	})
}

func TestAPasskeyWithoutACounterAlwaysWorks(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		k.NoCounter = true
		h.passkey(ann, k)
		for range 3 {
			for _, use := range []func() (multifactor.Used, multifactor.Verdict){
				func() (multifactor.Used, multifactor.Verdict) { return h.proves(ann, k) },
				func() (multifactor.Used, multifactor.Verdict) { return h.enters(k) },
			} {
				h.clock.Advance(life)
				used, v := use()
				want(t, v, multifactor.Right)
				want(t, used.Copied, false)
				want(t, h.one(ann).Counter, 0)
				want(t, h.one(ann).LastUsed, h.clock.Now())
				want(t, h.one(ann).Warned.IsZero(), true)
			}
		}
	})
}
