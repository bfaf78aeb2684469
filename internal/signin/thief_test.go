package signin_test

import (
	"errors"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

// stolen is an account whose session somebody else has, while its proof is fresh.
func stolen(t *testing.T, h *house) (owner, thief *browser) {
	t.Helper()
	h.Freely()
	owner, thief = h.Browser("192.0.2.1"), h.Browser("198.51.100.1")
	owner.SignsIn(t, addr(t, "ann@example.org"))
	thief.By.Session = owner.By.Session
	return owner, thief
}

// ownerOf is whose an address is, 0 for nobody's.
func ownerOf(t *testing.T, h *house, id accounts.ID) (user accounts.UserID) {
	t.Helper()
	check(t, h.DB.View(t.Context(), func(tx *db.Tx) error {
		a, _, err := accounts.Find(tx, id)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		user = a.User
		return err
	}))
	return user
}

// A thief adds an address of theirs and removes the owner's. Either message gives the owner
// the account back.
func TestAThiefWhoReplacesTheAddressIsThrownOut(t *testing.T) {
	for _, message := range []string{"added", "removed"} {
		t.Run(message, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				ann, evil := addr(t, "ann@example.org"), addr(t, "evil@bad.example")
				owner, thief := stolen(t, h)
				me := h.User(t, owner)
				gains(t, h, thief, evil)
				added := told(t, h, "ann@example.org")
				removes(t, h, thief, ann)
				tokens := toldAll(t, h, "ann@example.org", "evil@bad.example")
				token := map[string]seal.Token{"added": added, "removed": tokens["ann@example.org"]}[message]
				want(t, undoes(t, h, token, true).Undone, true)
				want(t, in(t, h, thief), false)
				want(t, ownerOf(t, h, ann), me)
				if message == "removed" {
					want(t, undoes(t, h, added, true).Undone, true)
				}
				want(t, ownerOf(t, h, evil), 0)
			})
		})
	}
}

// The owner has removed what a thief had added; the thief has links of before.
func TestAThiefWhoWasThrownOutDoesNotComeBackByALink(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		owner, thief := stolen(t, h)
		me := h.User(t, owner)
		one, two := addr(t, "evil1@bad.example"), addr(t, "evil2@bad.example")
		gains(t, h, thief, one)
		told(t, h, "ann@example.org")
		gains(t, h, thief, two)
		toldAll(t, h, "ann@example.org", "evil1@bad.example")
		oneID, _ := h.Account(t, one)
		twoID, _ := h.Account(t, two)
		removes(t, h, owner, two)
		first := toldAll(t, h, "ann@example.org", "evil1@bad.example", "evil2@bad.example")
		removes(t, h, owner, one)
		second := toldAll(t, h, "ann@example.org", "evil1@bad.example")
		for _, token := range []seal.Token{first["evil1@bad.example"], first["evil2@bad.example"], second["evil1@bad.example"]} {
			want(t, token.ID, 0)
		}
		for _, evil := range []accounts.AccountID{oneID.ID, twoID.ID} {
			for _, changed := range []seal.Token{first["ann@example.org"], second["ann@example.org"]} {
				want(t, undoes(t, h, h.Signin.UndoToken(db.ID(changed.ID), evil), true).Found, false)
			}
		}
		want(t, in(t, h, owner), true)
		want(t, ownerOf(t, h, one)+ownerOf(t, h, two), 0)
		want(t, ownerOf(t, h, addr(t, "ann@example.org")), me)
	})
}

// An address that came to an account days ago only does not take the account over.
func TestAThiefDoesNotMergeTheAccountAway(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		owner, thief := stolen(t, h)
		evil := addr(t, "evil@bad.example")
		gains(t, h, thief, evil)
		token := told(t, h, "ann@example.org")
		own := h.Browser("203.0.113.1")
		own.SignsIn(t, addr(t, "thief@bad.example"))
		m := adds(t, h, own, evil)
		e, err := h.Signin.SubmitCode(t.Context(), m.Code, own.By)
		check(t, err)
		want(t, e.Verdict, signin.MergeYoung)
		want(t, undoes(t, h, token, true).Undone, true)
		want(t, in(t, h, thief) || in(t, h, owner), false)
		want(t, ownerOf(t, h, evil), 0)
	})
}

// After a merge the addresses of the user who went are the last that came: their removal is
// undone with the merge.
func TestUndoingAMergeBringsBackWhatWasRemovedSince(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, bob, kept := merging(t, h)
		goes := h.User(t, bob)
		want(t, merges(t, h, ann, kept), signin.MergedUsers)
		merged := toldAll(t, h, "ann@example.org", "bob@example.org")
		removes(t, h, ann, addr(t, "bob@example.org"))
		toldAll(t, h, "ann@example.org", "bob@example.org")
		want(t, undoes(t, h, merged["bob@example.org"], true).Found, false) // it is not theirs any more
		want(t, undoes(t, h, merged["ann@example.org"], true).Undone, true)
		toldUndone(t, h, "", "ann@example.org", "bob@example.org")
		want(t, ownerOf(t, h, addr(t, "bob@example.org")), goes)
		bob.SignsIn(t, addr(t, "bob@example.org"))
		want(t, h.User(t, bob), goes)
	})
}

// Whoever has been there for longer than changes can be undone is as good as the first.
func TestAnAddressOfAWeekIsSettled(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, addr(t, "ann@example.org"))
		gains(t, h, b, addr(t, "work@example.org"))
		told(t, h, "ann@example.org")
		h.Clock.Advance(accounts.UndoFor + time.Hour)
		b.SignsIn(t, addr(t, "ann@example.org"))
		gains(t, h, b, addr(t, "new@example.org"))
		tokens := toldAll(t, h, "ann@example.org", "work@example.org")
		want(t, undoes(t, h, tokens["work@example.org"], true).Undone, true)
	})
}

// Rows 22 and 9 of a review: invited users and aliases.
func TestAnInvitedUserIsMergedAndNotDeleted(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		boss := addr(t, "boss@example.org")
		var invited accounts.UserID
		h.Update(t, func(tx *db.Tx) error {
			_, u, err := accounts.Ensure(tx, boss)
			invited = u.ID
			return errors.Join(err, accounts.Invite(tx, u.ID), accounts.SetSuperuser(tx, u.ID, true))
		})
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, addr(t, "ann@example.org"))
		m := adds(t, h, b, boss)
		e, err := h.Signin.SubmitCode(t.Context(), m.Code, b.By)
		check(t, err)
		want(t, e.Verdict, signin.MergeAsked)
		want(t, merges(t, h, b, e.Merge), signin.MergedSuperuser)
		want(t, ownerOf(t, h, boss), invited)
	})
}
