package signin

import (
	"context"
	"errors"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/session"
)

// StepUpWaits returns the state of the code that this browser has asked for in a step-up, and
// the account that it was sent to. Its Verdict is Gone if there is none.
func (s *Service) StepUpWaits(ctx context.Context, by Requester) (w Waiting, to accounts.AccountID, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		w, to = Waiting{}, 0
		a, found, err := attemptOf(tx, by.Attempt, "")
		if err == nil && found && a.purpose == forStepUp && a.forSession == db.ID(by.Session.ID) {
			w, to = s.wait(tx.Now, a), a.account
		}
		return err
	})
	return w, to, err
}

// ErrNotYours reports an account that is not the person's.
var ErrNotYours = errors.New("the account is not the person's")

// mine returns the session of a request and a proved account of its user, or ErrNotYours.
func (s *Service) mine(ctx context.Context, id accounts.AccountID, by Requester) (sess session.Session, a accounts.Account, u accounts.User, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if sess, err = s.Sessions.Find(tx, by.Session); err != nil {
			return err
		}
		a, u, err = accounts.Get(tx, id)
		if err == nil && (u.ID != sess.User.ID || !a.Active) {
			err = ErrNotYours
		}
		return err
	})
	if errors.Is(err, db.ErrNotFound) {
		err = ErrNotYours
	}
	return sess, a, u, err
}

// OwnAccount returns a proved account of the person who is signed in, or ErrNotYours.
func (s *Service) OwnAccount(ctx context.Context, id accounts.AccountID, by Requester) (accounts.Account, error) {
	_, a, _, err := s.mine(ctx, id, by)
	return a, err
}

// SendStepUp sends a code to an account of the person who is signed in, to prove it once
// more. next is where the proof leads.
func (s *Service) SendStepUp(ctx context.Context, id accounts.AccountID, next string, by Requester) (Started, error) {
	sess, a, u, err := s.mine(ctx, id, by)
	if err != nil {
		return Started{}, err
	}
	if accounts.Redirects(a.Addr.Implementation) {
		return Started{}, ErrNotYours
	}
	req := Request{ID: a.Addr, Typed: accounts.Address(a.Addr.Identifier), Next: next}
	if s.Settings.Discovery.IsSpelling(u.Email, a.Addr) {
		req.Typed = accounts.Address(u.Email)
	}
	return (&starting{s: s, request: req, by: by, adminHash: []byte{}, purpose: forStepUp, forSession: sess.ID}).run(ctx)
}

// LeadStepUp leads to the provider of an account of the person who is signed in, who has to
// sign in there anew. req says which provider or issuer that is.
func (s *Service) LeadStepUp(ctx context.Context, id accounts.AccountID, req Request, by Requester) (Led, error) {
	sess, _, _, err := s.mine(ctx, id, by)
	if err != nil {
		return Led{}, err
	}
	req.Fresh = true
	return s.lead(ctx, req, trip{Typed: req.Typed, Next: req.Next, ForSession: sess.ID, StepUp: true}, by)
}

// SubmitStepUp submits the code of a step-up.
func (s *Service) SubmitStepUp(ctx context.Context, code string, by Requester) (Entered, error) {
	return (&submit{s: s, by: by, typed: code, only: forStepUp}).run(ctx)
}

// prove adds a proof to the session for which it was asked.
func (s *Service) prove(tx *db.Tx, t ticket, by Requester, p Proved) (Entered, error) {
	sess, err := s.Sessions.Find(tx, by.Session)
	if errors.Is(err, db.ErrNotFound) || err == nil && (sess.ID != t.forSession || sess.User.ID != p.Account.User) {
		return Entered{Verdict: Gone}, nil
	} else if err != nil {
		return Entered{}, err
	}
	if used, err := t.use(tx, sess.ID); err != nil || !used {
		return Entered{Verdict: Used}, err
	}
	var givesBack bool
	who := p.Account
	who.GivenBackTo, givesBack = limit.Spend(s.Settings.GivesBack, who.GivenBackTo, tx.Now)
	if err := accounts.RecordSuccess(tx, who, t.addr, t.address()); err != nil {
		return Entered{}, err
	}
	proof := session.Proof{Factor: p.Factor, Account: who.Account, Provider: p.Provider, Upstream: p.Upstream}
	if err := s.Sessions.Prove(tx, sess, proof, by.Next); err != nil {
		return Entered{}, err
	}
	if err := audit.Finish(tx, t.id, db.ID(who.User), audit.SteppedUp, by.Client); err != nil {
		return Entered{}, err
	}
	return Entered{Verdict: Proven, Next: t.next, User: who.User, givesBack: givesBack, usedBy: sess.ID}, nil
}
