package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

const (
	// bouncesLimit is how many messages that came back are recorded at once.
	bouncesLimit = 64
	// A message may come back before it is recorded as sent.
	bounceTries = 10
	bounceWait  = 100 * time.Millisecond
	bounceFor   = 30 * time.Second
)

// Bounced records that a job which counted as sent came back, with the other side's words.
// It returns at once.
func (o *Outbox) Bounced(kind string, id db.ID, said string) {
	log := o.log.With("message", Number(id), "channel", kind)
	select {
	case o.bounces <- struct{}{}:
	default:
		log.Warn("message came back, with too many others to record it")
		return
	}
	go func() {
		defer func() { <-o.bounces }()
		ctx, cancel := context.WithTimeout(context.Background(), bounceFor)
		defer cancel()
		for range bounceTries {
			was, err := o.bounce(ctx, kind, id, said)
			switch {
			case err != nil && !errors.Is(err, db.ErrNotFound):
				log.Error("cannot record that a message came back", "err", err)
				return
			case was == sent && err == nil:
				o.stats.Failed(kind, true)
				log.Warn("message came back", "said", said)
				return
			case was != waiting || err != nil: // it came back before, or there is none
				return
			}
			time.Sleep(bounceWait)
		}
	}()
}

// bounce changes a job that is recorded as sent, and returns the state that it had.
func (o *Outbox) bounce(ctx context.Context, kind string, id db.ID, said string) (was state, err error) {
	err = o.db.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		if err := tx.Get(`SELECT state FROM outbox WHERE id = $1 AND channel = $2`+tx.ForUpdate(), id, kind).Scan(&was); err != nil || was != sent {
			return err
		}
		_, err := tx.Exec(`UPDATE outbox SET state = $2, said = $3, reason = 'the message came back' WHERE id = $1`, id, int64(bounced), said)
		return err
	}))
	return was, err
}
