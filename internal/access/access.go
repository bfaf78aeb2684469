// Package access is the one gate: it says whether a session may do something, by the factor
// levels and by what djauthy itself asks for, and what a person can prove to get on; and it
// hands sessions over to sites on other hosts.
//
// It owns no table. Sessions and their proofs are in session, the levels
// and how they decide in multifactor; how anything is proved is in signin.
package access

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// Service decides what sessions may do.
type Service struct {
	DB       *db.DB
	Sessions *session.Store
	Factors  multifactor.Server
	// Trusts are the names of providers whose word counts for how somebody proved who they are
	// there.
	Trusts map[string]bool

	book   multifactor.Book
	fresh  *multifactor.Level
	second *multifactor.Level
}

// New returns a service. It has each session be read together with the generation of the
// levels.
func New(d *db.DB, sessions *session.Store, factors multifactor.Server) *Service {
	sessions.Along = multifactor.GenerationColumn
	return &Service{DB: d, Sessions: sessions, Factors: factors, fresh: freshLevel(), second: secondLevel()}
}

// Access is a session, and whether it may do what was asked about.
type Access struct {
	Session  session.Session // zero: nobody is signed in
	Decision multifactor.Decision
	// Known is false if a level was asked for by a name that no level has.
	Known bool
}

// Access returns the session of a cookie and what the rules of some things say. It is the
// one gate of pages, proxies and apps, and one read: the rules lie in memory, and the
// session's query brings their generation along.
func (s *Service) Access(ctx context.Context, t seal.Token, things ...multifactor.Thing) (a Access, err error) {
	a.Session, err = s.Sessions.CheckAnd(ctx, t, func(tx *db.Tx, sess session.Session) error {
		a.Decision, a.Known, err = s.decide(tx, sess, things)
		return err
	})
	if errors.Is(err, db.ErrNotFound) {
		return Access{}, nil
	}
	return a, err
}

// Decide says whether a session may do something, in a transaction that does it.
func (s *Service) Decide(tx *db.Tx, sess session.Session, thing multifactor.Thing) (multifactor.Decision, error) {
	d, _, err := s.decide(tx, sess, []multifactor.Thing{thing})
	return d, err
}

// decide decides by the levels that guard the things, and by what djauthy itself asks for.
func (s *Service) decide(tx *db.Tx, sess session.Session, things []multifactor.Thing) (d multifactor.Decision, known bool, err error) {
	rules, known, err := s.rules(tx, sess, things)
	if err != nil || len(rules) == 0 {
		return multifactor.Decision{Allowed: known}, known, err
	}
	held, err := s.held(tx, sess, things)
	if err != nil {
		return d, known, err
	}
	if d = multifactor.Decide(rules, nil, held, tx.Now); d.Allowed {
		d.Allowed = known
		return d, known, nil
	}
	if slices.ContainsFunc(things, func(t multifactor.Thing) bool { return t.Kind == multifactor.Enroll }) { // unless an administrator lets them
		if linked, err := multifactor.HasEnrolmentLink(tx, sess.ID, sess.User.ID, sess.Forked()); err != nil || linked && sess.IsNewest() {
			return multifactor.Decision{Allowed: linked && known}, known, err
		}
	}
	ways, err := s.Factors.Ways(tx, sess.User.ID)
	if err != nil {
		return d, known, err
	}
	return multifactor.Decide(rules, ways, held, tx.Now), known, nil
}

// rules returns the rules of some things. known is false for a level that does not exist.
func (s *Service) rules(tx *db.Tx, sess session.Session, things []multifactor.Thing) (rules []multifactor.Rule, known bool, err error) {
	book, err := s.book.Rules(tx, sess.Along)
	if err != nil {
		return nil, false, err
	}
	return s.rulesBy(tx, book, sess, things)
}

// rulesBy is rules by given levels.
func (s *Service) rulesBy(tx *db.Tx, book *multifactor.Rules, sess session.Session, things []multifactor.Thing) (rules []multifactor.Rule, known bool, err error) {
	known = true
	for _, thing := range things {
		if thing.Kind == multifactor.Begun || thing.Kind == multifactor.Enroll {
			thing.Kind = multifactor.Action
		}
		more, exists := book.For(thing)
		rules, known = append(rules, more...), known && exists
	}
	for _, thing := range things {
		if needsFresh(thing) {
			rules = append(rules, multifactor.Rule{Level: s.fresh, Because: thing})
		}
		if changesSignIn(thing) {
			second, err := s.secondRule(tx, sess, thing)
			if err != nil {
				return nil, known, err
			}
			rules = append(rules, second...)
		}
	}
	return rules, known, nil
}

