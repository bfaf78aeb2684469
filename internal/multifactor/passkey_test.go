package multifactor_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
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

// options is what a page hands to the browser.
type options struct {
	Attestation string
	User        struct{ ID, Name, DisplayName string }
	RP          struct{ ID, Name string }
	RPID        string
	Exclude     []struct{ ID string } `json:"excludeCredentials"`
	Allow       []struct{ ID string } `json:"allowCredentials"`
	Selection   struct {
		ResidentKey, UserVerification string
	} `json:"authenticatorSelection"`
}

func (h *house) options(c multifactor.Ceremony) (o options) {
	h.t.Helper()
	dbtest.Check(h.t, json.Unmarshal(c.Options, &o))
	return o
}

func TestABrowserIsToldWhichPasskeysThereAre(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		h.do(func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE users SET first_name = 'Ann', last_name = 'Ex' WHERE id = $1`, ann.ID)
			ann.FirstName, ann.LastName = "Ann", "Ex"
			return err
		})
		var ids []string
		for _, u := range []accounts.User{ann, ann, ann, bob} {
			k := passkeytest.New(t)
			a := h.passkey(u, k)
			if len(ids) == 1 {
				h.remove(ann, a.ID)
			}
			ids = append(ids, encoded(k.ID))
		}
		creation := h.options(h.beginPasskey(ann))
		var named []string
		for _, c := range creation.Exclude {
			named = append(named, c.ID)
		}
		if !slices.Equal(named, []string{ids[0], ids[2]}) {
			t.Errorf("of %v %v are excluded", ids, named)
		}
		named = nil
		for _, c := range h.options(h.beginProof(ann)).Allow {
			named = append(named, c.ID)
		}
		if !slices.Equal(named, []string{ids[0], ids[2]}) {
			t.Errorf("of %v %v are allowed", ids, named)
		}
		want(t, creation.Attestation, "none")
		want(t, creation.RP.ID, site.ID)
		want(t, creation.RP.Name, site.Name)
		want(t, creation.User.ID, encoded(db.Bytes(db.ID(ann.ID))))
		want(t, creation.User.Name, "shown@example.org")
		want(t, creation.User.DisplayName, "Ann Ex")
		want(t, creation.Selection.ResidentKey, "required")
		want(t, creation.Selection.UserVerification, "preferred")
		want(t, h.options(h.beginPasskey(bob)).User.DisplayName, "shown@example.org")
		entry := h.options(h.beginEntry()) // of whoever it may be
		want(t, len(entry.Allow), 0)
		want(t, entry.RPID, site.ID)
	})
}

func TestAPasskeyIsCalledByItsModelIfNothingElseIsSaid(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		bitwarden := [16]byte{0xd5, 0x48, 0x82, 0x6e, 0x79, 0xb4, 0xdb, 0x40, 0xa3, 0xd8, 0x11, 0x11, 0x6f, 0x7e, 0x83, 0x49}
		for _, c := range []struct {
			aaguid                   [16]byte
			typed, name, model, user string
		}{
			{bitwarden, "", "Bitwarden", "Bitwarden", "ann"},
			{bitwarden, "Mine", "Mine", "Bitwarden", "bob"},
			{[16]byte{}, "", "", "", "cat"},
			{[16]byte{1}, "Key", "Key", "", "dan"},
		} {
			u, k := h.user(c.user), passkeytest.New(t)
			k.AAGUID = c.aaguid
			begun := h.beginPasskey(u)
			_, v := h.enrollPasskey(anns, u, begun.Kept, k.Create(site.Origin, begun.Options), c.typed)
			want(t, v, multifactor.Right)
			want(t, h.one(u).Name, c.name)
			want(t, h.one(u).Model, c.model)
		}
	})
}

// Browsers have no passkeys for an address, which is no domain (WebAuthn 5.1.3).
func TestAServerAtAnAddressHasNoPasskeys(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		kept := map[string]multifactor.Ceremony{"enroll": h.beginPasskey(ann), "enter": h.beginEntry()}
		h.Enrolled = enrolledAt(t, multifactor.Relying{Name: "Example", Origin: "https://192.0.2.1"})
		want(t, h.HasPasskeys(), false)
		want(t, enrolledAt(t, site).HasPasskeys(), true)
		for name, fn := range map[string]func(tx *db.Tx) error{
			"begin to enroll": func(tx *db.Tx) error { _, err := h.BeginPasskey(tx, anns, ann, "ann"); return err },
			"begin to prove":  func(tx *db.Tx) error { _, err := h.BeginProof(tx, anns, ann); return err },
			"begin to enter":  func(tx *db.Tx) error { _, err := h.BeginEntry(tx, stranger); return err },
			"enroll": func(tx *db.Tx) error {
				_, _, err := h.EnrollPasskey(tx, anns, ann, kept["enroll"].Kept, nil, "")
				return err
			},
			"enter": func(tx *db.Tx) error { _, _, err := h.UsePasskey(tx, stranger, kept["enter"].Kept, nil); return err },
		} {
			if err := h.db.Update(t.Context(), fn); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

// encoded is base64url, as bytes are in JSON (WebAuthn 5.1).
func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
