package signkeys_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signkeys"
)

func TestAKeyIsPublishedBeforeItSigns(t *testing.T) {
	for name, x := range map[string]struct{ rotate, step, before time.Duration }{
		"quarterly": {quarter, 12 * time.Hour, quarter},
		"hourly":    {time.Hour, 10 * time.Minute, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
				r := newRing(t, d, 1, x.rotate)
				seen, signs := map[string]time.Time{}, map[string]time.Time{}
				for range 3 * x.rotate / x.step {
					dbtest.Check(t, r.RotateDue(t.Context()))
					_, kid := signed(t, r)
					if _, ok := signs[kid]; !ok {
						signs[kid] = c.Now()
					}
					for _, k := range published(t, r).Keys {
						if _, ok := seen[k.KeyID]; !ok {
							seen[k.KeyID] = c.Now()
						}
					}
					c.Advance(x.step)
				}
				dbtest.Want(t, len(signs), 3)
				dbtest.Want(t, len(seen), 4)
				for kid, at := range signs {
					if before := at.Sub(seen[kid]); before < x.before && !at.Equal(dbtest.Start) {
						t.Errorf("a key signs %s after it was published", before)
					}
				}
			})
		})
	}
}

// A next key that is missing, as after a mishap, is published for a day although it is late.
func TestALateKeyIsPublishedForADay(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		_, before := signed(t, r)
		c.Advance(quarter)
		exec(t, d, `DELETE FROM signing_keys WHERE state = 'next'`)
		dbtest.Check(t, r.RotateDue(t.Context()))
		c.Advance(day - time.Second)
		dbtest.Check(t, r.RotateDue(t.Context()))
		_, kid := signed(t, r)
		dbtest.Want(t, kid, before)
		_, next, _ := list(t, r)
		c.Advance(time.Second)
		dbtest.Check(t, r.RotateDue(t.Context()))
		_, kid = signed(t, r)
		dbtest.Want(t, kid, next)
	})
}

func TestAKeySignsForItsTime(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		_, first := signed(t, r)
		c.Advance(quarter - time.Second)
		dbtest.Check(t, r.RotateDue(t.Context()))
		_, kid := signed(t, r)
		dbtest.Want(t, kid, first)
		c.Advance(time.Second)
		dbtest.Check(t, r.RotateDue(t.Context()))
		all, err := r.List(t.Context())
		dbtest.Check(t, err)
		dbtest.Want(t, len(all), 3)
		active, next, old := all[0], all[1], all[2]
		now := dbtest.Start.Add(quarter)
		dbtest.Want(t, active, signkeys.Key{KID: active.KID, Alg: signkeys.ES256, State: signkeys.Active, Created: dbtest.Start, Activated: now})
		dbtest.Want(t, next, signkeys.Key{KID: next.KID, Alg: signkeys.ES256, State: signkeys.Next, Created: now})
		dbtest.Want(t, old, signkeys.Key{KID: first, Alg: signkeys.ES256, State: signkeys.Old, Created: dbtest.Start, Activated: dbtest.Start, Retired: now})
		for _, k := range all {
			dbtest.Want(t, k.Since(), now)
		}
	})
}

func TestOfTwoProcessesOneRotates(t *testing.T) {
	twoProcesses(t, func(t *testing.T, a, b *db.DB, c *dbtest.Clock) {
		rings := []*signkeys.Ring{newRing(t, a, 1, quarter), newRing(t, b, 1, quarter)}
		signed(t, rings[0])
		for turn := range 5 {
			_, next, _ := list(t, rings[0])
			c.Advance(quarter)
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					if err := rings[i%2].RotateDue(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			active, _, old := list(t, rings[1])
			dbtest.Want(t, active, next)
			dbtest.Want(t, old, turn+1)
		}
	})
}

func TestRotationIsSeenByAnotherProcess(t *testing.T) {
	twoProcesses(t, func(t *testing.T, a, b *db.DB, c *dbtest.Clock) {
		here, there := newRing(t, a, 1, quarter), newRing(t, b, 1, quarter)
		_, first := signed(t, here)
		signed(t, there)
		_, next, _ := list(t, here)
		c.Advance(quarter)
		signed(t, there) // it has read the keys just now
		dbtest.Check(t, here.RotateDue(t.Context()))
		jwt, kid := signed(t, here) // at once
		dbtest.Want(t, kid, next)   // which the other process publishes already
		_, err := verify(jwt, published(t, there))
		dbtest.Check(t, err)
		c.Advance(2 * time.Second)
		jwt, kid = signed(t, there)
		dbtest.Want(t, kid, next)
		_, err = verify(jwt, published(t, here))
		dbtest.Check(t, err)
		dbtest.Want(t, len(published(t, there).Keys), 3)
		dbtest.Want(t, first == kid, false)
	})
}

func TestAClockThatWasAheadDelaysNoRotation(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		c.Advance(1000 * day)
		_, first := signed(t, r)
		c.Advance(-1000 * day)
		_, kid := signed(t, r)
		dbtest.Want(t, kid, first)
		dbtest.Check(t, r.RotateDue(t.Context()))
		c.Advance(quarter - time.Second)
		dbtest.Check(t, r.RotateDue(t.Context()))
		_, kid = signed(t, r)
		dbtest.Want(t, kid, first)
		c.Advance(time.Second)
		dbtest.Check(t, r.RotateDue(t.Context()))
		if _, kid = signed(t, r); kid == first {
			t.Error("the key is to sign for a thousand days more")
		}
	})
}

// lines is a log as a channel.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(bytes.Clone(p)); return len(p), nil }

func TestRunRotatesWhatIsDueAndEndsWithItsContext(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		log := make(lines, 10)
		keys, err := seal.New(make([]byte, seal.KeySize))
		dbtest.Check(t, err)
		r := signkeys.New(d, keys, time.Hour, slog.New(slog.NewTextHandler(log, nil)))
		signed(t, r)
		_, next, _ := list(t, r)
		c.Advance(time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		if line := <-log; !strings.Contains(line, next) {
			t.Errorf("the log has %s", line)
		}
		_, kid := signed(t, r)
		dbtest.Want(t, kid, next)
		stop()
		dbtest.Check(t, <-ended)
	})
}

func TestAnOldKeyIsPublishedForAsLongAsHintsLive(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		jwt, _ := signed(t, r)
		c.Advance(5 * day)
		rotate(t, d, r)
		_, err := verify(jwt, published(t, r))
		dbtest.Check(t, err)
		sweep := func() {
			t.Helper()
			_, _, _, err := d.Chunk(t.Context(), db.SweepOld("keys", signkeys.Kept, signkeys.Sweep), 100)
			dbtest.Check(t, err)
			c.Advance(2 * time.Second)
		}
		c.Advance(30*day - time.Second)
		sweep()
		_, err = verify(jwt, published(t, r))
		dbtest.Check(t, err)
		sweep()
		dbtest.Want(t, len(published(t, r).Keys), 2)
		signed(t, r)
	})
}
