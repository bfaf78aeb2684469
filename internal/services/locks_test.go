package services_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/services"
)

// onPostgres runs fn there alone: SQLite has one writer, and no locks of rows.
func onPostgres(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	d := dbtest.Open(t, dbtest.URL(t, "postgres"))
	c := &dbtest.Clock{}
	for c.Now().Before(dbtest.Start) { // one step is at most 292 years
		c.Advance(dbtest.Start.Sub(c.Now()))
	}
	d.Now = c.Now
	fn(t, newHouse(t, d, c))
}

// holding runs fn while a transaction holds the rows that take has taken.
func (h *house) holding(t *testing.T, take, fn func(tx *db.Tx) error) {
	t.Helper()
	check(t, h.d.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error {
		if err := take(tx); err != nil {
			return err
		}
		return fn(tx)
	})))
}

// waitedFor returns once another transaction waits for what this one holds.
func waitedFor(t *testing.T, tx *db.Tx) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		var n int
		check(t, tx.Get(`SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))`).Scan(&n))
		if n > 0 {
			return
		}
	}
	t.Fatal("nobody waits")
}

func TestTheSweeperPassesOverANetworkThatIsBeingWritten(t *testing.T) {
	onPostgres(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		for _, network := range []string{home, "203.0.113.1"} {
			h.calls(t, shop, network)
			h.written(t)
		}
		h.clock.Advance(time.Hour)
		h.holding(t, func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE service_callers SET seen_at = seen_at WHERE network = $1`, home)
			return err
		}, func(*db.Tx) error {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var n int64
			err := h.d.Update(ctx, func(tx *db.Tx) (err error) { n, err = services.SweepCallers(tx, tx.Now, 10); return err })
			want(t, n, 1)
			return err
		})
		wantNetworks(t, h, shop, home)
	})
}

// SetRealm and DropRealm of one realm would end each other if one took its own row
// first and the other last.
func TestARealmIsTakenBeforeWhomItMayVerify(t *testing.T) {
	onPostgres(t, func(t *testing.T, h *house) {
		shops := services.Realm{Name: "shops", Right: services.Verify, Only: []string{"office"}}
		h.update(t, func(tx *db.Tx) error { return services.SetRealm(tx, shops) })
		dropped := make(chan error, 1)
		h.holding(t, func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE realms SET can_verify = can_verify WHERE realm = $1`, shops.Name)
			return err
		}, func(tx *db.Tx) error {
			go func() {
				dropped <- h.d.Update(t.Context(), func(tx *db.Tx) error { return services.DropRealm(tx, shops.Name) })
			}()
			waitedFor(t, tx)
			var only string
			return tx.Get(`SELECT realm FROM realm_allows WHERE caller_realm = $1 FOR UPDATE NOWAIT`, shops.Name).Scan(&only)
		})
		check(t, <-dropped)
	})
}

// Two processes that note the same uses do not wait for each other.
func TestUsesAreWrittenInTheOrderOfTheirPlaces(t *testing.T) {
	onPostgres(t, func(t *testing.T, h *house) {
		for n := range 12 {
			want(t, h.calls(t, h.add(t, fmt.Sprint("shop", n), services.AuthRealm), home), services.OK)
		}
		dbtest.InOrder(t, h.d, "services", "place", func() error { return h.s.WriteUses(t.Context()) })
	})
}
