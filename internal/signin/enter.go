package signin

import (
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/browser"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
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

// enter signs somebody in: it uses the ticket, activates the account and opens a session.
// No other code does that. It decides nothing: the caller has checked the proof and that
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
	if err := session.End(tx, by.Session); err != nil {
		return Entered{}, err
	}
	opened, err := s.Sessions.Open(tx, token, who.User, session.Proof{Factor: p.Factor, Account: who.Account, Provider: p.Provider, Upstream: p.Upstream}, by.Client)
	if err != nil {
		return Entered{}, err
	}
	if err := limit.Unblock(tx, notMeBlock, blockKey(by.Browser.ID[:], t.addr)); err != nil {
		return Entered{}, err
	}
	if err := audit.Finish(tx, t.id, db.ID(who.User), p.Via, by.Client); err != nil {
		return Entered{}, err
	}
	return Entered{
		Verdict: Accepted, Session: opened.Token, Expires: opened.Expires, Next: t.next, User: who.User,
		Browser: s.browsers.Cookie(s.browsers.Remember(s.browsers.Remember(by.Browser, browser.AsUser(who.User, who.BrowserEpoch)), t.addr)), givesBack: givesBack, usedBy: db.ID(token.ID),
	}, nil
}
