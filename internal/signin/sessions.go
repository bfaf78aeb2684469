package signin

import (
	"context"
	"errors"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/session"
)

// SignOut ends the session of a cookie.
func (s *Service) SignOut(ctx context.Context, by Requester) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		sess, err := s.Sessions.Find(tx, by.Session)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		if err := session.End(tx, by.Session); err != nil {
			return err
		}
		return audit.Write(tx, db.ID(sess.User.ID), audit.Person(db.ID(sess.User.ID)), audit.SignedOut, by.Client)
	})
}
