package signkeys

import (
	"context"
	"fmt"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

const (
	// publishedFor is the least time for which a key is published before it signs, unless
	// keys rotate more often or somebody forces it. The next key is made when the one
	// before it becomes active, so it has been published for the whole time of that one;
	// this is for a next key that was missing. Verifiers fetch keys once a day or more often.
	publishedFor = 24 * time.Hour
	// Kept is how long an old key is published. An ID token serves as a hint for as long as
	// the session in which it was issued may last (OIDC RP-Initiated Logout 1.0), by
	// default 30 days; tokens that let somebody in live for minutes.
	Kept = 30 * 24 * time.Hour
	// dueEvery is how often Run looks whether a key is due.
	dueEvery = time.Minute
)

// Rotate makes the next key active at once, makes another next one, and returns the active one.
// That key has been published since the rotation before; if that was a moment ago, verifiers
// refuse tokens until they have fetched it. Where there are no keys, it makes the first ones. A
// ring sees it a few seconds after the commit at the latest.
func (r *Ring) Rotate(tx *db.Tx) (Key, error) {
	active, err := r.turn(tx, ES256, true)
	if err != nil {
		return Key{}, fmt.Errorf("rotate keys: %w", err)
	}
	return active, nil
}

// Withdraw removes all keys and makes others, as after a leak: what was signed before verifies no
// more, by a ring a few seconds after the commit at the latest, and elsewhere once the keys are
// fetched again. It returns the key that is active now, and those that were removed.
func (r *Ring) Withdraw(tx *db.Tx) (active Key, withdrawn []Key, err error) {
	before, err := rows(tx)
	if err == nil {
		_, err = tx.Exec(`DELETE FROM signing_keys`)
	}
	if err == nil {
		active, err = r.turn(tx, ES256, false)
	}
	if err != nil {
		return Key{}, nil, fmt.Errorf("withdraw keys: %w", err)
	}
	return active, keysOf(before), nil
}

// Run rotates keys that are due, until ctx ends. Any number of processes may run it on one
// database. It makes no first key: the first use does.
func (r *Ring) Run(ctx context.Context) error {
	tick := time.NewTicker(dueEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := r.RotateDue(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("cannot rotate the signing key; it signs on", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

// RotateDue does once what Run does each minute.
func (r *Ring) RotateDue(ctx context.Context) error {
	var before pair
	var work bool
	err := r.db.Read(ctx, func(tx *db.Tx) (err error) {
		before, err = pairOf(tx, ES256)
		work = before.active.id != 0 && (before.next.id == 0 || before.ahead(tx.Now) || before.due(tx.Now, r.rotate))
		return err
	})
	if err != nil || !work {
		return err
	}
	active, err := r.turnDue(ctx, ES256)
	if err == nil && active.KID != before.active.KID {
		r.log.Info("another key signs", "alg", active.Alg, "kid", active.KID)
	}
	return err
}

// turnDue is turn in a transaction of its own. It is serializable, so of two processes that
// find a key due only one rotates.
func (r *Ring) turnDue(ctx context.Context, alg Alg) (active Key, err error) {
	err = r.db.Update(ctx, func(tx *db.Tx) (err error) {
		active, err = r.turn(tx, alg, false)
		return err
	})
	r.read.Store(&set{}) // this process sees it at once
	return active, err
}

// turn makes what is missing, lets the next key sign if it is due or has to at once, and
// returns the active one.
func (r *Ring) turn(tx *db.Tx, alg Alg, atOnce bool) (Key, error) {
	p, err := pairOf(tx, alg)
	if err != nil {
		return Key{}, err
	}
	if p.ahead(tx.Now) {
		if p, err = setBack(tx, alg); err != nil {
			return Key{}, err
		}
	}
	if p.next.id == 0 {
		if p.next, err = r.add(tx, alg); err != nil {
			return Key{}, err
		}
	}
	if p.active.id == 0 || atOnce || p.due(tx.Now, r.rotate) {
		p, err = r.replace(tx, p)
	}
	return p.active.Key, err
}

// replace retires the active key, if there is one, and lets the next one sign. Only the proof
// that the row was made here is left of the retired key's private part.
func (r *Ring) replace(tx *db.Tx, p pair) (pair, error) {
	if old := p.active; old.id != 0 {
		if _, err := tx.Exec(`UPDATE signing_keys SET state = $2, sealed = $3, retired_at = $4 WHERE id = $1`,
			old.id, Old, r.box.Seal(nil, old.context()), tx.Now); err != nil {
			return p, err
		}
	}
	p.active = p.next
	p.active.State, p.active.Activated = Active, tx.Now
	if _, err := tx.Exec(`UPDATE signing_keys SET state = $2, activated_at = $3 WHERE id = $1`, p.active.id, Active, tx.Now); err != nil {
		return p, err
	}
	var err error
	p.next, err = r.add(tx, p.active.Alg)
	return p, err
}

// pair is the active and the next key of an algorithm; id 0: there is none.
type pair struct{ active, next row }

func pairOf(tx *db.Tx, alg Alg) (p pair, err error) {
	all, err := db.All(tx, scan, `SELECT `+columns+` FROM signing_keys WHERE alg = $1 AND state <> $2`, alg, Old)
	for _, x := range all {
		if x.State == Active {
			p.active = x
		} else {
			p.next = x
		}
	}
	return p, err
}

// due reports whether the active key has signed for long enough and the next one has been
// published for long enough.
func (p pair) due(now time.Time, rotate time.Duration) bool {
	return p.next.id != 0 && now.Sub(p.active.Activated) >= rotate && now.Sub(p.next.Created) >= min(publishedFor, rotate)
}

// ahead reports whether a time of the pair was stored by a clock that was ahead.
func (p pair) ahead(now time.Time) bool {
	latest := now.Add(db.Skew)
	return p.active.Activated.After(latest) || p.next.Created.After(latest)
}

// setBack replaces times that a clock stored which was ahead by now, the latest at which they
// can have been: otherwise a key would sign until that clock's time has come.
func setBack(tx *db.Tx, alg Alg) (pair, error) {
	if _, err := tx.Exec(`UPDATE signing_keys SET created_at = CASE WHEN created_at > $2 THEN $2 ELSE created_at END,
		activated_at = CASE WHEN activated_at > $2 THEN $2 ELSE activated_at END WHERE alg = $1 AND state <> $3`, alg, tx.Now, Old); err != nil {
		return pair{}, err
	}
	return pairOf(tx, alg)
}

// Sweep removes up to limit old keys that were retired before a time.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM signing_keys WHERE id IN (SELECT id FROM signing_keys WHERE state = $1 AND retired_at < $2 ORDER BY id LIMIT $3)`, Old, before, limit)
}
