package signin_test

import (
	"errors"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/federation/federationtest"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
)

// adds asks for a code to an address that is to be added, and reads it.
func adds(t *testing.T, h *house, b *browser, id accounts.ID) mail {
	t.Helper()
	started, err := h.Signin.StartAdding(t.Context(), signin.Request{ID: id}, b.By)
	check(t, err)
	if started.Stale || started.Wait > 0 || started.Attempt.ID == 0 {
		t.Fatalf("adding is refused: %+v", started)
	}
	b.By.Attempt = started.Attempt
	return h.Mail(t)
}

// told reads the message about a change, and returns the token that undoes it.
func told(t *testing.T, h *house, to string) seal.Token {
	t.Helper()
	m := h.Mail(t)
	want(t, m.To, to)
	if m.Undo.ID == 0 {
		t.Fatalf("the message to %s undoes nothing", m.To)
	}
	return m.Undo
}

// toldAll reads the messages about one change, and returns the token of each recipient, zero
// for those who may not undo it.
func toldAll(t *testing.T, h *house, to ...string) map[string]seal.Token {
	t.Helper()
	all := map[string]seal.Token{}
	for range to {
		m := h.Mail(t)
		all[m.To] = m.Undo
	}
	for _, who := range to {
		if _, ok := all[who]; !ok {
			t.Fatalf("%s is not told, but %v", who, all)
		}
	}
	return all
}

// toldUndone reads the messages that a change was undone; gone is the address that went by
// that, or "". Nobody can undo it by a link.
func toldUndone(t *testing.T, h *house, gone string, to ...string) {
	t.Helper()
	all := map[string]bool{}
	for range to {
		m := h.Mail(t)
		want(t, m.Undo.ID, 0)
		all[m.To] = m.Subject == "A change was undone at "+h.Signin.Settings.Site || m.Subject == "An address was removed at "+h.Signin.Settings.Site && m.To == gone
	}
	for _, who := range to {
		want(t, all[who], true)
	}
}

// removes removes an address in a browser.
func removes(t *testing.T, h *house, b *browser, id accounts.ID) {
	t.Helper()
	a, _ := h.Account(t, id)
	out, err := h.Signin.RemoveAddress(t.Context(), a.ID, b.By)
	check(t, err)
	want(t, out, signin.RemovedAddress)
}

// gains adds an address in a browser.
func gains(t *testing.T, h *house, b *browser, id accounts.ID) {
	t.Helper()
	m := adds(t, h, b, id)
	e, err := h.Signin.SubmitCode(t.Context(), m.Code, b.By)
	check(t, err)
	want(t, e.Verdict, signin.Added)
}

func undoes(t *testing.T, h *house, token seal.Token, confirmed bool) signin.Undoable {
	t.Helper()
	u, err := h.Signin.Undo(t.Context(), token, confirmed, h.Browser("203.0.113.9").By)
	check(t, err)
	return u
}

func in(t *testing.T, h *house, b *browser) bool {
	t.Helper()
	_, err := h.Signin.Sessions.Check(t.Context(), b.By.Session)
	return err == nil
}

func TestAnAddressIsAddedByAProofOfBoth(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann, work := addr(t, "ann@example.org"), addr(t, "Ann@work.example")
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, ann)
		me := h.User(t, b)
		m := adds(t, h, b, work)
		if a, u := h.Account(t, work); a.Active || u.ID == me {
			t.Fatal("the address is added before its proof")
		}
		e, err := h.Signin.SubmitCode(t.Context(), m.Code, b.By)
		check(t, err)
		want(t, e.Verdict, signin.Added)
		a, u := h.Account(t, work)
		want(t, u.ID, me)
		want(t, a.Active, true)
		want(t, u.Email, "ann@example.org")
		want(t, h.Count(t, `SELECT count(*) FROM users`), 1)
		want(t, in(t, h, b), true)
		token := told(t, h, "ann@example.org")
		want(t, h.Events(t, me)[len(h.Events(t, me))-1], audit.AddressAdded)

		other := h.Browser("198.51.100.1")
		other.SignsIn(t, work)
		want(t, h.User(t, other), me)

		u2 := undoes(t, h, token, false)
		want(t, u2.Found && !u2.Undone, true)
		want(t, u2.Kind, accounts.Added)
		want(t, in(t, h, b), true) // a scanner of mail that opens the link changes nothing
		want(t, undoes(t, h, token, true).Undone, true)
		toldUndone(t, h, "ann@work.example", "ann@example.org", "ann@work.example")
		want(t, in(t, h, b) || in(t, h, other), false)
		check(t, h.DB.View(t.Context(), func(tx *db.Tx) error {
			_, _, err := accounts.Find(tx, work)
			want(t, errors.Is(err, db.ErrNotFound), true)
			return nil
		}))
		want(t, undoes(t, h, token, true).Undone, true) // once more changes nothing
	})
}

