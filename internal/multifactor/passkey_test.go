package multifactor_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

// anns is ann's browser, in which she is signed in; stranger is one in which nobody is.
var (
	anns     = multifactor.Asker{Browser: []byte("ann's browser"), Session: session}
	stranger = multifactor.Asker{Browser: []byte("a browser")}
)

func (h *house) begin(fn func(tx *db.Tx) (multifactor.Ceremony, error)) (c multifactor.Ceremony) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		c, err = fn(tx)
		return err
	})
	return c
}

func (h *house) beginPasskey(u accounts.User) multifactor.Ceremony {
	h.t.Helper()
	return h.begin(func(tx *db.Tx) (multifactor.Ceremony, error) { return h.BeginPasskey(tx, anns, u, "shown@example.org") })
}

func (h *house) beginProof(u accounts.User) multifactor.Ceremony {
	h.t.Helper()
	return h.begin(func(tx *db.Tx) (multifactor.Ceremony, error) { return h.BeginProof(tx, anns, u) })
}

func (h *house) beginEntry() multifactor.Ceremony {
	h.t.Helper()
	return h.begin(func(tx *db.Tx) (multifactor.Ceremony, error) { return h.BeginEntry(tx, stranger) })
}

func (h *house) enrollPasskey(by multifactor.Asker, u accounts.User, kept, response []byte, name string) (a multifactor.Authenticator, v multifactor.Verdict) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		a, v, err = h.EnrollPasskey(tx, by, u, kept, response, name)
		return err
	})
	return a, v
}

func (h *house) use(by multifactor.Asker, kept, response []byte) (used multifactor.Used, v multifactor.Verdict) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		used, v, err = h.UsePasskey(tx, by, kept, response)
		return err
	})
	return used, v
}

// passkey enrolls a key.
func (h *house) passkey(u accounts.User, k *passkeytest.Key) multifactor.Authenticator {
	h.t.Helper()
	c := h.beginPasskey(u)
	a, v := h.enrollPasskey(anns, u, c.Kept, k.Create(site.Origin, c.Options), "Key")
	dbtest.Want(h.t, v, multifactor.Right)
	return a
}

// proves is the verdict on a proof by a key of a user who is signed in.
func (h *house) proves(u accounts.User, k *passkeytest.Key) (multifactor.Used, multifactor.Verdict) {
	h.t.Helper()
	c := h.beginProof(u)
	return h.use(anns, c.Kept, k.Get(site.Origin, c.Options))
}

// enters is the verdict on a sign-in by a key.
func (h *house) enters(k *passkeytest.Key) (multifactor.Used, multifactor.Verdict) {
	h.t.Helper()
	c := h.beginEntry()
	return h.use(stranger, c.Kept, k.Get(site.Origin, c.Options))
}

func TestAPasskeyEnrollsProvesAndEnters(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		k := passkeytest.New(t)
		c := h.beginPasskey(ann)
		response := k.Create(site.Origin, c.Options)
		want(t, len(h.all(ann)), 0)
		a, v := h.enrollPasskey(anns, ann, c.Kept, response, "Blue key")
		want(t, v, multifactor.Right)
		stored := h.one(ann)
		want(t, stored.ID, a.ID)
		want(t, stored.Kind, multifactor.Passkey)
		want(t, stored.Name, "Blue key")
		want(t, stored.CanVerify, true)
		want(t, stored.Counter, 1)
		want(t, stored.LastUsed, h.clock.Now())
		h.passkey(bob, passkeytest.New(t))

		for i, use := range []func() (multifactor.Used, multifactor.Verdict){
			func() (multifactor.Used, multifactor.Verdict) { return h.proves(ann, k) },
			func() (multifactor.Used, multifactor.Verdict) { return h.enters(k) },
			func() (multifactor.Used, multifactor.Verdict) { return h.proves(ann, k) },
		} {
			h.clock.Advance(life)
			used, v := use()
			want(t, v, multifactor.Right)
			want(t, used.Authenticator.ID, a.ID)
			want(t, used.Authenticator.User, ann.ID)
			want(t, used.Verified, true)
			want(t, used.Unknown, "")
			want(t, used.Copied, false)
			want(t, h.one(ann).Counter, int64(2+i))
			want(t, h.one(ann).LastUsed, h.clock.Now())
		}
	})
}

func TestEachOfSeveralPasskeysProvesAndEnters(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		keys := []*passkeytest.Key{passkeytest.New(t), passkeytest.New(t), passkeytest.New(t)}
		for _, k := range keys {
			h.passkey(ann, k)
		}
		for i, k := range keys {
			for name, use := range map[string]func() (multifactor.Used, multifactor.Verdict){
				"proves": func() (multifactor.Used, multifactor.Verdict) { return h.proves(ann, k) },
				"enters": func() (multifactor.Used, multifactor.Verdict) { return h.enters(k) },
			} {
				if used, v := use(); v != multifactor.Right || used.Authenticator.ID != h.all(ann)[i].ID {
					t.Errorf("passkey %d %s: %v by %d", i, name, v, used.Authenticator.ID)
				}
			}
		}
	})
}