// changesSignIn reports what changes how a person proves who they are.
func changesSignIn(t multifactor.Thing) bool {
	if t.Kind != multifactor.Action && t.Kind != multifactor.Begun && t.Kind != multifactor.Enroll {
		return false
	}
	return t.Name == multifactor.ChangeFactors || t.Name == multifactor.AddAddress || t.Name == multifactor.RemoveAddress
}

// secondRule asks who has enrolled a second factor to have proved one in this session, before
// they change how they sign in: else a thief of the first factor would enroll a second one, or
// put an address of their own in the place of the owner's.
func (s *Service) secondRule(tx *db.Tx, sess session.Session, thing multifactor.Thing) ([]multifactor.Rule, error) {
	if has, err := multifactor.UserHasSecond(tx, sess.User.ID); err != nil || !has {
		return nil, err
	}
	return []multifactor.Rule{{Level: s.second, Because: thing}}, nil
}

// secondLevel needs a second factor.
func secondLevel() *multifactor.Level {
	return &multifactor.Level{Need: []multifactor.Need{{multifactor.TOTP}, {multifactor.Passkey}}}
}

// held returns what the proofs of a session count as for some things. What a remembered
// browser stands for counts for nothing that changes how a person proves who they are.
func (s *Service) held(tx *db.Tx, sess session.Session, things []multifactor.Thing) ([]multifactor.Held, error) {
	all, err := session.Proofs(tx, sess)
	if err != nil {
		return nil, err
	}
	held := make([]multifactor.Held, 0, len(all))
	strict := slices.ContainsFunc(things, changesSignIn)
	for _, p := range all {
		if !p.Remembered || !strict {
			held = append(append(held, heldBy(p)), s.upstream(p)...)
		}
	}
	if sess.Bound && !slices.ContainsFunc(things, isElsewhere) {
		held = append(held, multifactor.Held{Way: multifactor.Way{Factors: []multifactor.Factor{multifactor.Bound}}, Verified: sess.Created(), Expires: sess.Expires})
	}
	return held, nil
}

// isElsewhere reports a site on a host of its own, where the cookie is bound to nothing.
func isElsewhere(t multifactor.Thing) bool { return t.Kind == multifactor.Site && t.Name != "" }

// heldBy is what a proof counts as.
func heldBy(p session.Proof) multifactor.Held {
	h := multifactor.Held{Way: multifactor.Way{Key: multifactor.Key{Account: p.Account, Authenticator: p.Authenticator}}, Verified: p.Verified, Expires: p.Expires}
	switch {
	case p.Authenticator == 0:
		h.Factors = multifactor.FactorsOf(p.Factor, p.Provider)
	case p.UserVerified:
		h.Factors = []multifactor.Factor{multifactor.Factor(p.Factor), multifactor.VerifiedPasskey}
	default:
		h.Factors = []multifactor.Factor{multifactor.Factor(p.Factor)}
	}
	return h
}

// needsFresh reports what needs a fresh proof, whatever levels say.
func needsFresh(t multifactor.Thing) bool {
	if t.Kind != multifactor.Action && t.Kind != multifactor.Enroll {
		return false
	}
	switch t.Name {
	case multifactor.AddAddress, multifactor.RemoveAddress, multifactor.DeleteAccount, multifactor.ChangeFactors, Anew:
		return true
	}
	return false
}

// Anew is the action of proving anew who one is, for pages that only want that.
const Anew = "anew"

// freshLevel is what needs a fresh proof: any factor, no older than session.FreshFor. A level without
// a name is djauthy's own.
func freshLevel() *multifactor.Level {
	l := &multifactor.Level{Valid: map[multifactor.Factor]multifactor.Span{}}
	for _, f := range []multifactor.Factor{multifactor.AnyCode, multifactor.Passkey, multifactor.TOTP, accounts.OpenID, accounts.OAuth} {
		l.Need = append(l.Need, multifactor.Need{f})
		l.Valid[f] = multifactor.Span{Duration: session.FreshFor + time.Millisecond} // one that is exactly that old counts
	}
	return l
}