func TestAddingNeedsAFreshProofAndTheSameSession(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		b, nobody := h.Browser("192.0.2.1"), h.Browser("192.0.2.2")
		b.SignsIn(t, addr(t, "ann@example.org"))
		m := adds(t, h, b, addr(t, "work@example.org"))
		thief := h.Browser("198.51.100.1")
		thief.SignsIn(t, addr(t, "eve@example.org"))
		thief.By.Attempt = b.By.Attempt // with the attempt's cookie alone
		e, err := h.Signin.SubmitCode(t.Context(), m.Code, thief.By)
		check(t, err)
		want(t, e.Verdict, signin.Gone)
		h.Clock.Advance(session.FreshFor + time.Second)
		for _, by := range []*browser{b, nobody} {
			started, err := h.Signin.StartAdding(t.Context(), signin.Request{ID: addr(t, "more@example.org")}, by.By)
			check(t, err)
			want(t, started.Stale, true)
			_, ready, err := h.Signin.LeadAdding(t.Context(), signin.Request{Provider: "corp"}, by.By)
			check(t, err)
			want(t, ready, false)
			out, err := h.Signin.RemoveAddress(t.Context(), 1, by.By)
			check(t, err)
			if out != signin.RemovedStale && out != signin.RemovedNothing {
				t.Errorf("removed: %v", out)
			}
		}
	})
}

func TestAddingAnswersAlikeForFreeAndTakenAddresses(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		other, b := h.Browser("192.0.2.2"), h.Browser("192.0.2.1")
		other.SignsIn(t, addr(t, "bob@example.org"))
		b.SignsIn(t, addr(t, "ann@example.org"))
		var all []signin.Started
		for _, text := range []string{"free@example.org", "bob@example.org", "ann@example.org"} {
			started, err := h.Signin.StartAdding(t.Context(), signin.Request{ID: addr(t, text)}, b.By)
			check(t, err)
			h.Mail(t)
			started.Attempt = seal.Token{}
			all = append(all, started)
		}
		if all[0] != all[1] || all[1] != all[2] {
			t.Errorf("%+v", all)
		}
	})
}

func TestAnAddressIsRemovedButNeverTheLast(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann, work := addr(t, "ann@example.org"), addr(t, "ann@work.example")
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, ann)
		m := adds(t, h, b, work)
		_, err := h.Signin.SubmitCode(t.Context(), m.Code, b.By)
		check(t, err)
		told(t, h, "ann@example.org")
		byWork, byAnn := h.Browser("198.51.100.1"), h.Browser("198.51.100.2")
		byWork.SignsIn(t, work)
		byAnn.SignsIn(t, ann)
		a, _ := h.Account(t, work)
		out, err := h.Signin.RemoveAddress(t.Context(), a.ID, b.By)
		check(t, err)
		want(t, out, signin.RemovedAddress)
		tokens := toldAll(t, h, "ann@example.org", "ann@work.example")
		token := tokens["ann@example.org"]
		want(t, tokens["ann@work.example"].ID, 0) // it came last
		want(t, undoes(t, h, h.Signin.UndoToken(db.ID(token.ID), a.ID), true).Found, false)
		want(t, in(t, h, byWork), false)
		want(t, in(t, h, byAnn) && in(t, h, b), true)
		last, _ := h.Account(t, ann)
		out, err = h.Signin.RemoveAddress(t.Context(), last.ID, b.By)
		check(t, err)
		want(t, out, signin.RemovedLast)
		stranger := h.Browser("203.0.113.1")
		stranger.SignsIn(t, addr(t, "eve@example.org"))
		out, err = h.Signin.RemoveAddress(t.Context(), last.ID, stranger.By)
		check(t, err)
		want(t, out, signin.RemovedNothing)

		want(t, undoes(t, h, token, true).Undone, true)
		toldUndone(t, h, "", "ann@example.org", "ann@work.example")
		want(t, in(t, h, b), false)
		again, u := h.Account(t, work)
		want(t, u.ID, last.User)
		want(t, again.Active, true)
	})
}

func TestAnAddressThatIsSomebodyElsesByNowIsNotTakenBack(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		work := addr(t, "ann@work.example")
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, addr(t, "ann@example.org"))
		m := adds(t, h, b, work)
		_, err := h.Signin.SubmitCode(t.Context(), m.Code, b.By)
		check(t, err)
		told(t, h, "ann@example.org")
		a, _ := h.Account(t, work)
		_, err = h.Signin.RemoveAddress(t.Context(), a.ID, b.By)
		check(t, err)
		token := toldAll(t, h, "ann@example.org", "ann@work.example")["ann@example.org"]
		owner := h.Browser("198.51.100.1")
		owner.SignsIn(t, work)
		want(t, undoes(t, h, token, true).Late, true)
		want(t, in(t, h, owner), true)
		h.Clock.Advance(accounts.UndoFor + time.Second)
		want(t, undoes(t, h, token, true).Found, false)
	})
}

// merging is two users, ann and bob, of whom ann has proved to be bob, too.
func merging(t *testing.T, h *house) (ann, bob *browser, kept string) {
	t.Helper()
	h.Freely()
	ann, bob = h.Browser("192.0.2.1"), h.Browser("198.51.100.1")
	bob.SignsIn(t, addr(t, "bob@example.org"))
	ann.SignsIn(t, addr(t, "ann@example.org"))
	m := adds(t, h, ann, addr(t, "bob@example.org"))
	e, err := h.Signin.SubmitCode(t.Context(), m.Code, ann.By)
	check(t, err)
	want(t, e.Verdict, signin.MergeAsked)
	return ann, bob, e.Merge
}

