package multifactor_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

// Of the seeds, those to enroll answer another challenge; those to prove are all as they
// should be, but signed by a key that is not the passkey's. Nothing that is made of them is
// right, since nobody can guess a challenge or sign for the passkey; and nothing is an error,
// which is for what no browser can cause.
func FuzzNoResponseIsRightByChance(f *testing.F) {
	d := dbtest.Fresh(f, "sqlite")
	clock := dbtest.NewClock()
	d.Now = clock.Now
	h := &house{enrolledAt(f, site), f, d, clock}
	ann := h.user("ann")
	k := passkeytest.New(f)
	h.passkey(ann, k)
	enroll, prove, enter := h.beginPasskey(ann), h.beginProof(ann), h.beginEntry()

	for range 2 {
		other, c := passkeytest.New(f), h.beginPasskey(ann)
		f.Add(other.Create(site.Origin, c.Options))
		k.Forge = passkeytest.Stranger(f)
		f.Add(k.Get(site.Origin, prove.Options))
		f.Add(k.Get(site.Origin, enter.Options))
		k.Forge = func(r *passkeytest.Response) { r.ID, r.UserHandle = other.ID, nil }
		f.Add(k.Get(site.Origin, prove.Options))
		k.NoCounter, k.Verifies = true, false
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		for name, fn := range map[string]func(tx *db.Tx) (multifactor.Verdict, error){
			"enrolls": func(tx *db.Tx) (multifactor.Verdict, error) {
				_, v, err := h.EnrollPasskey(tx, anns, ann, enroll.Kept, response, "")
				return v, err
			},
			"proves": func(tx *db.Tx) (multifactor.Verdict, error) {
				_, v, err := h.UsePasskey(tx, anns, prove.Kept, response)
				return v, err
			},
			"enters": func(tx *db.Tx) (multifactor.Verdict, error) {
				_, v, err := h.UsePasskey(tx, stranger, enter.Kept, response)
				return v, err
			},
		} {
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				v, err := fn(tx)
				if v != multifactor.Wrong || err != nil {
					t.Errorf("it %s: %v, %v", name, v, err)
				}
				return errUndo // or the ceremony would be over
			})
			if !errors.Is(err, errUndo) {
				t.Errorf("it %s: %v", name, err)
			}
		}
	})
}

// parts is a response in the parts that a browser makes it of. CHALLENGE and HANDLE stand for
// those of a process: each that fuzzes has its own.
type parts struct {
	Creates                                 bool
	ID, ClientData, Data, Signature, Handle []byte // Data is the attestation object of a response to create
}

func partsOf(f *testing.F, challenge string, response []byte) (p parts) {
	f.Helper()
	var r struct {
		RawID    string
		Response struct{ ClientDataJSON, AttestationObject, AuthenticatorData, Signature, UserHandle string }
	}
	check := func(err error) { dbtest.Check(f, err) }
	check(json.Unmarshal(response, &r))
	decoded := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		check(err)
		return b
	}
	p = parts{ID: decoded(r.RawID), ClientData: decoded(r.Response.ClientDataJSON), Data: decoded(r.Response.AuthenticatorData), Signature: decoded(r.Response.Signature)}
	if r.Response.AttestationObject != "" {
		p.Creates, p.Data = true, decoded(r.Response.AttestationObject)
	}
	if r.Response.UserHandle != "" {
		p.Handle = []byte("HANDLE")
	}
	p.ClientData = bytes.Replace(p.ClientData, []byte(challenge), []byte("CHALLENGE"), 1)
	return p
}

// whole is the response of which p are the parts.
func (p parts) whole(t testing.TB, challenge string, handle []byte) []byte {
	t.Helper()
	says := map[string]any{"clientDataJSON": encoded(bytes.Replace(p.ClientData, []byte("CHALLENGE"), []byte(challenge), 1))}
	if p.Creates {
		says["attestationObject"] = encoded(p.Data)
	} else {
		says["authenticatorData"], says["signature"] = encoded(p.Data), encoded(p.Signature)
		says["userHandle"] = encoded(bytes.Replace(p.Handle, []byte("HANDLE"), handle, 1))
	}
	text, err := json.Marshal(map[string]any{"id": encoded(p.ID), "rawId": encoded(p.ID), "type": "public-key", "response": says})
	dbtest.Check(t, err)
	return text
}

// The seeds are right but for the signature of a proof. Whatever is made of them has the
// challenge of the ceremony, so that all of it is looked at.
func FuzzNoPartsOfAResponseProve(f *testing.F) {
	d := dbtest.Fresh(f, "sqlite")
	d.Now = dbtest.NewClock().Now
	h := &house{enrolledAt(f, site), f, d, nil}
	ann := h.user("ann")
	k, fresh := passkeytest.New(f), passkeytest.New(f)
	k.ID, fresh.ID = []byte("the passkey of ann"), []byte("one that is new")
	h.passkey(ann, k)
	enroll, enter := h.beginPasskey(ann), h.beginEntry()
	var creation, request struct{ Challenge string }
	dbtest.Check(f, errors.Join(json.Unmarshal(enroll.Options, &creation), json.Unmarshal(enter.Options, &request)))
	verdict := func(t testing.TB, p parts) (v multifactor.Verdict) {
		challenge := request.Challenge
		if p.Creates {
			challenge = creation.Challenge
		}
		response := p.whole(t, challenge, db.Bytes(db.ID(ann.ID)))
		err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
			if p.Creates {
				_, v, err = h.EnrollPasskey(tx, anns, ann, enroll.Kept, response, "")
			} else {
				_, v, err = h.UsePasskey(tx, stranger, enter.Kept, response)
			}
			return errors.Join(err, errUndo)
		})
		if !errors.Is(err, errUndo) || err.Error() != errUndo.Error() {
			t.Error(err)
		}
		return v
	}
	create, proof := partsOf(f, creation.Challenge, fresh.Create(site.Origin, enroll.Options)), partsOf(f, request.Challenge, k.Get(site.Origin, enter.Options))
	dbtest.Want(f, verdict(f, create), multifactor.Right)
	dbtest.Want(f, verdict(f, proof), multifactor.Right)
	k.Forge = passkeytest.Stranger(f)
	for _, p := range []parts{create, partsOf(f, request.Challenge, k.Get(site.Origin, enter.Options))} {
		f.Add(p.Creates, p.ID, p.ClientData, p.Data, p.Signature, p.Handle)
	}
	f.Fuzz(func(t *testing.T, creates bool, id, clientData, data, signature, handle []byte) {
		p := parts{creates, id, clientData, data, signature, handle}
		if v := verdict(t, p); v == multifactor.Right && !creates {
			t.Error("it proves")
		}
	})
}
