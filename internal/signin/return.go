package signin

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/fetch"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// returning is a person who comes back from a provider.
type returning struct {
	s     *Service
	by    Requester
	state seal.Token
	trip  trip
	who   federation.Identity
	out   Entered
	isNew bool            // the account was made by this response
	told  []outbox.Queued // messages about an account that was added
}

// Return ends a sign-in at a provider: it checks the response, in the browser that was led
// there, once, and opens a session. provider is whose response it is by the address that it
// came to, sealed what the browser kept for the response's state.
// Errors of package federation say that the provider does not work or refuses.
func (s *Service) Return(ctx context.Context, provider, sealed string, response url.Values, by Requester) (Entered, error) {
	r := &returning{s: s, by: by}
	var isState, kept bool
	r.state, isState = seal.ParseToken(response.Get("state"))
	r.trip, kept = s.openTrip(sealed, by)
	if !isState {
		return Entered{Verdict: Gone}, nil
	}
	if !kept || !r.state.Matches(r.trip.StateHash) || cmp.Or(r.trip.Pending.Provider, accounts.OpenID) != provider {
		return r.out, s.DB.View(ctx, r.repeated)
	}
	if err := s.DB.Sequence(ctx, db.ReadCommitted(r.claim)); err != nil || r.out.Verdict != Accepted {
		return r.out, err
	}
	var err error
	r.who, err = s.Federation.Finish(fetch.WithNetwork(ctx, by.Network), r.trip.Pending, response)
	if errors.Is(err, federation.ErrDead) && !r.trip.Again {
		return r.again(ctx)
	}
	if err != nil {
		return Entered{}, err
	}
	err = s.DB.Sequence(ctx, db.Serializable(r.enter), db.Afterwards(r.giveBack))
	if err != nil && !s.committed(ctx, db.ID(r.state.ID), r.out) {
		return Entered{}, err
	}
	s.deliver(r.told, by)
	return r.out, nil
}

// again leads to the issuer once more, which had forgotten this server.
func (r *returning) again(ctx context.Context) (Entered, error) {
	t := trip{Typed: r.trip.Typed, Next: r.trip.Next, AdminHash: r.trip.AdminHash, ForSession: r.trip.ForSession, StepUp: r.trip.StepUp, Again: true}
	led, err := r.s.lead(ctx, Request{Typed: t.Typed, Issuer: r.trip.Pending.Issuer, Fresh: r.trip.Pending.Fresh}, t, r.by)
	return Entered{Verdict: LedAgain, Led: led}, err
}

// claim makes the attempt, so that each response is redeemed once. It also takes from the
// budget of fetching: whoever sends responses that no provider has made causes requests to
// the provider. A success gives that back.
func (r *returning) claim(tx *db.Tx) error {
	r.out = Entered{}
	if !tx.Now.Before(r.trip.Expires) {
		r.out.Verdict = Expired
		return nil
	}
	wait, err := limit.Take(tx, r.s.fetchBudget(r.by))
	if err != nil || wait > 0 {
		r.out = Entered{Verdict: Spent, Wait: wait}
		return err
	}
	a := attempt{ticket: r.ticket()}
	a.addr.Implementation, a.secretHash = r.s.implementation(r.trip.Pending), r.state.Hash()
	first, err := a.claim(tx)
	if err != nil || !first {
		r.out = Entered{}
		return errors.Join(err, r.repeated(tx))
	}
	r.out.Verdict = Accepted
	return nil
}

// ticket is the attempt's, before it is known who the person is.
func (r *returning) ticket() ticket {
	return ticket{
		id: db.ID(r.state.ID), purpose: forProvider, browser: r.by.Browser.ID[:], adminHash: r.trip.AdminHash,
		next: r.trip.Next, network: r.by.Network, client: r.by.Client,
	}
}

// repeated decides about a response that came before. In the session that it opened it is a
// page loaded again, and gets Again.
func (r *returning) repeated(tx *db.Tx) error {
	a, found, err := attemptOf(tx, r.state, "")
	if err != nil || !found {
		r.out.Verdict = Gone
		return err
	}
	return r.s.repeatedIn(tx, a.ticket, r.by, &r.out)
}

// enter opens the session.
func (r *returning) enter(tx *db.Tx) error {
	r.out, r.told = Entered{}, nil
	if r.trip.ForSession != 0 && r.trip.ForSession != db.ID(r.by.Session.ID) {
		r.out.Verdict = Gone
		return nil
	}
	r.isNew = false
	if r.trip.StepUp {
		return r.prove(tx)
	}
	who, account, err := r.account(tx)
	if err != nil || !account {
		r.out.Verdict = Refused
		return err
	}
	if err := accounts.SetLabel(tx, who.Account, r.who.Name); err != nil {
		return err
	}
	t := r.ticket()
	t.addr, t.account, t.forSession = r.who.ID, who.Account, r.trip.ForSession
	if r.trip.ForSession != 0 {
		r.out, r.told, err = r.s.add(tx, t, r.by, Proved{Account: who, Factor: r.who.ID.Implementation, Via: audit.SignedInProvider}, r.who.Name)
		return err
	}
	r.out, err = r.s.enter(tx, t, r.by, Proved{
		Account: who, Factor: r.who.ID.Implementation, Provider: r.who.Provider, Via: audit.SignedInProvider, Upstream: r.upstream(),
	})
	if err == nil && r.out.Verdict == Accepted && r.trip.Typed != "" {
		way := cmp.Or(r.who.Provider, r.who.ID.Implementation)
		r.out.Browser = r.s.browsers.Cookie(r.s.browsers.Remember(r.s.browsers.Remember(r.by.Browser, chosen(way, r.trip.Typed)), r.who.ID))
	}
	return err
}

