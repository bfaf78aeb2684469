package services

import (
	"context"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
)

// Seven of a million tokens are good at any moment, so guesses are counted: a
// caller's own tokens per entry and network, those it has verified per caller
// and entry. Counting before comparing would make every verification a write.
// So a guess is written down once it was wrong, before it is answered, and what
// is not written down yet is watched in this process: of any number of guesses
// at once no more are compared than the budget has room for.

// guess is a token that somebody shows for an entry.
type guess struct {
	by    Caller
	of    Triple
	entry ID // 0: there is none
	asker ID // the caller's entry
	// own watches the pair that is counted, strangers what all networks share
	// that have not been right before; nil for a claim.
	own, strangers *watching
}

// asked says in history who asked about an entry; "" if it called itself.
func (g guess) asked() string {
	if g.strangers != nil {
		return ""
	}
	return "asked by " + Entry{Name: g.by.Name, Realm: g.by.Realm}.String()
}

// budgets are what a wrong guess takes.
func (g guess) budgets(known bool) []limit.Budget {
	id := g.of.Name + "\x00" + g.of.Realm
	if g.strangers == nil {
		return []limit.Budget{{Name: "service_claim", Key: g.by.Name + "\x00" + g.by.Realm + "\x00" + id, Rates: guesses, Near: id}}
	}
	own := limit.Budget{Name: "service_caller", Key: g.by.Network + "\x00" + id, Rates: guesses, Near: id}
	if known {
		return []limit.Budget{own}
	}
	return []limit.Budget{own, {Name: "service_strangers", Key: id, Rates: guesses, Near: id}}
}

// room is how many wrong guesses may still come.
type room struct {
	own, strangers int
	known          bool // the caller was right from this network before: strangers do not count for it
	looked         bool // it was read, not supposed
}

// pass says whether a token that does or does not match may pass, and writes
// down that it does not.
func (s *Service) pass(ctx context.Context, now time.Time, e entry, match bool, g *guess) (ok bool, err error) {
	left := room{own: mostGuesses, strangers: mostGuesses}
	if !match || now.UnixMilli()-e.failed < guessMemory.Milliseconds() {
		if left, err = s.look(ctx, g); err != nil {
			return false, err
		}
	}
	for {
		answer, settles := s.watch.judge(g, match, left)
		switch answer {
		case unsure:
			if settles != nil {
				select {
				case <-settles:
				case <-ctx.Done():
					return false, ctx.Err()
				}
			}
			if left, err = s.look(ctx, g); err != nil {
				return false, err
			}
			continue
		case wrong:
			return false, s.fail(ctx, g, left.known)
		}
		return answer == good, nil
	}
}

// look reads what the budgets have left.
func (s *Service) look(ctx context.Context, g *guess) (left room, err error) {
	s.watch.renew(g) // what was written down by now, the reads show
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		left = room{looked: true, known: g.strangers == nil, strangers: mostGuesses}
		if !left.known {
			var one int64
			err := tx.Get(`SELECT 1 FROM service_callers WHERE service_id = $1 AND network = $2`, g.entry, g.by.Network).Scan(&one)
			if err != nil && !errors.Is(err, db.ErrNotFound) {
				return err
			}
			left.known = err == nil
		}
		b := g.budgets(left.known)
		if left.own, err = limit.Room(tx, b[0]); err != nil || len(b) < 2 {
			return err
		}
		left.strangers, err = limit.Room(tx, b[1])
		return err
	})
	return left, err
}

// fail counts a wrong guess. It is durable when fail returns.
func (s *Service) fail(ctx context.Context, g *guess, known bool) error {
	// Also when who asked has gone away: a guess that is not waited for counts.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	client := g.by.client()
	err := s.DB.Sequence(ctx, db.Shared(func(tx *db.Tx) error {
		// Another process may have spent the room meanwhile: the guess was compared
		// all the same, and counts.
		if err := limit.Charge(tx, g.budgets(known)...); err != nil {
			return err
		}
		n, err := tx.Exec(`UPDATE services SET failed_at = $2, last_used_at = $2, last_caller = $3, last_network = $4, last_result = $5, last_mark = 0 WHERE id = $1`,
			g.entry, tx.Millis(), g.asker, g.by.Network, Refused)
		if err != nil || n == 0 {
			return err
		}
		return audit.WriteService(tx, int64(g.entry), audit.ServiceRefused, client, g.asked())
	}))
	s.watch.settle(g, err == nil, s.DB.Now())
	return err
}
