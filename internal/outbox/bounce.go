package outbox

import (
	"context"
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
		log.Warn("message came back, with too many others to record it", "said", said)
		return
	}
	go func() {
		defer func() { <-o.bounces }()
		ctx, cancel := context.WithTimeout(context.Background(), bounceFor)
		defer cancel()
		for range bounceTries {
			found, err := o.bounce(ctx, kind, id, said)
			if err != nil {
				log.Error("cannot record that a message came back", "err", err)
				return
			}
			if found {
				o.stats.Failed(kind, true)
				log.Warn("message came back", "said", said)
				return
			}
			time.Sleep(bounceWait)
		}
	}()
}

// bounce changes a job that is recorded as sent; false: there is none.
func (o *Outbox) bounce(ctx context.Context, kind string, id db.ID, said string) (found bool, err error) {
	err = o.db.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		n, err := tx.Exec(`UPDATE outbox SET state = $3, said = $4, reason = 'the message came back' WHERE id = $1 AND channel = $2 AND state = 1`, id, kind, int64(bounced), said)
		found = n == 1
		return err
	}))
	return found, err
}
