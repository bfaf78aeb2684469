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

// notifyFor is how long a message about a change is tried to be sent.
const notifyFor = 24 * time.Hour

// notifier queues messages about a change.
type notifier struct {
	s      *Service
	tx     *db.Tx
	change accounts.Change
	by     Requester
	queued []outbox.Queued
	// elsewhere: somebody gets the message with the link that undoes the change.
	elsewhere bool
}

// notify queues a message about a change for every account of its user, except those in but.
// Accounts that may undo the change get the link that does.
func (s *Service) notify(tx *db.Tx, c accounts.Change, by Requester, but ...accounts.ID) ([]outbox.Queued, error) {
	u, known, err := userWithAccounts(tx, c.User)
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
	n := notifier{s: s, tx: tx, change: c, by: by}
	n.elsewhere = slices.ContainsFunc(known, func(a accounts.Account) bool { return slices.Contains(undoers, a.ID) && takesMessages(a) })
	for _, a := range known {
		if slices.Contains(but, a.Addr) {
			continue
		}
		notMe := ""
		if slices.Contains(undoers, a.ID) {
			notMe = s.Settings.PublicURL + "/account/undo/" + s.undoToken(c.ID, a.ID).String()
		}
		if err := n.enqueue(u, a, string(c.Kind), notMe); err != nil {
			return nil, err
		}
	}
	return n.queued, nil
}

// notifyUndone queues a message that a change was undone for every account that it concerned:
// whoever reads one address with a link can undo it alone.
func (s *Service) notifyUndone(tx *db.Tx, c accounts.Change, by Requester) ([]outbox.Queued, error) {
	n := notifier{s: s, tx: tx, change: c, by: by}
	users, err := concerned(tx, c)
	if err != nil {
		return nil, err
	}
	for _, user := range users {
		u, all, err := userWithAccounts(tx, user)
		if err != nil {
			return nil, err
		}
		if c.Kind == accounts.Added && user == c.User { // for the address that goes, it is a removal
			if err := n.enqueue(u, accounts.Account{Addr: c.Addr, Active: true}, string(accounts.Removed), ""); err != nil {
				return nil, err
			}
		}
		for _, a := range all {
			if err := n.enqueue(u, a, "undone", ""); err != nil {
				return nil, err
			}
		}
	}
	return n.queued, nil
}

// userWithAccounts reads a user and their accounts.
func userWithAccounts(tx *db.Tx, id accounts.UserID) (u accounts.User, all []accounts.Account, err error) {
	if all, err = accounts.Of(tx, id); err != nil {
		return u, nil, err
	}
	u, err = accounts.GetUser(tx, id)
	return u, all, err
}

// takesMessages reports a proved account to which messages can be sent.
func takesMessages(a accounts.Account) bool {
	return a.Active && !accounts.Redirects(a.Addr.Implementation)
}

// enqueue queues a message for one account of a user, if it is proved and takes messages.
func (n *notifier) enqueue(u accounts.User, a accounts.Account, kind, notMe string) error {
	if !takesMessages(a) {
		return nil
	}
	to := accounts.Address(a.Addr.Identifier)
	if n.s.Settings.Discovery.IsSpelling(u.Email, a.Addr) {
		to = accounts.Address(u.Email)
	}
	m := delivery.Message{
		To: accounts.ID{Implementation: a.Addr.Implementation, Identifier: a.Addr.Deliverable(to)}, Kind: kind, Lang: n.by.Words.Lang,
		Text: n.s.text(n.tx.Now, n.by),
	}
	m.Text.Address = accounts.Account{Addr: n.change.Addr, Label: n.change.Label}.Masked()
	m.Text.NotMe, m.Text.Elsewhere, m.Text.Link = notMe, n.elsewhere, n.s.Settings.PublicURL+"/account"
	q, err := n.s.Outbox.Enqueue(n.tx, m.Job(n.tx.Now.Add(notifyFor)), false)
	n.queued = append(n.queued, q)
	return err
}

// text is what every message says: of which site it is, and who has caused it.
func (s *Service) text(now time.Time, by Requester) delivery.Text {
	l := by.Words
	return delivery.Text{
		Site: s.Settings.Site, Host: s.Settings.host(),
		Browser: l.Browser(by.Client.Agent), Place: l.Place(by.Client.Prefix), At: now.Format("15:04 MST"),
	}
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
