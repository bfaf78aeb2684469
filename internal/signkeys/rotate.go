package signkeys

import (
	"context"
	"fmt"

	"github.com/djauthy/djauthy/internal/db"
)

// Rotate makes the next key active at once, makes another next one, and returns the active one.
// That key has been published since the rotation before; if that was a moment ago, verifiers
// refuse tokens until they have fetched it. Where there are no keys, it makes the first ones.
func (r *Ring) Rotate(ctx context.Context) (Key, error) {
	active, err := r.turn(ctx, ES256, true)
	if err != nil {
		return Key{}, fmt.Errorf("rotate keys: %w", err)
	}
	return active, nil
}

// turn makes what is missing, lets the next key sign if no key does or it has to at once, and
// returns the active one.
func (r *Ring) turn(ctx context.Context, alg Alg, atOnce bool) (active Key, err error) {
	err = r.db.Update(ctx, func(tx *db.Tx) error {
		p, err := pairOf(tx, alg)
		if err != nil {
			return err
		}
		if p.next.id == 0 {
			if p.next, err = r.add(tx, alg); err != nil {
				return err
			}
		}
		if p.active.id == 0 || atOnce {
			if p, err = r.replace(tx, p); err != nil {
				return err
			}
		}
		active = p.active.Key
		return nil
	})
	r.read.Store(&set{}) // this process sees it at once
	return active, err
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
