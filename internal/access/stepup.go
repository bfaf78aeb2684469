package access

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
)

// StepUp is what the page of a step-up shows: why something is to be proved, and by which
// ways that can be done.
type StepUp struct {
	Access
	// Asks are the rules that are not met, those of djauthy's own without a level's name.
	Asks []multifactor.Rule
	// Ways are what gets the person on, the best first.
	Ways []StepWay
}

// StepWay is one way to prove more.
type StepWay struct {
	multifactor.Way
	Account accounts.Account // zero for an authenticator
}

// IsFresh reports the level that djauthy itself asks for where a proof has to be fresh.
func (s *Service) IsFresh(l *multifactor.Level) bool { return l == s.fresh }

// StepUp returns what a session lacks for some things. Without a session the Access is zero.
func (s *Service) StepUp(ctx context.Context, t seal.Token, things ...multifactor.Thing) (out StepUp, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		out = StepUp{}
		sess, err := s.Sessions.Find(tx, t)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		out.Session = sess
		if out.Decision, out.Known, err = s.decide(tx, sess, things); err != nil || out.Decision.Allowed || !out.Known {
			return err
		}
		return s.describe(tx, &out, things)
	})
	return out, err
}

// describe adds what a person could prove.
func (s *Service) describe(tx *db.Tx, out *StepUp, things []multifactor.Thing) error {
	held, err := s.held(tx, out.Session, things)
	if err != nil {
		return err
	}
	for _, r := range out.Decision.Rules {
		if !r.Level.HeldBy(held, tx.Now) {
			out.Asks = append(out.Asks, r)
		}
	}
	ways, err := s.Factors.Ways(tx, out.Session.User.ID)
	if err != nil {
		return err
	}
	all, err := accounts.Of(tx, out.Session.User.ID)
	if err != nil {
		return err
	}
	of := func(w multifactor.Way) accounts.Account {
		if i := slices.IndexFunc(all, func(a accounts.Account) bool { return a.ID == w.Key.Account }); i >= 0 {
			return all[i]
		}
		return accounts.Account{}
	}
	// Of ways that are the same trouble, first that of this session, then the one used last.
	slices.SortStableFunc(ways, func(a, b multifactor.Way) int {
		x, y := of(a), of(b)
		mine := out.Session.Account
		return cmp.Or(cmp.Compare(db.Int(y.ID == mine), db.Int(x.ID == mine)), y.LastUsed.Compare(x.LastUsed))
	})
	for _, w := range multifactor.Options(out.Asks, ways, held, tx.Now) {
		way := StepWay{Way: w, Account: of(w)}
		if !w.Is(multifactor.Bound) { // nothing that a person can do
			out.Ways = append(out.Ways, way)
		}
	}
	return nil
}
