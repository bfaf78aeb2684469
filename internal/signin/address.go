package signin

import (
	"context"
	"errors"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/session"
)

// owner returns the session of a cookie, and whether it may do something on its person's account. It
// returns found false if there is none.
func (s *Service) owner(tx *db.Tx, by Requester, what multifactor.Thing) (sess session.Session, found, may bool, err error) {
	sess, err = s.Sessions.Find(tx, by.Session)
	if errors.Is(err, db.ErrNotFound) {
		return sess, false, false, nil
	}
	if err != nil {
		return sess, false, false, err
	}
	may, err = s.may(tx, sess, what)
	return sess, true, may, err
}

// may reports whether a session may do something.
func (s *Service) may(tx *db.Tx, sess session.Session, thing multifactor.Thing) (bool, error) {
	if s.Gate == nil {
		return false, nil
	}
	d, err := s.Gate(tx, sess, thing)
	return d.Allowed, err
}

// StartAdding is Start for an address that the person who is signed in wants to add. What it
// returns is the same whether the address is free or somebody's.
func (s *Service) StartAdding(ctx context.Context, req Request, by Requester) (Started, error) {
	sess, ready, err := s.mayAdd(ctx, by)
	if err != nil || !ready {
		return Started{Stale: true}, err
	}
	req.AdminToken = ""
	return (&starting{s: s, request: req, by: by, adminHash: []byte{}, purpose: forAdding, forSession: sess}).run(ctx)
}

// LeadAdding is Lead for an account elsewhere that the person who is signed in wants to add.
func (s *Service) LeadAdding(ctx context.Context, req Request, by Requester) (led Led, ready bool, err error) {
	sess, ready, err := s.mayAdd(ctx, by)
	if err != nil || !ready {
		return led, ready, err
	}
	led, err = s.lead(ctx, req, trip{Typed: req.Typed, Next: req.Next, ForSession: sess}, by)
	return led, true, err
}

// mayAdd returns the session of somebody who may change how they sign in.
func (s *Service) mayAdd(ctx context.Context, by Requester) (id db.ID, ready bool, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		sess, found, may, err := s.owner(tx, by, multifactor.Thing{Kind: multifactor.Action, Name: multifactor.AddAddress})
		id, ready = sess.ID, found && may
		return err
	})
	return id, ready, err
}

// adding is adding an address that was allowed to begin.
var adding = multifactor.Thing{Kind: multifactor.Begun, Name: multifactor.AddAddress}

// add gives a proved account to the person of the session that wanted it. An account of
// somebody else leads to the question whether the two users are one person.
func (s *Service) add(tx *db.Tx, t ticket, by Requester, p Proved, label string) (out Entered, told []outbox.Queued, err error) {
	sess, err := s.Sessions.Find(tx, by.Session)
	if err == nil { // read again under the lock: the user may be merged or deleted meanwhile
		if err = accounts.Lock(tx, sess.User.ID); err == nil {
			sess, err = s.Sessions.Find(tx, by.Session)
		}
	}
	if errors.Is(err, db.ErrNotFound) || err == nil && sess.ID != t.forSession {
		return Entered{Verdict: Gone}, nil, nil
	} else if err != nil {
		return out, nil, err
	}
	if may, err := s.may(tx, sess, adding); err != nil || !may {
		return Entered{Verdict: Lacking}, nil, err
	}
	if used, err := t.use(tx, sess.ID); err != nil || !used {
		return Entered{Verdict: Used}, nil, err
	}
	who, me := p.Account, sess.User.ID
	out = Entered{Verdict: Added, Next: t.next, User: me, usedBy: sess.ID}
	if who.User != me && (who.Active || who.Invited) {
		a, _, err := accounts.Get(tx, who.Account)
		if err != nil {
			return out, nil, err
		}
		if !a.Settled(tx.Now).IsZero() { // who has it for days only must not take the other user over with it
			out.Verdict = MergeYoung
			return out, nil, nil
		}
		if guarded, err := multifactor.UserHasSecond(tx, who.User); err != nil || guarded {
			out.Verdict = MergeGuarded
			return out, nil, err
		}
		out.Verdict = MergeAsked
		out.Merge, err = s.sealMerge(tx, sess, who)
		return out, nil, err
	}
	if who.User == me {
		return out, nil, accounts.RecordSuccess(tx, who, t.addr, t.address())
	}
	c, err := accounts.Give(tx, accounts.Account{ID: who.Account, User: who.User, Addr: t.addr, Label: label}, me)
	if err != nil {
		return out, nil, err
	}
	who.User, who.Email = me, sess.User.Email
	if err := accounts.RecordSuccess(tx, who, t.addr, t.address()); err != nil {
		return out, nil, err
	}
	if err := audit.Write(tx, db.ID(me), audit.Person(db.ID(me)), audit.AddressAdded, by.Client); err != nil {
		return out, nil, err
	}
	told, err = s.Notices.Changed(tx, c, by.cause(), t.addr)
	return out, told, err
}

// Removed is the outcome of removing an address.
type Removed int

// Outcomes.
const (
	RemovedNothing Removed = iota // it is not the person's, or not any more
	RemovedAddress
	RemovedStale // more has to be proved first
	RemovedLast  // it is the last way to sign in, and stays
)

// RemoveAddress removes an account of the person who is signed in, and ends other sessions
// that were opened by it.
func (s *Service) RemoveAddress(ctx context.Context, id accounts.AccountID, by Requester) (out Removed, err error) {
	var told []outbox.Queued
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		out, told = RemovedNothing, nil
		sess, found, may, err := s.owner(tx, by, multifactor.Thing{Kind: multifactor.Action, Name: multifactor.RemoveAddress})
		switch {
		case err != nil || !found:
			return err
		case !may:
			out = RemovedStale
			return nil
		}
		c, err := accounts.Remove(tx, sess.User.ID, id)
		switch {
		case errors.Is(err, accounts.ErrLastAddress):
			out = RemovedLast
			return nil
		case errors.Is(err, db.ErrNotFound):
			return nil
		case err != nil:
			return err
		}
		out = RemovedAddress
		if err := session.EndOfAccount(tx, sess.User.ID, id, sess.ID); err != nil {
			return err
		}
		me := db.ID(sess.User.ID)
		if err := audit.Write(tx, me, audit.Person(me), audit.AddressRemoved, by.Client); err != nil {
			return err
		}
		told, err = s.Notices.Changed(tx, c, by.cause())
		return err
	})
	if err != nil {
		return out, err
	}
	s.deliver(told, by)
	return out, nil
}
