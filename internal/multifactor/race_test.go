package multifactor_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

const crowd = 20

// onlyOne checks that of 20 one is right, and that the others are what is given.
func onlyOne(t *testing.T, count map[multifactor.Verdict]int, others ...multifactor.Verdict) {
	t.Helper()
	rest := 0
	for _, v := range others {
		rest += count[v]
	}
	if count[multifactor.Right] != 1 || rest != crowd-1 {
		t.Errorf("the verdicts are %v", count)
	}
}

func TestOfOneCodeAtOnceOneIsRight(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		begun, _ := h.app(ann)
		codes, _, _ := h.recovery(ann)
		check := func(kind multifactor.Factor, code string) map[multifactor.Verdict]int {
			return h.atOnce(crowd, func(tx *db.Tx, _ int) (multifactor.Verdict, error) {
				_, v, err := h.Check(tx, ann.ID, kind, code)
				return v, err
			})
		}
		onlyOne(t, check(multifactor.TOTP, h.code(begun, 0)), multifactor.Spent)
		onlyOne(t, check(multifactor.Recovery, codes[3]), multifactor.Spent, multifactor.Wrong)
		want(t, h.all(ann)[1].Counter, 9)
	})
}

func TestTenRecoveryCodesAtOnceAreAllRight(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		codes, _, _ := h.recovery(ann)
		count := h.atOnce(10, func(tx *db.Tx, i int) (multifactor.Verdict, error) {
			_, v, err := h.Check(tx, ann.ID, multifactor.Recovery, codes[i])
			return v, err
		})
		want(t, count[multifactor.Right], 10)
		want(t, h.one(ann).Counter, 0)
	})
}

func TestOfAnswersToOneCeremonyAtOnceOneIsRight(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		app := h.beginApp()
		onlyOne(t, h.atOnce(crowd, func(tx *db.Tx, _ int) (multifactor.Verdict, error) {
			_, v, err := h.EnrollApp(tx, ann.ID, session, app.Kept, "", h.code(app, 0))
			return v, err
		}), multifactor.Spent)
		want(t, len(h.all(ann)), 1)

		k := passkeytest.New(t)
		k.NoCounter = true
		enroll := h.beginPasskey(ann)
		enrolling := [][]byte{k.Create(site.Origin, enroll.Options)}
		for range crowd - 1 {
			enrolling = append(enrolling, passkeytest.New(t).Create(site.Origin, enroll.Options))
		}
		onlyOne(t, h.atOnce(crowd, func(tx *db.Tx, i int) (multifactor.Verdict, error) {
			_, v, err := h.EnrollPasskey(tx, anns, ann, enroll.Kept, enrolling[i], "")
			return v, err
		}), multifactor.Spent)
		want(t, len(h.all(ann)), 2)

		k = passkeytest.New(t)
		k.NoCounter = true
		h.passkey(ann, k)
		for by, c := range map[*multifactor.Asker]multifactor.Ceremony{&anns: h.beginProof(ann), &stranger: h.beginEntry()} {
			response := k.Get(site.Origin, c.Options)
			onlyOne(t, h.atOnce(crowd, func(tx *db.Tx, _ int) (multifactor.Verdict, error) {
				_, v, err := h.UsePasskey(tx, *by, c.Kept, response)
				return v, err
			}), multifactor.Spent)
		}
	})
}

// Copies of a passkey answer at the same time, each a ceremony of its own.
func TestOfCopiesAtOnceOneIsRight(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		h.passkey(ann, k)
		k.Forge = func(r *passkeytest.Response) { r.Counter = 7 }
		kept, responses := make([][]byte, crowd), make([][]byte, crowd)
		for i := range crowd {
			c := h.beginEntry()
			kept[i], responses[i] = c.Kept, k.Get(site.Origin, c.Options)
		}
		onlyOne(t, h.atOnce(crowd, func(tx *db.Tx, i int) (multifactor.Verdict, error) {
			_, v, err := h.UsePasskey(tx, stranger, kept[i], responses[i])
			return v, err
		}), multifactor.Wrong, multifactor.Spent)
		want(t, h.one(ann).Counter, 7)
	})
}

func TestACredentialIsEnrolledOnceAlsoAtOnce(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		people := []accounts.User{h.user("ann"), h.user("bob"), h.user("cat")}
		k := passkeytest.New(t)
		kept, responses := make([][]byte, crowd), make([][]byte, crowd)
		for i := range crowd {
			c := h.beginPasskey(people[i%3])
			kept[i], responses[i] = c.Kept, k.Create(site.Origin, c.Options)
		}
		onlyOne(t, h.atOnce(crowd, func(tx *db.Tx, i int) (multifactor.Verdict, error) {
			_, v, err := h.EnrollPasskey(tx, anns, people[i%3], kept[i], responses[i], "")
			return v, err
		}), multifactor.Spent)
	})
}

func TestRecoveryCodesThatAreMadeAtOnceLeaveOneSet(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		for range 2 { // without codes, and with some
			var codes [2][]string
			h.overlap(func(tx *db.Tx) (err error) {
				codes[0], _, _, err = h.MakeRecovery(tx, ann.ID)
				return err
			}, func(tx *db.Tx) (err error) {
				codes[1], _, _, err = h.MakeRecovery(tx, ann.ID)
				return err
			})
			want(t, h.one(ann).Counter, 10)
			want(t, h.recovers(ann, codes[0][0]), multifactor.Wrong)
			want(t, h.recovers(ann, codes[1][0]), multifactor.Right)
		}
	})
}

func TestRecoveryCodesThatComeBackWhileNewAreMadeAreVoid(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		for name, restoreFirst := range map[string]bool{"ann": true, "bob": false} {
			u := h.user(name)
			_, old, _ := h.recovery(u)
			h.remove(u, old.ID)
			var codes []string
			restore := func(tx *db.Tx) error { return multifactor.Restore(tx, u.ID, old.ID) }
			renew := func(tx *db.Tx) (err error) {
				codes, _, _, err = h.MakeRecovery(tx, u.ID)
				return err
			}
			if restoreFirst {
				h.overlap(restore, renew)
			} else {
				h.overlap(renew, restore)
			}
			h.one(u)
			want(t, h.recovers(u, codes[0]), multifactor.Right)
		}
	})
}
