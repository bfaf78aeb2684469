package services

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
)

// recordFor is how long the record of a wrong token may take.
const recordFor = 15 * time.Second

// record writes that a token was wrong. It is durable when record returns.
func (s *Service) record(ctx context.Context, g *guess) error {
	// A guess counts also if its sender does not wait for the response.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	client := g.by.client()
	err := s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		// Another process may have spent the room meanwhile. The token was compared all
		// the same, and counts.
		if err := limit.Charge(tx, g.budgets()...); err != nil {
			return err
		}
		if g.entry == 0 {
			return g.recordUnknown(tx, client, g.asked())
		}
		return g.recordUse(tx, client)
	}))
	s.inFlight.finish(s.DB.Now(), g.limits, err == nil)
	return err
}

// recordUse writes that the last use of the entry was a wrong token.
func (g *guess) recordUse(tx *db.Tx, client audit.Client) error {
	n, err := tx.Exec(`UPDATE services SET failed_at = $2, last_used_at = $2, last_caller = $3, last_network = $4, last_result = $5, last_mark = 0 WHERE id = $1`,
		g.entry, tx.Now, g.caller, g.by.Network, Refused)
	if err != nil || n == 0 {
		return err
	}
	return audit.WriteService(tx, int64(g.entry), audit.ServiceRefused, audit.By{Actor: audit.Program(int64(g.caller)), Client: client}, g.asked())
}

// asked says in history who asked about an entry; "" if it called itself.
func (g *guess) asked() string {
	if g.own {
		return ""
	}
	return "asked by " + g.by.Key().String()
}
