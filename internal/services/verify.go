package services

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/totp"
)

// Verdict is whether a caller may do what it asks for, and why not.
type Verdict int

// Verdicts. The zero Verdict refuses.
const (
	BadCaller  Verdict = iota // its own token is not good
	NotAllowed                // its realm may not do this
	BadClaim                  // the token of the claim is not good, or the caller may not ask about it
	OK
)

// String names a verdict for metrics.
func (v Verdict) String() string {
	return [...]string{"bad_caller", "not_allowed", "bad_claim", "ok"}[v]
}

// Verify says whether the caller's own token is good, whether the caller may verify, and
// then, if there is a claim, whether that is good. Right tokens cost one read and no
// write, but for single use.
func (s *Service) Verify(ctx context.Context, by Caller, claim *Triple) (v Verdict, err error) {
	_, v, err = s.check(ctx, by, claim, Verify)
	return v, err
}

// Authorize says whether the caller's own token is good, and whether it has a right.
func (s *Service) Authorize(ctx context.Context, by Caller, need Right) (v Verdict, err error) {
	_, v, err = s.check(ctx, by, nil, need)
	return v, err
}

// check does what Verify promises, in the wire's order.
func (s *Service) check(ctx context.Context, by Caller, claim *Triple, need Right) (id ID, v Verdict, err error) {
	// Before anything is read: wrong tokens that the read does not show count in memory.
	limits := s.inFlight.enter(s.DB.Now(), limitsOf(by, claim))
	defer s.inFlight.leave(limits)
	who, what, now, err := s.load(ctx, by.Triple, claim)
	if err != nil {
		return 0, BadCaller, err
	}
	defer func() { s.Verified(v.String()) }()
	_, ok, err := s.judge(ctx, now, who, &guess{by: by, of: by.Triple, own: true, caller: who.id, limits: limits[:ownKinds]})
	switch {
	case err != nil || !ok:
		return 0, BadCaller, err
	case who.right < need:
		return who.id, NotAllowed, nil
	case claim == nil:
		return who.id, OK, nil
	}
	step, ok, err := s.judge(ctx, now, what, &guess{by: by, of: *claim, caller: who.id, limits: limits[ownKinds:]})
	if ok && s.Settings.SingleUse {
		ok, err = s.spend(ctx, what.id, step)
	}
	if err != nil || !ok {
		return who.id, BadClaim, err
	}
	return who.id, OK, nil
}

// judge says whether a token is its entry's and no limit is spent. When it returns, a
// wrong token is recorded, and the use of a right one waits for Run to write it.
func (s *Service) judge(ctx context.Context, now time.Time, e entry, g *guess) (step int64, ok bool, err error) {
	step, match, err := s.match(now, e, g.of.Token)
	if err != nil {
		return 0, false, err
	}
	g.entry = e.id
	ok, err = s.allow(ctx, now, e, match, g)
	if ok {
		s.keepUse(now, e, g)
	}
	return step, ok, err
}

// spend uses up a token and all older ones; ok is false if it was used before. A stored
// step beyond the window was used while a clock was ahead, and refuses nothing: else no
// token would pass until the clock gets there.
func (s *Service) spend(ctx context.Context, id ID, step int64) (ok bool, err error) {
	err = s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		last := totp.Step(tx.Now) + int64(s.Settings.Window)
		n, err := tx.Exec(`UPDATE services SET used_step = $1 WHERE id = $2 AND (used_step < $3 OR used_step > $4)`, step, id, step, max(step, last))
		ok = n == 1
		return err
	}))
	return ok, err
}
