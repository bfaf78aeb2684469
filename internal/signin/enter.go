package signin

import (
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/browser"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// Proved is a factor that somebody has just proved, by a code or by a link.
type Proved struct {
	Account accounts.AccountStatus // whose it is; its rows are locked
	Factor  string                 // the implementation: "email"
	// Provider is the name of the configured provider, or "".
	Provider string
	Via      audit.Event // how, for the history
	// Upstream is how a provider says that it was proved there.
	Upstream session.Upstream
}

// enter signs somebody in by an account: it uses the ticket, activates the account and opens a
// session. Beside it only enterBy does, by a passkey. It decides nothing: the caller has checked the proof and that
// the account may sign in.
func (s *Service) enter(tx *db.Tx, t ticket, by Requester, p Proved) (Entered, error) {
	token, who := session.NewToken(tx), p.Account
	used, err := t.use(tx, db.ID(token.ID))
	if err != nil || !used {
		return Entered{Verdict: Used}, err
	}
	var givesBack bool
	who.GivenBackTo, givesBack = limit.Spend(s.Settings.GivesBack, who.GivenBackTo, tx.Now)
	if err := accounts.RecordSuccess(tx, who, t.addr, t.address()); err != nil {
		return Entered{}, err
	}
	if err := s.promote(tx, t, who); err != nil {
		return Entered{}, err
	}
	proof := session.Proof{Factor: p.Factor, Account: who.Account, Provider: p.Provider, Upstream: p.Upstream}
	out, err := s.open(tx, token, who.User, who.BrowserEpoch, proof, by, t.addr)
	if err != nil {
		return Entered{}, err
	}
	if err := limit.Unblock(tx, notMeBlock, blockKey(by.Browser.ID[:], t.addr)); err != nil {
		return Entered{}, err
	}
	if err := audit.Finish(tx, t.id, db.ID(who.User), p.Via, by.Client); err != nil {
		return Entered{}, err
	}
	out.Next, out.givesBack, out.usedBy = t.next, givesBack, db.ID(token.ID)
	return out, nil
}

// open opens a session in place of the browser's own, and has the browser know the user and
// the ids. It is for enter and enterBy alone, which have checked who it is.
func (s *Service) open(tx *db.Tx, token seal.Token, user accounts.UserID, epoch int64, p session.Proof, by Requester, ids ...accounts.ID) (Entered, error) {
	if err := session.End(tx, by.Session); err != nil {
		return Entered{}, err
	}
	opened, err := s.Sessions.Open(tx, token, user, p, by.Client)
	if err != nil {
		return Entered{}, err
	}
	if err := s.recall(tx, opened, user, by); err != nil {
		return Entered{}, err
	}
	b := s.browsers.Remember(by.Browser, browser.AsUser(user, epoch))
	for _, id := range ids {
		b = s.browsers.Remember(b, id)
	}
	return Entered{Verdict: Accepted, Session: opened.Token, Expires: opened.Expires, User: user, Browser: s.browsers.Cookie(b)}, nil
}

// recall adds what a remembered browser stands for to a session that has just been opened in
// it: the proof of a second factor, at its own time.
func (s *Service) recall(tx *db.Tx, opened session.Opened, user accounts.UserID, by Requester) error {
	d, found, err := multifactor.FindDevice(tx, by.Device, user)
	if err != nil || !found {
		return err
	}
	expires := opened.Expires
	if d.Expires.Before(expires) {
		expires = d.Expires
	}
	return session.AddProof(tx, db.ID(opened.Token.ID), user, session.Proof{
		Factor: string(d.Factor), Authenticator: d.Authenticator, UserVerified: d.UserVerified, Remembered: true, Verified: d.Verified, Expires: expires,
	})
}
