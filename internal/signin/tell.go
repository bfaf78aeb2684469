package signin

import (
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
)

// tellFor is how long a message about a change is tried to be sent.
const tellFor = 24 * time.Hour

// telling queues messages about a change.
type telling struct {
	s      *Service
	tx     *db.Tx
	change accounts.Change
	by     Requester
	queued []outbox.Queued
}

// tell queues a message about a change to every address of its user, but for some. For those
// who may undo it, it has a link that does.
func (s *Service) tell(tx *db.Tx, c accounts.Change, by Requester, but ...accounts.ID) ([]outbox.Queued, error) {
	u, known, err := owned(tx, c.User)
	if err != nil {
		return nil, err
	}
	undoers, err := c.Undoers(tx)
	if err != nil {
		return nil, err
	}
	if c.Kind == accounts.Removed { // whose owner must hear of it, whoever has removed it
		known = append(known, accounts.Account{ID: c.Moved[0].Account, Addr: c.Addr, Active: true})
	}
	t := telling{s: s, tx: tx, change: c, by: by}
	for _, a := range known {
		if slices.Contains(but, a.Addr) {
			continue
		}
		notMe := ""
		if slices.Contains(undoers, a.ID) {
			notMe = s.Settings.PublicURL + "/account/undo/" + s.undoToken(c.ID, a.ID).String()
		}
		if err := t.to(u, a, string(c.Kind), notMe); err != nil {
			return nil, err
		}
	}
	return t.queued, nil
}

// tellUndone queues a message that a change was undone, to every address that it concerned:
// who has undone it may be anybody who reads one address.
func (s *Service) tellUndone(tx *db.Tx, c accounts.Change, by Requester) ([]outbox.Queued, error) {
	t := telling{s: s, tx: tx, change: c, by: by}
	for _, user := range []accounts.UserID{c.User, c.Other} {
		if user == 0 {
			continue
		}
		u, all, err := owned(tx, user)
		if err != nil {
			return nil, err
		}
		if c.Kind == accounts.Added && user == c.User {
			all = append(all, accounts.Account{Addr: c.Addr, Active: true})
		}
		for _, a := range all {
			if err := t.to(u, a, "undone", ""); err != nil {
				return nil, err
			}
		}
	}
	return t.queued, nil
}

// owned is a user and the accounts that the user has.
func owned(tx *db.Tx, id accounts.UserID) (u accounts.User, all []accounts.Account, err error) {
	if all, err = accounts.Of(tx, id); err != nil {
		return u, nil, err
	}
	u, err = accounts.GetUser(tx, id)
	return u, all, err
}

// to queues a message for one account of a user, if it is proved and takes messages.
func (t *telling) to(u accounts.User, a accounts.Account, kind, notMe string) error {
	if !a.Active || accounts.Redirects(a.Addr.Implementation) {
		return nil
	}
	to := accounts.Address(a.Addr.Identifier)
	if t.s.Settings.Discovery.IsSpelling(u.Email, a.Addr) {
		to = accounts.Address(u.Email)
	}
	l := t.by.Words
	m := delivery.Message{
		To: accounts.ID{Implementation: a.Addr.Implementation, Identifier: a.Addr.Deliverable(to)}, Kind: kind, Lang: l.Lang,
		Text: delivery.Text{
			Site: t.s.Settings.Site, Host: t.s.Settings.host(), Address: accounts.Account{Addr: t.change.Addr, Label: t.change.Label}.Masked(),
			Browser: l.Browser(t.by.Client.Agent), Place: l.Place(t.by.Client.Prefix), At: t.tx.Now.Format("15:04 MST"),
			NotMe: notMe, Link: t.s.Settings.PublicURL + "/account",
		},
	}
	q, err := t.s.Outbox.Enqueue(t.tx, m.Job(t.tx.Now.Add(tellFor)), false)
	t.queued = append(t.queued, q)
	return err
}

// deliver begins messages once the response has been written.
func (s *Service) deliver(all []outbox.Queued, by Requester) {
	for _, q := range all {
		if by.AfterResponse == nil {
			s.Outbox.Deliver(q)
			continue
		}
		by.AfterResponse(func() { s.Outbox.Deliver(q) })
	}
}

// undoToken is derived from the change and the account that is told of it (a MAC), so that
// nothing is stored for it.
func (s *Service) undoToken(c db.ID, told accounts.AccountID) seal.Token {
	return seal.Token{ID: int64(c), Secret: [32]byte(s.undo.Sum(db.Bytes(c), db.Bytes(db.ID(told))))}
}
