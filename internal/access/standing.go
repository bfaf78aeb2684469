package access

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// Standing is what a session has proved, and which levels that gives it.
type Standing struct {
	Held   []multifactor.Held
	Levels []HeldLevel // all there are, the highest first
}

// HeldLevel is a level, and until when a session holds it; zero: it does not.
type HeldLevel struct {
	*multifactor.Level
	Until time.Time
}

// Standing returns what a session has proved. Without a session it is empty.
func (s *Service) Standing(ctx context.Context, t seal.Token) (out Standing, err error) {
	_, err = s.Sessions.CheckAnd(ctx, t, func(tx *db.Tx, sess session.Session) (err error) {
		out = Standing{}
		if out.Held, err = s.held(tx, sess, nil); err != nil {
			return err
		}
		book, err := s.book.Rules(tx, sess.Along)
		if err != nil {
			return err
		}
		for _, l := range book.Levels() {
			d := multifactor.Decide([]multifactor.Rule{{Level: l}}, nil, out.Held, tx.Now)
			out.Levels = append(out.Levels, HeldLevel{l, d.Until})
		}
		slices.SortStableFunc(out.Levels, func(a, b HeldLevel) int { return cmp.Compare(b.Rank, a.Rank) })
		return nil
	})
	if errors.Is(err, db.ErrNotFound) {
		return Standing{}, nil
	}
	return out, err
}