func (r *returning) upstream() session.Upstream {
	return session.Upstream{AMR: strings.Join(r.who.AMR, " "), ACR: r.who.ACR, AuthTime: r.who.AuthTime}
}

// prove adds a proof to the session that asked for it. Who comes back is somebody whom the
// session's user is known as.
func (r *returning) prove(tx *db.Tx) error {
	who, err := accounts.StatusOf(tx, r.who.ID)
	if err == nil {
		who, err = accounts.StatusForUpdate(tx, who.Account)
	}
	if errors.Is(err, db.ErrNotFound) || err == nil && who.Deactivated {
		r.out.Verdict = Refused
		return nil
	} else if err != nil {
		return err
	}
	t := r.ticket()
	t.addr, t.account, t.forSession = r.who.ID, who.Account, r.trip.ForSession
	r.out, err = r.s.prove(tx, t, r.by, Proved{Account: who, Factor: r.who.ID.Implementation, Provider: r.who.Provider, Upstream: r.upstream()})
	if r.out.Verdict == Gone {
		r.out.Verdict = Refused
	}
	return err
}

// account finds whose account the identity is, and adds one for somebody who may sign up.
// It locks it.
func (r *returning) account(tx *db.Tx) (who accounts.AccountStatus, ok bool, err error) {
	if who, err = accounts.StatusOf(tx, r.who.ID); errors.Is(err, db.ErrNotFound) {
		r.isNew = true
		who, ok, err = r.newAccount(tx)
		if err != nil || !ok {
			return who, false, err
		}
	} else if err != nil {
		return who, false, err
	}
	if who, err = accounts.StatusForUpdate(tx, who.Account); err != nil {
		return who, false, err
	}
	if !who.Active && !who.Invited && !who.Deactivated && r.trip.ForSession == 0 { // made by somebody who added it and did not go on
		if ok, err = r.mayJoin(tx, r.who.ID); err != nil || !ok {
			return who, false, err
		}
	}
	return who, !who.Deactivated, nil
}

// newAccount adds the identity as an account: of the user whose address the provider is
// trusted with, or of a new one.
func (r *returning) newAccount(tx *db.Tx) (who accounts.AccountStatus, ok bool, err error) {
	if r.trip.ForSession != 0 { // it is given to the person of the session
		a, _, err := accounts.Add(tx, r.who.ID)
		who.Account = a.ID
		return who, true, err
	}
	if r.who.Mailbox != (accounts.Found{}) {
		if who, ok, err = r.ofMailbox(tx); err != nil || !ok || who.Deactivated {
			return who, false, err
		}
		a, err := accounts.AddTo(tx, who.User, r.who.ID)
		who.Account = a.ID
		return who, err == nil, err
	}
	if ok, err = r.mayJoin(tx, r.who.ID); err != nil || !ok {
		return who, false, err
	}
	a, _, err := accounts.Add(tx, r.who.ID)
	who.Account = a.ID
	return who, true, err
}

// ofMailbox is the account of the address that the provider is trusted with. The provider's
// word proves it, as a code would.
func (r *returning) ofMailbox(tx *db.Tx) (who accounts.AccountStatus, ok bool, err error) {
	box := r.who.Mailbox
	who, err = accounts.StatusOf(tx, box.ID)
	if errors.Is(err, db.ErrNotFound) {
		if ok, err = r.mayJoin(tx, box.ID); err != nil || !ok {
			return who, false, err
		}
		var a accounts.Account
		a, _, err = accounts.Add(tx, box.ID)
		who.Account = a.ID
	} else if err == nil && !who.Active && !who.Invited && !who.Deactivated {
		ok, err = r.mayJoin(tx, box.ID)
		if err != nil || !ok {
			return who, false, err
		}
	}
	if err != nil {
		return who, false, err
	}
	if who, err = accounts.StatusForUpdate(tx, who.Account); err != nil || who.Deactivated || who.Proved {
		return who, true, err
	}
	if err := accounts.RecordSuccess(tx, who, box.ID, box.Address); err != nil {
		return who, false, err
	}
	return who, true, r.s.promote(tx, ticket{addr: box.ID}, who)
}

// mayJoin reports whether somebody unknown may sign up with an id.
func (r *returning) mayJoin(tx *db.Tx, id accounts.ID) (bool, error) {
	if r.s.Settings.OpenSignup || r.s.Settings.Admins[id] {
		return true, nil
	}
	if len(r.trip.AdminHash) == 0 {
		return false, nil
	}
	return accounts.MatchesAdminToken(tx, r.trip.AdminHash)
}

func (r *returning) giveBack(tx *db.Tx) error {
	// New accounts keep what they took: an issuer of a stranger's could make them without end.
	if r.isNew && r.trip.Pending.Provider == "" || r.out.Verdict != Accepted && r.out.Verdict != Added && r.out.Verdict != Proven || r.out.Verdict == Accepted && !r.out.givesBack {
		return nil
	}
	return limit.GiveBack(tx, limit.Amount{Budget: r.s.fetchBudget(r.by), N: 1})
}
