package signin

import (
	"context"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// Linked is what the page of an opened link shows.
type Linked struct {
	Verdict  Verdict // Accepted: a button signs in; Foreign: Code is shown; else it has ended
	Code     string  // to type in the browser of the attempt
	Masked   string
	Recovery bool   // made by `users link`
	Next     string // where the button leads: a local path, or ""
	Client   audit.Client
	At       time.Time
	NotMe    seal.Token
}

// Link reads the state of a mailed link. It changes nothing: mail scanners open links, too.
func (s *Service) Link(ctx context.Context, link seal.Token, by Requester) (l Linked, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		l = Linked{}
		a, err := loadAttempt(tx, db.ID(link.ID), "")
		if errors.Is(err, db.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		account, _, err := accounts.Get(tx, a.account)
		if errors.Is(err, db.ErrNotFound) {
			account.CodeGeneration = accounts.NoGeneration
		} else if err != nil {
			return err
		}
		code, ok, err := s.Codes.ByLink(tx.Now, a.id, a.codes, link, account.CodeGeneration)
		if err != nil || !ok {
			return err
		}
		l = Linked{Verdict: Foreign, Code: code.Text, Masked: a.addr.Masked(), Recovery: a.purpose == forRecovery, Next: a.next, Client: a.client, At: code.Created, NotMe: s.notMeToken(a.id)}
		switch {
		case !a.voided.IsZero():
			l.Verdict, l.Code = Stopped, ""
		case !a.used.IsZero():
			l.Verdict, l.Code = Used, ""
		case !code.Open:
			l.Verdict, l.Code = Expired, ""
		case a.purpose == forRecovery || by.Attempt.ID == link.ID && by.Attempt.Matches(a.secretHash):
			l.Verdict, l.Code = Accepted, ""
		}
		return nil
	})
	return l, err
}

// MakeLink makes a recovery link: it signs a user in once, in any browser, after a button.
// An administrator hands it over. It is for the user's oldest account. It returns
// ErrDeactivated for a deactivated user.
func (s *Service) MakeLink(ctx context.Context, user accounts.UserID) (link seal.Token, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		link, err = s.makeLink(tx, user)
		return err
	})
	return link, err
}

// ErrDeactivated reports that nobody may sign in as the user.
var ErrDeactivated = errors.New("this user is deactivated")

func (s *Service) makeLink(tx *db.Tx, user accounts.UserID) (seal.Token, error) {
	u, err := accounts.GetUser(tx, user)
	if err != nil {
		return seal.Token{}, err
	}
	if !u.Deactivated.IsZero() {
		return seal.Token{}, ErrDeactivated
	}
	all, err := accounts.Of(tx, user)
	if err != nil {
		return seal.Token{}, err
	}
	if len(all) == 0 {
		return seal.Token{}, errors.New("this user has no address to sign in with")
	}
	a := attempt{
		ticket:    ticket{id: tx.NewID(), purpose: forRecovery, browser: []byte{}, addr: all[0].Addr, account: all[0].ID},
		codeState: codeState{sends: 1, sent: tx.Now},
	}
	a.secretHash = seal.NewToken(0).Hash() // of a cookie that no browser gets
	code, err := s.Codes.Issue(tx.Now, a.id, &a.codes, true, all[0].CodeGeneration, s.Settings.life(all[0].Addr.Implementation))
	if err != nil {
		return seal.Token{}, err
	}
	a.expires = code.Expires
	if err := a.insert(tx); err != nil {
		return seal.Token{}, err
	}
	return code.Link, audit.Write(tx, db.ID(user), audit.Command, audit.LinkMade, audit.Client{})
}
