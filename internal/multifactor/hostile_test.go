package multifactor_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

// lies are what no browser answers on a page of this site.
var lies = map[string]func(r *passkeytest.Response){
	"another site":                func(r *passkeytest.Response) { r.Origin = "https://login.example.com" },
	"another site of the domain":  func(r *passkeytest.Response) { r.Origin = "https://other.example.org" },
	"the domain itself":           func(r *passkeytest.Response) { r.Origin = "https://example.org" },
	"another port":                func(r *passkeytest.Response) { r.Origin += ":8443" },
	"without TLS":                 func(r *passkeytest.Response) { r.Origin = "http://login.example.org" },
	"no origin":                   func(r *passkeytest.Response) { r.Origin = "" },
	"a frame of another site":     func(r *passkeytest.Response) { r.CrossOrigin = true },
	"another Relying Party":       func(r *passkeytest.Response) { r.RPID = "example.com" },
	"the origin as Relying Party": func(r *passkeytest.Response) { r.RPID = "login.example.org" },
	"another challenge":           func(r *passkeytest.Response) { r.Challenge[0] ^= 1 },
	"part of the challenge":       func(r *passkeytest.Response) { r.Challenge = r.Challenge[:16] },
	"no challenge":                func(r *passkeytest.Response) { r.Challenge = nil },
	"the type of the other kind": func(r *passkeytest.Response) {
		r.Type = map[string]string{"webauthn.get": "webauthn.create", "webauthn.create": "webauthn.get"}[r.Type]
	},
	"nobody present":              func(r *passkeytest.Response) { r.Flags &^= passkeytest.Present },
	"nobody present nor verified": func(r *passkeytest.Response) { r.Flags = 0 },
	"backed up and not eligible":  func(r *passkeytest.Response) { r.Flags |= 1 << 4 },
	"extensions that are missing": func(r *passkeytest.Response) { r.Flags |= 1 << 7 },
}

// ask is options for a challenge of any ceremony, by which any passkey may answer.
func (h *house) ask(c multifactor.Ceremony) []byte {
	h.t.Helper()
	var o struct{ Challenge string }
	dbtest.Check(h.t, json.Unmarshal(c.Options, &o))
	return []byte(`{"rpId": "` + site.ID + `", "challenge": "` + o.Challenge + `"}`)
}

// askNew is options to create a passkey of a user by the challenge of any ceremony.
func (h *house) askNew(c multifactor.Ceremony, u accounts.User) []byte {
	h.t.Helper()
	var o struct{ Challenge string }
	dbtest.Check(h.t, json.Unmarshal(c.Options, &o))
	return []byte(`{"rp": {"id": "` + site.ID + `", "name": "x"}, "user": {"id": "` + encoded(db.Bytes(db.ID(u.ID))) + `"}, "challenge": "` + o.Challenge + `",
		"pubKeyCredParams": [{"type": "public-key", "alg": -7}]}`)
}

func saysAnything(u multifactor.Used) bool {
	return u.Authenticator.ID != 0 || u.Authenticator.User != 0 || u.Verified || u.Copied || u.Unknown != ""
}

func TestAResponseThatNoBrowserGivesHereProvesNothing(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		k, bobs := passkeytest.New(t), passkeytest.New(t)
		h.passkey(ann, k)
		h.passkey(bob, bobs)
		all := map[string]func(r *passkeytest.Response){
			"a signature of something else": func(r *passkeytest.Response) { r.NotSigned = true },
			"another key":                   passkeytest.Stranger(t),
			"another user's handle":         func(r *passkeytest.Response) { r.UserHandle = db.Bytes(db.ID(bob.ID)) },
			"nobody's handle":               func(r *passkeytest.Response) { r.UserHandle = []byte("nobody") },
			"another user's credential":     func(r *passkeytest.Response) { r.ID = bobs.ID },
			"eligible for a backup":         func(r *passkeytest.Response) { r.Flags |= 1 << 3 },
			"a credential that is missing":  func(r *passkeytest.Response) { r.Flags |= 1 << 6 },
		}
		for name, lie := range lies {
			all[name] = lie
		}
		before := h.rows()
		for name, lie := range all {
			for _, use := range []func() (multifactor.Used, multifactor.Verdict){
				func() (multifactor.Used, multifactor.Verdict) { return h.proves(ann, k) },
				func() (multifactor.Used, multifactor.Verdict) { return h.enters(k) },
			} {
				k.Forge = lie
				if used, v := use(); v != multifactor.Wrong || saysAnything(used) || h.rows() != before {
					t.Errorf("%s: %v, %+v", name, v, used)
				}
			}
		}
		k.Forge = nil
		_, v := h.proves(ann, k)
		want(t, v, multifactor.Right)
		_, v = h.enters(k)
		want(t, v, multifactor.Right)
	})
}

