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

// tell queues a message about a change to every address of its user, but for some. It has a
// link that undoes the change: whoever made it in the person's name had no say over these.
func (s *Service) tell(tx *db.Tx, c accounts.Change, by Requester, but ...accounts.ID) (all []outbox.Queued, err error) {
	known, err := accounts.Of(tx, c.User)
	if err != nil {
		return nil, err
	}
	u, err := accounts.GetUser(tx, c.User)
	if err != nil {
		return nil, err
	}
	if c.Kind == accounts.Removed { // whose owner must hear of it, whoever has removed it
		known = append(known, accounts.Account{ID: c.Moved[0].Account, Addr: c.Addr, Active: true})
	}
	l := by.Words
	for _, a := range known {
		if !a.Active || accounts.Redirects(a.Addr.Implementation) || slices.Contains(but, a.Addr) {
			continue
		}
		to := accounts.Address(a.Addr.Identifier)
		if s.Settings.Discovery.IsSpelling(u.Email, a.Addr) {
			to = accounts.Address(u.Email)
		}
		m := delivery.Message{
			To: accounts.ID{Implementation: a.Addr.Implementation, Identifier: a.Addr.Deliverable(to)}, Kind: string(c.Kind), Lang: l.Lang,
			Text: delivery.Text{
				Site: s.Settings.Site, Host: s.Settings.host(), Address: accounts.Account{Addr: c.Addr, Label: c.Label}.Masked(),
				Browser: l.Browser(by.Client.Agent), Place: l.Place(by.Client.Prefix), At: tx.Now.Format("15:04 MST"),
				NotMe: s.Settings.PublicURL + "/account/undo/" + s.undoToken(c.ID, a.ID).String(),
			},
		}
		q, err := s.Outbox.Enqueue(tx, m.Job(tx.Now.Add(tellFor)), false)
		if err != nil {
			return nil, err
		}
		all = append(all, q)
	}
	return all, nil
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