func merges(t *testing.T, h *house, b *browser, kept string) signin.Merged {
	t.Helper()
	out, err := h.Signin.Merge(t.Context(), kept, b.By)
	check(t, err)
	return out
}

func TestTwoUsersBecomeOneAndTwoAgain(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, bob, kept := merging(t, h)
		stays, goes := h.User(t, ann), h.User(t, bob)
		offer, err := h.Signin.Mergeable(t.Context(), kept, ann.By)
		check(t, err)
		want(t, offer.Found, true)
		want(t, offer.Addresses[0].Addr.Identifier, "bob@example.org")
		want(t, in(t, h, bob), true) // nothing happens before the button
		want(t, merges(t, h, ann, kept), signin.MergedUsers)
		want(t, in(t, h, bob), false)
		want(t, in(t, h, ann), true)
		tokens := toldAll(t, h, "ann@example.org", "bob@example.org")
		bob.SignsIn(t, addr(t, "bob@example.org"))
		want(t, h.User(t, bob), stays)
		check(t, h.DB.View(t.Context(), func(tx *db.Tx) error {
			alias, err := accounts.GetUser(tx, goes)
			want(t, alias.MergedInto, stays)
			return err
		}))
		want(t, merges(t, h, ann, kept), signin.MergedNothing) // once
		want(t, undoes(t, h, tokens["bob@example.org"], true).Undone, true)
		toldUndone(t, h, "", "ann@example.org", "bob@example.org")
		want(t, in(t, h, ann) || in(t, h, bob), false)
		bob.SignsIn(t, addr(t, "bob@example.org"))
		want(t, h.User(t, bob), goes)
		ann.SignsIn(t, addr(t, "ann@example.org"))
		want(t, h.User(t, ann), stays)
	})
}

func TestNobodyIsMergedWithoutBothProofsOfThisSession(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, bob, kept := merging(t, h)
		for name, by := range map[string]*browser{"the other user": bob, "nobody": h.Browser("203.0.113.1")} {
			if out := merges(t, h, by, kept); out != signin.MergedNothing {
				t.Errorf("%s merges", name)
			}
		}
		want(t, merges(t, h, ann, ""), signin.MergedNothing)
		want(t, merges(t, h, ann, another(kept[:1])+kept[1:]), signin.MergedNothing)
		again := h.Browser("192.0.2.1")
		again.SignsIn(t, addr(t, "ann@example.org")) // another session of hers
		want(t, merges(t, h, again, kept), signin.MergedNothing)
		h.Clock.Advance(11 * time.Minute)
		want(t, merges(t, h, ann, kept), signin.MergedNothing)
		want(t, in(t, h, bob), true)
	})
}

func TestADeactivatedUserAndTheLastSuperuserAreNotMerged(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, bob, kept := merging(t, h)
		other := h.User(t, bob)
		h.Update(t, func(tx *db.Tx) error { return accounts.SetSuperuser(tx, other, true) })
		want(t, merges(t, h, ann, kept), signin.MergedSuperuser)
		h.Update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, other, accounts.Force) })
		want(t, merges(t, h, ann, kept), signin.MergedNothing)
		started, err := h.Signin.StartAdding(t.Context(), signin.Request{ID: addr(t, "bob@example.org")}, ann.By)
		check(t, err)
		ann.By.Attempt = started.Attempt
		e, err := h.Signin.SubmitCode(t.Context(), h.MuteCode(t), ann.By)
		check(t, err)
		want(t, e.Verdict, signin.Wrong) // of somebody deactivated, as at every sign-in
	})
}

func TestAnAccountAtAProviderIsAddedLikeAnAddress(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		h.Freely()
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, addr(t, "ann@example.org"))
		me := h.User(t, b)
		adds := func() signin.Entered {
			t.Helper()
			led, ready, err := h.Signin.LeadAdding(t.Context(), signin.Request{Provider: "corp"}, b.By)
			check(t, err)
			want(t, ready, true)
			return away{led, follow(t, led.URL)}.returns(t, h, b)
		}
		want(t, adds().Verdict, signin.Added)
		told(t, h, "ann@example.org")
		_, u := h.Account(t, openID(i, "1234"))
		want(t, u.ID, me)
		want(t, h.Count(t, `SELECT count(*) FROM users`), 1)
		want(t, adds().Verdict, signin.Added) // it is hers already, and nobody is told
		other := h.Browser("198.51.100.1")
		i.Person = map[string]any{"sub": "bob"}
		want(t, goes(t, h, other, signin.Request{}).returns(t, h, other).Verdict, signin.Accepted)
		want(t, adds().Verdict, signin.MergeAsked)
		check(t, h.DB.View(t.Context(), func(tx *db.Tx) error {
			all, err := session.Proofs(tx, session.Session{ID: db.ID(b.By.Session.ID)})
			want(t, len(all), 1)
			return err
		}))
	})
}
