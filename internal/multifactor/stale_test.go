package multifactor_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

func (h *house) sweepChallenges(age time.Duration) (n int64) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		n, err = multifactor.SweepChallenges(tx, tx.Now.Add(-age), 100)
		return err
	})
	return n
}

func TestACeremonyIsAnsweredOnce(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		k.NoCounter = true // which would tell by itself
		enroll := h.beginPasskey(ann)
		enrolling := k.Create(site.Origin, enroll.Options)
		_, v := h.enrollPasskey(anns, ann, enroll.Kept, enrolling, "")
		want(t, v, multifactor.Right)
		before := h.rows()
		for _, response := range [][]byte{enrolling, passkeytest.New(t).Create(site.Origin, enroll.Options)} {
			_, v = h.enrollPasskey(anns, ann, enroll.Kept, response, "")
			want(t, v, multifactor.Spent)
			want(t, h.rows(), before)
		}
		prove, enter := h.beginProof(ann), h.beginEntry()
		wrong := h.beginProof(ann)
		for _, c := range []struct {
			by multifactor.Asker
			multifactor.Ceremony
		}{{anns, prove}, {stranger, enter}} {
			response := k.Get(site.Origin, c.Options)
			used, v := h.use(c.by, c.Kept, response)
			want(t, v, multifactor.Right)
			want(t, used.Authenticator.User, ann.ID)
			before = h.rows()
			for _, response := range [][]byte{response, k.Get(site.Origin, c.Options)} {
				used, v = h.use(c.by, c.Kept, response)
				want(t, v, multifactor.Spent)
				want(t, saysAnything(used), false)
				want(t, h.rows(), before)
			}
		}
		k.Forge = passkeytest.Stranger(t) // who may guess once
		_, v = h.use(anns, wrong.Kept, k.Get(site.Origin, wrong.Options))
		want(t, v, multifactor.Wrong)
		k.Forge = nil
		_, v = h.use(anns, wrong.Kept, k.Get(site.Origin, wrong.Options))
		want(t, v, multifactor.Spent)
		want(t, h.sweepChallenges(30*time.Minute), 0)
		_, v = h.use(anns, prove.Kept, k.Get(site.Origin, prove.Options))
		want(t, v, multifactor.Spent)
		h.clock.Advance(30 * time.Minute)
		want(t, h.sweepChallenges(30*time.Minute-time.Millisecond), 4)
		_, v = h.use(anns, prove.Kept, k.Get(site.Origin, prove.Options))
		want(t, v, multifactor.Expired)
	})
}

func TestACredentialThatNobodyHasIsUnknown(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		h.passkey(ann, passkeytest.New(t))
		k := passkeytest.New(t)
		k.Create(site.Origin, h.beginPasskey(ann).Options) // which the server never heard of
		for name, begin := range map[string]func() (multifactor.Asker, multifactor.Ceremony){
			"proof": func() (multifactor.Asker, multifactor.Ceremony) { return anns, h.beginProof(ann) },
			"entry": func() (multifactor.Asker, multifactor.Ceremony) { return stranger, h.beginEntry() },
		} {
			by, c := begin()
			used, v := h.use(by, c.Kept, k.Get(site.Origin, h.ask(c)))
			if v != multifactor.Wrong || used.Unknown != encoded(k.ID) || used.Authenticator.ID != 0 {
				t.Errorf("%s: %v, %+v", name, v, used)
			}
		}
	})
}

func TestARemovedPasskeyProvesNothing(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k, other := passkeytest.New(t), passkeytest.New(t)
		a := h.passkey(ann, k)
		h.passkey(ann, other)
		prove, enter, others := h.beginProof(ann), h.beginEntry(), h.beginProof(ann)
		h.remove(ann, a.ID)
		before := h.rows()
		_, v := h.use(anns, prove.Kept, k.Get(site.Origin, prove.Options))
		want(t, v, multifactor.Wrong)
		_, v = h.use(stranger, enter.Kept, k.Get(site.Origin, enter.Options))
		want(t, v, multifactor.Wrong)
		later := h.beginProof(ann)
		_, v = h.use(anns, later.Kept, k.Get(site.Origin, h.ask(later)))
		want(t, v, multifactor.Wrong)
		_, v = h.enters(k)
		want(t, v, multifactor.Wrong)
		want(t, h.rows(), before)
		_, v = h.use(anns, others.Kept, other.Get(site.Origin, others.Options))
		want(t, v, multifactor.Right)
		h.restore(ann, a.ID)
		_, v = h.proves(ann, k)
		want(t, v, multifactor.Right)
		_, v = h.enters(k)
		want(t, v, multifactor.Right)
	})
}

// A browser forgets a passkey that it is told is unknown (WebAuthn 5.1.10): what was removed
// by somebody else could not be brought back.
func TestARemovedPasskeyIsNotUnknownWhileItCanBeRestored(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		a := h.passkey(ann, k)
		h.passkey(ann, passkeytest.New(t))
		h.remove(ann, a.ID)
		for _, wait := range []time.Duration{0, accounts.UndoFor - time.Millisecond} {
			h.clock.Advance(wait)
			used, v := h.enters(k)
			want(t, v, multifactor.Wrong)
			want(t, used.Unknown, "")
		}
		h.clock.Advance(2 * time.Millisecond)
		h.do(func(tx *db.Tx) error {
			n, err := multifactor.SweepAuthenticators(tx, tx.Now.Add(-accounts.UndoFor), 100)
			want(t, n, 1)
			return err
		})
		used, v := h.enters(k)
		want(t, v, multifactor.Wrong)
		want(t, used.Unknown, encoded(k.ID))
	})
}

func TestAProofIsByOneOfThePasskeysThatItWasBegunFor(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		first, second := passkeytest.New(t), passkeytest.New(t)
		h.passkey(ann, first)
		c, d := h.beginProof(ann), h.beginProof(ann)
		h.passkey(ann, second)
		_, v := h.use(anns, c.Kept, second.Get(site.Origin, h.ask(c)))
		want(t, v, multifactor.Wrong)
		_, v = h.use(anns, d.Kept, first.Get(site.Origin, d.Options))
		want(t, v, multifactor.Right)
		_, v = h.proves(ann, second)
		want(t, v, multifactor.Right)
	})
}

// Somebody is asked who they are only where the passkey does not know.
func TestAPasskeyThatDoesNotSayWhoseItIsProvesAndDoesNotEnter(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		h.passkey(ann, k)
		k.Forge = func(r *passkeytest.Response) { r.UserHandle = nil }
		used, v := h.enters(k)
		want(t, v, multifactor.Wrong)
		want(t, saysAnything(used), false)
		used, v = h.proves(ann, k)
		want(t, v, multifactor.Right)
		want(t, used.Authenticator.User, ann.ID)
	})
}

func TestACredentialIsEnrolledOnceByWhomeverItIs(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		k := passkeytest.New(t)
		a := h.passkey(ann, k)
		thief := passkeytest.New(t)
		thief.ID = k.ID
		for i := range 2 {
			if i == 1 {
				h.remove(ann, a.ID) // it may come back
			}
			before := h.rows()
			for _, again := range []*passkeytest.Key{k, thief} {
				for _, u := range []accounts.User{bob, ann} {
					c := h.beginPasskey(u)
					_, v := h.enrollPasskey(anns, u, c.Kept, again.Create(site.Origin, h.askNew(c, u)), "")
					want(t, v, multifactor.Spent)
					want(t, h.rows(), before)
				}
			}
		}
	})
}
