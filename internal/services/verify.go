package services

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/totp"
)

// Triple is a word for who somebody is: a name in a realm and the token of a
// moment.
type Triple struct{ Name, Realm, Token string }

// Caller is a service that asks, and from where.
type Caller struct {
	Triple
	Network string // one IPv4 address, or an IPv6 /64
	// Client is how history shows it. It is asked for only when something is
	// written down, while the request is under way.
	Client func() audit.Client
}

// client is who asks, as history shows it.
func (c Caller) client() audit.Client {
	if c.Client == nil {
		return audit.Client{}
	}
	return c.Client()
}

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

// entry is what a verification reads of an entry.
type entry struct {
	id          ID // 0: there is none
	sealed, old []byte
	failed      int64
	mark        int64 // of the last use (Use.mark), while that is fresh and not from the future; else 0
	right       Right // of its realm
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
	counters := s.watch.enter(now, ownLimits(by))
	defer s.watch.leave(counters)
	var asked []counter
	if claim != nil {
		asked = s.watch.enter(now, claimLimits(by, *claim))
		defer s.watch.leave(asked)
	}
	who, what, now, err := s.load(ctx, by.Triple, claim)
	if err != nil {
		return 0, BadCaller, err
	}
	_, ok, err := s.compare(ctx, now, who, by.Token, guess{by: by, of: by.Triple, own: true, asker: who.id, counters: counters})
	defer func() { s.Verified(v.String()) }()
	switch {
	case err != nil || !ok:
		return 0, BadCaller, err
	case who.right < need:
		return who.id, NotAllowed, nil
	case claim == nil:
		return who.id, OK, nil
	}
	v, err = s.judge(ctx, now, what, guess{by: by, of: *claim, asker: who.id, counters: asked})
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

// A verification costs what its columns cost, so SQL says what can be said there:
// the older seed only while it is good, nothing of what has ended. The first column
// is what the caller's realm may, verify (1) or administer (2), or isClaim.
const (
	isClaim      = 4
	selectCaller = `SELECT COALESCE(r.can_verify, s.is_trusted) + 2 * COALESCE(r.can_administer, 0) AS may, s.id, s.sealed,
		CASE WHEN s.old_valid_to > $1 THEN s.old_sealed END AS old, s.failed_at,
		CASE WHEN s.last_used_at > $2 AND s.last_used_at <= $3 THEN s.last_mark ELSE 0 END AS mark
		FROM services s LEFT JOIN realms r ON r.realm = s.realm
		WHERE s.place = $4 AND s.name = $5 AND s.realm = $6 AND (s.expires_at = 0 OR s.expires_at > $7)`
	// 4 is isClaim. A realm that is restricted may verify only what is written down
	// for it.
	selectBoth = selectCaller + ` UNION ALL SELECT 4, s.id, s.sealed,
		CASE WHEN s.old_valid_to > $8 THEN s.old_sealed END, s.failed_at,
		CASE WHEN s.last_used_at > $9 AND s.last_used_at <= $10 THEN s.last_mark ELSE 0 END
		FROM services s
		WHERE s.place = $11 AND s.name = $12 AND s.realm = $13 AND (s.expires_at = 0 OR s.expires_at > $14)
			AND (NOT EXISTS (SELECT 1 FROM realms WHERE realm = $15 AND is_restricted = 1)
				OR EXISTS (SELECT 1 FROM realm_allows WHERE caller_realm = $16 AND realm = s.realm))`
)

// load reads the caller's entry, and that of the claim if there is one, at one
// moment. One that does not exist, has expired, or is in a realm that the caller
// may not ask about, is the decoy, for which the same work is done.
func (s *Service) load(ctx context.Context, by Triple, claim *Triple) (who, what entry, now time.Time, err error) {
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		who, what, now = s.decoy, s.decoy, tx.Now
		return read(tx, by, claim, &who, &what)
	})
	return who, what, now, err
}

// read reads the caller's entry into who, and that of the claim, if there is one, into
// what. Where nothing is found they stay as they are.
func read(tx *db.Tx, by Triple, claim *Triple, who, what *entry) error {
	row := func(scan func(...any) error) error {
		var may int64
		var e entry
		if err := scan(&may, &e.id, &e.sealed, &e.old, &e.failed, &e.mark); err != nil {
			return err
		}
		if may == isClaim {
			*what = e
			return nil
		}
		*who = e
		who.right = right(by.Realm, may&1, may&2)
		return nil
	}
	now, fresh := tx.Millis(), tx.Millis()-useGrain.Milliseconds()
	if claim == nil {
		return tx.Each(row, selectCaller, now, fresh, now, place(by.Name, by.Realm), by.Name, by.Realm, now)
	}
	return tx.Each(row, selectBoth, now, fresh, now, place(by.Name, by.Realm), by.Name, by.Realm, now,
		now, fresh, now, place(claim.Name, claim.Realm), claim.Name, claim.Realm, now, by.Realm, by.Realm)
}

// compare says whether a token is that of the entry and may pass, writes down
// if not, and has the use noted if so.
func (s *Service) compare(ctx context.Context, now time.Time, e entry, token string, g guess) (step int64, ok bool, err error) {
	step, match, err := s.match(now, e, token)
	if err != nil {
		return 0, false, err
	}
	g.entry = e.id
	ok, err = s.pass(ctx, now, e, match, &g)
	if ok {
		s.note(now, e, g)
	}
	return step, ok, err
}

// match compares a token with those of the entry's seeds. A wrong one is compared with
// two, whether or not there is an older seed, or an entry at all.
func (s *Service) match(now time.Time, e entry, token string) (step int64, ok bool, err error) {
	step, ok, err = s.matchSeed(now, e.id, e.sealed, token)
	if ok || err != nil {
		return step, ok && e.id != 0, err
	}
	id, old := e.id, e.old
	if len(old) == 0 {
		id, old = s.decoy.id, s.decoy.sealed
	}
	step, ok, err = s.matchSeed(now, id, old, token)
	return step, ok && len(e.old) > 0 && e.id != 0, err
}

func (s *Service) matchSeed(now time.Time, id ID, sealed []byte, token string) (int64, bool, error) {
	text, err := s.open(id, sealed)
	if err != nil {
		return 0, false, err
	}
	seed, err := totp.ParseSeed(text)
	if err != nil {
		return 0, false, err
	}
	step, ok := totp.Match(seed, token, now, s.Settings.Window)
	return step, ok, nil
}
