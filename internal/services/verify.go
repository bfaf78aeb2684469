package services

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/totp"
)

// Verdict is the answer to a caller.
type Verdict int

// Verdicts. The zero Verdict lets nobody in.
const (
	BadCaller  Verdict = iota // its triple does not hold
	NotAllowed                // its realm may not do this
	BadClaim                  // the other triple does not hold, or is none the caller may ask about
	OK
)

// String names a verdict for metrics.
func (v Verdict) String() string {
	return [...]string{"bad_caller", "not_allowed", "bad_claim", "ok"}[v]
}

// Verify says whether the caller is who it says and may verify, and then, if
// there is a claim, whether that holds. A right answer without single use costs
// one read and no write.
func (s *Service) Verify(ctx context.Context, by Caller, claim *Triple) (v Verdict, err error) {
	_, v, err = s.check(ctx, by, claim, Verify)
	return v, err
}

// Authorize says whether the caller is who it says and has a right.
func (s *Service) Authorize(ctx context.Context, by Caller, need Right) (v Verdict, err error) {
	_, v, err = s.check(ctx, by, nil, need)
	return v, err
}

// check walks through all that Verify promises, in the wire's order.
func (s *Service) check(ctx context.Context, by Caller, claim *Triple, need Right) (id ID, v Verdict, err error) {
	// Before anything is read: a wrong token that the read does not show is counted here.
	now := s.DB.Now()
	views := s.inFlight.enter(now, ownLimits(by))
	defer s.inFlight.leave(views)
	var asked []view
	if claim != nil {
		asked = s.inFlight.enter(now, claimLimits(by, *claim))
		defer s.inFlight.leave(asked)
	}
	who, what, now, err := s.load(ctx, by.Triple, claim)
	if err != nil {
		return 0, BadCaller, err
	}
	_, ok, err := s.compare(ctx, now, who, by.Token, guess{by: by, of: by.Triple, own: true, caller: who.id, views: views})
	defer func() { s.Verified(v.String()) }()
	switch {
	case err != nil || !ok:
		return 0, BadCaller, err
	case who.right < need:
		return who.id, NotAllowed, nil
	case claim == nil:
		return who.id, OK, nil
	}
	v, err = s.judge(ctx, now, what, guess{by: by, of: *claim, caller: who.id, views: asked})
	return who.id, v, err
}

// judge says whether a claim holds, for a caller who may ask.
func (s *Service) judge(ctx context.Context, now time.Time, what entry, g guess) (Verdict, error) {
	step, ok, err := s.compare(ctx, now, what, g.of.Token, g)
	if err != nil || !ok {
		return BadClaim, err
	}
	if s.Settings.SingleUse {
		if ok, err = s.spend(ctx, what.id, step); err != nil || !ok {
			return BadClaim, err
		}
	}
	return OK, nil
}

// spend uses a token up, and with it all that are older. A stored step that no token
// of this moment can have was used while a clock was ahead; it refuses nothing, or all
// tokens would be refused until the clock arrives there.
func (s *Service) spend(ctx context.Context, id ID, step int64) (ok bool, err error) {
	err = s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		last := totp.Step(tx.Now) + int64(s.Settings.Window)
		n, err := tx.Exec(`UPDATE services SET used_step = $1 WHERE id = $2 AND (used_step < $3 OR used_step > $4)`, step, id, step, max(step, last))
		ok = n == 1
		return err
	}))
	return ok, err
}

// compare says whether a token is that of the entry and may pass, writes down
// if not, and has the use noted if so.
func (s *Service) compare(ctx context.Context, now time.Time, e entry, token string, g guess) (step int64, ok bool, err error) {
	step, match, err := s.match(now, e, token)
	if err != nil {
		return 0, false, err
	}
	g.entry = e.id
	ok, err = s.allow(ctx, now, e, match, &g)
	if ok {
		s.keepUse(now, e, g)
	}
	return step, ok, err
}
