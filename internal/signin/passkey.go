package signin

import (
	"context"
	"errors"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/session"
)

// BeginPasskey begins a sign-in by a passkey.
func (s *Service) BeginPasskey(ctx context.Context, by Requester) (c multifactor.Ceremony, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		c, err = s.Enrolled.BeginEntry(tx, multifactor.Asker{Browser: by.Browser.ID[:]})
		return err
	})
	return c, err
}

// EnterByPasskey signs in the person whose passkey the browser has used. It says nothing about
// who has an account: whatever is not right is Wrong.
func (s *Service) EnterByPasskey(ctx context.Context, kept, response []byte, next string, by Requester) (out Entered, err error) {
	err = s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		out = Entered{}
		used, v, err := s.Enrolled.UsePasskey(tx, multifactor.Asker{Browser: by.Browser.ID[:]}, kept, response)
		if err != nil {
			return err
		}
		out.Unknown, out.Copied, out.Verdict = used.Unknown, used.Copied, Wrong
		switch {
		case v == multifactor.Right:
			return s.enterBy(tx, used, next, by, &out)
		case v == multifactor.Expired:
			out.Verdict = Expired
		case v == multifactor.Spent:
			out.Verdict = Used
		case used.Copied:
			err := session.EndOfAuthenticator(tx, used.Authenticator.User, used.Authenticator.ID, 0)
			return errors.Join(err, audit.Write(tx, db.ID(used.Authenticator.User), audit.Visitor, audit.PasskeyCopied, by.Client))
		}
		return nil
	}))
	return out, err
}

// enterBy lets the owner of a passkey in, who may sign in.
func (s *Service) enterBy(tx *db.Tx, used multifactor.Used, next string, by Requester, out *Entered) error {
	user := used.Authenticator.User
	if err := accounts.Lock(tx, user); err != nil {
		return err
	}
	u, err := accounts.GetUser(tx, user)
	if errors.Is(err, db.ErrNotFound) || err == nil && (!u.Active || u.MergedInto != 0) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := accounts.RecordLogin(tx, user); err != nil {
		return err
	}
	token := session.NewToken(tx)
	p := session.Proof{Factor: string(multifactor.Passkey), Authenticator: used.Authenticator.ID, UserVerified: used.Verified}
	opened, err := s.open(tx, token, user, u.BrowserEpoch, p, by)
	if err != nil {
		return err
	}
	if err := audit.Write(tx, db.ID(user), audit.Person(db.ID(user)), audit.SignedInPasskey, by.Client); err != nil {
		return err
	}
	*out = opened
	out.Next = next
	return nil
}