func TestAResponseThatNoBrowserGivesHereEnrollsNothing(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		all := map[string]func(r *passkeytest.Response){
			"no id":        func(r *passkeytest.Response) { r.ID = nil },
			"an id of 1 k": func(r *passkeytest.Response) { r.ID = make([]byte, 1024) },
		}
		for name, lie := range lies {
			all[name] = lie
		}
		before := h.rows()
		for name, lie := range all {
			k := passkeytest.New(t)
			k.Forge = lie
			c := h.beginPasskey(ann)
			a, v := h.enrollPasskey(anns, ann, c.Kept, k.Create(site.Origin, c.Options), "")
			if v != multifactor.Wrong || a.ID != 0 || h.rows() != before {
				t.Errorf("%s: %v", name, v)
			}
			// Whoever has a good one may still send it.
			good := passkeytest.New(t)
			a, v = h.enrollPasskey(anns, ann, c.Kept, good.Create(site.Origin, c.Options), "")
			want(t, v, multifactor.Right)
			h.do(func(tx *db.Tx) error {
				_, err := tx.Exec(`DELETE FROM authenticators WHERE id = $1`, a.ID)
				return err
			})
		}
	})
}

func TestAResponseToOneCeremonyCountsForNoOther(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		k, bobs := passkeytest.New(t), passkeytest.New(t)
		h.passkey(ann, k)
		h.passkey(bob, bobs)
		otherBrowser := multifactor.Asker{Browser: []byte("ann's browsers"), Session: session}
		otherSess := multifactor.Asker{Browser: anns.Browser, Session: otherSession}
		signedOut := multifactor.Asker{Browser: anns.Browser}
		enroll, prove, enter := h.beginPasskey(ann), h.beginProof(ann), h.beginEntry()
		byNobody := h.begin(func(tx *db.Tx) (multifactor.Ceremony, error) { return h.BeginProof(tx, stranger, ann) })
		byHer := h.begin(func(tx *db.Tx) (multifactor.Ceremony, error) { return h.BeginEntry(tx, anns) })
		app := multifactor.Ceremony{Options: prove.Options, Kept: h.beginApp().Kept}
		changed := multifactor.Ceremony{Options: prove.Options, Kept: append([]byte{prove.Kept[0] ^ 1}, prove.Kept[1:]...)}
		before := h.rows()

		for name, c := range map[string]struct {
			begun multifactor.Ceremony
			by    multifactor.Asker
		}{
			"a proof in another browser": {prove, otherBrowser}, "a proof in another session": {prove, otherSess}, "a proof that signs in": {prove, signedOut},
			"a proof that was begun by nobody": {byNobody, stranger}, "a sign-in in another browser": {enter, signedOut}, "a sign-in that proves": {enter, anns},
			"a sign-in that was begun in a session": {byHer, anns}, "enrolling that proves": {enroll, anns}, "enrolling that signs in": {enroll, signedOut},
			"an app": {app, anns}, "nothing": {multifactor.Ceremony{Options: prove.Options}, anns}, "changed": {changed, anns},
		} {
			if _, v := h.use(c.by, c.begun.Kept, k.Get(site.Origin, h.ask(c.begun))); v != multifactor.Expired || h.rows() != before {
				t.Errorf("%s: %v", name, v)
			}
		}
		for name, c := range map[string]struct {
			begun multifactor.Ceremony
			by    multifactor.Asker
		}{
			"another browser": {enroll, otherBrowser}, "another session": {enroll, otherSess}, "signed out": {enroll, signedOut},
			"a proof that enrolls": {prove, anns}, "a sign-in that enrolls": {enter, stranger}, "an app": {app, anns},
		} {
			if _, v := h.enrollPasskey(c.by, ann, c.begun.Kept, passkeytest.New(t).Create(site.Origin, h.askNew(c.begun, ann)), ""); v != multifactor.Expired || h.rows() != before {
				t.Errorf("%s: %v", name, v)
			}
		}
		for name, kept := range map[string][]byte{"enrolling a passkey": enroll.Kept, "a proof": prove.Kept} {
			if _, v := h.enrollApp(ann, session, kept, "123456"); v != multifactor.Expired {
				t.Errorf("%s as an app: %v", name, v)
			}
		}
		_, v := h.enrollPasskey(anns, bob, enroll.Kept, passkeytest.New(t).Create(site.Origin, enroll.Options), "")
		want(t, v, multifactor.Wrong) // it was begun for ann
		_, v = h.use(anns, prove.Kept, bobs.Get(site.Origin, h.ask(prove)))
		want(t, v, multifactor.Wrong)
		want(t, h.rows(), before)
		// All of them are good where they belong.
		_, v = h.enrollPasskey(anns, ann, enroll.Kept, passkeytest.New(t).Create(site.Origin, enroll.Options), "")
		want(t, v, multifactor.Right)
		_, v = h.use(stranger, enter.Kept, k.Get(site.Origin, enter.Options))
		want(t, v, multifactor.Right)
	})
}

func TestACeremonyIsOverAfterHalfAnHour(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		h.passkey(ann, k)
		for _, wait := range []time.Duration{30*time.Minute - time.Millisecond, 30 * time.Minute} {
			verdict := multifactor.Right
			if wait == 30*time.Minute {
				verdict = multifactor.Expired
			}
			enroll, prove, enter := h.beginPasskey(ann), h.beginProof(ann), h.beginEntry()
			h.clock.Advance(wait)
			_, v := h.enrollPasskey(anns, ann, enroll.Kept, passkeytest.New(t).Create(site.Origin, enroll.Options), "")
			want(t, v, verdict)
			_, v = h.use(anns, prove.Kept, k.Get(site.Origin, prove.Options))
			want(t, v, verdict)
			_, v = h.use(stranger, enter.Kept, k.Get(site.Origin, enter.Options))
			want(t, v, verdict)
		}
		want(t, len(h.all(ann)), 2)
	})
}
