package services

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
)

// fail records a wrong guess. It is durable when fail returns.
func (s *Service) recordWrong(ctx context.Context, g *guess) error {
	// Also when who asked has gone away: a guess that is not waited for counts.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	client := g.by.client()
	err := s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		// Another process may have spent the room meanwhile: the guess was compared
		// all the same, and counts.
		if err := limit.Charge(tx, g.budgets()...); err != nil {
			return err
		}
		return g.record(tx, client)
	}))
	s.inFlight.finish(s.DB.Now(), g, err == nil)
	return err
}

// record writes that the last use of the entry was a wrong token.
func (g *guess) record(tx *db.Tx, client audit.Client) error {
	if g.entry == 0 {
		return g.recordUnknown(tx, client)
	}
	n, err := tx.Exec(`UPDATE services SET failed_at = $2, last_used_at = $2, last_caller = $3, last_network = $4, last_result = $5, last_mark = 0 WHERE id = $1`,
		g.entry, tx.Millis(), g.caller, g.by.Network, Refused)
	if err != nil || n == 0 {
		return err
	}
	return audit.WriteService(tx, int64(g.entry), audit.ServiceRefused, client, g.asked())
}

// asked says in history who asked about an entry; "" if it called itself.
func (g *guess) asked() string {
	if g.own {
		return ""
	}
	return "asked by " + Entry{Name: g.by.Name, Realm: g.by.Realm}.String()
}
