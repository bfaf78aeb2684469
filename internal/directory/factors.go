package directory

import (
	"context"
	"errors"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// Factors is what a person sees of their factors.
type Factors struct {
	User           accounts.User
	Authenticators []multifactor.Authenticator
	Devices        []multifactor.Device
}

// OwnFactors returns the authenticators and remembered browsers of the person, or
// db.ErrNotFound without a session.
func (d *Directory) OwnFactors(ctx context.Context, own Owner) (f Factors, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		sess, err := d.Sessions.Find(tx, own.Session)
		if err != nil {
			return err
		}
		f.User = sess.User
		if f.Authenticators, err = multifactor.Authenticators(tx, sess.User.ID); err != nil {
			return err
		}
		f.Devices, err = multifactor.Devices(tx, sess.User.ID)
		return err
	})
	return f, err
}

// enroll is the thing of adding a factor.
var enroll = multifactor.Thing{Kind: multifactor.Enroll, Name: multifactor.ChangeFactors}

// mayEnroll returns NeedsProof for a session that may not add a factor yet.
func (d *Directory) mayEnroll(tx *db.Tx, sess session.Session) error {
	return d.mayDo(tx, sess, enroll)
}

// begin reads something of a session that may add a factor.
func (d *Directory) begin(ctx context.Context, own Owner, fn func(tx *db.Tx, sess session.Session) error) error {
	return d.DB.View(ctx, func(tx *db.Tx) error {
		sess, err := d.Sessions.Find(tx, own.Session)
		if err != nil {
			return err
		}
		if err := d.mayEnroll(tx, sess); err != nil {
			return err
		}
		return fn(tx, sess)
	})
}

// BeginApp makes the seed of an authenticator app, or returns NeedsProof.
func (d *Directory) BeginApp(ctx context.Context, own Owner) (a multifactor.NewApp, err error) {
	err = d.begin(ctx, own, func(tx *db.Tx, sess session.Session) error {
		a, err = d.Enrolled.BeginApp(tx, sess.ID, knownAs(sess.User))
		return err
	})
	return a, err
}

// AgainApp returns the app that is being set up once more; ok is false if that has expired.
func (d *Directory) AgainApp(ctx context.Context, own Owner, kept []byte) (a multifactor.NewApp, ok bool, err error) {
	err = d.begin(ctx, own, func(tx *db.Tx, sess session.Session) error {
		a, ok = d.Enrolled.AgainApp(tx, sess.ID, kept, knownAs(sess.User))
		return nil
	})
	return a, ok, err
}

// knownAs is how a person's authenticators call them.
func knownAs(u accounts.User) string {
	if u.Email != "" {
		return u.Email
	}
	return u.Username
}

// PasskeyOwner is what authenticators are to call a user.
func PasskeyOwner(u accounts.User) multifactor.Owner { return multifactor.OwnerOf(u, knownAs(u)) }

// BeginPasskey begins to enroll a passkey, or returns NeedsProof.
func (d *Directory) BeginPasskey(ctx context.Context, own Owner) (c multifactor.Ceremony, err error) {
	err = d.begin(ctx, own, func(tx *db.Tx, sess session.Session) error {
		c, err = d.Enrolled.BeginPasskey(tx, own.asker(sess.ID), sess.User, knownAs(sess.User))
		return err
	})
	return c, err
}

// enrolled is a change of factors in progress.
type enrolled struct {
	tx   *db.Tx
	sess session.Session
	told []outbox.Queued
}

// EnrollApp stores an authenticator app whose code is right, and makes it a proof of the
// session. It returns NeedsProof, or multifactor.ErrName.
func (d *Directory) EnrollApp(ctx context.Context, own Owner, kept []byte, name, code string) (v multifactor.Verdict, err error) {
	err = d.enroll(ctx, own, func(e *enrolled) error {
		var a multifactor.Authenticator
		if a, v, err = d.Enrolled.EnrollApp(e.tx, e.sess.User.ID, e.sess.ID, kept, name, code); err != nil || v != multifactor.Right {
			return err
		}
		return d.added(e, own, a, session.Proof{Factor: string(multifactor.TOTP), Authenticator: a.ID})
	})
	return v, err
}

// EnrollPasskey stores a passkey from the browser's response, and makes it a proof of the
// session.
func (d *Directory) EnrollPasskey(ctx context.Context, own Owner, kept, response []byte, name string) (v multifactor.Verdict, err error) {
	err = d.enroll(ctx, own, func(e *enrolled) error {
		var a multifactor.Authenticator
		a, v, err = d.Enrolled.EnrollPasskey(e.tx, own.asker(e.sess.ID), e.sess.User, kept, response, name)
		if err != nil || v != multifactor.Right {
			return err
		}
		return d.added(e, own, a, session.Proof{Factor: string(multifactor.Passkey), Authenticator: a.ID, UserVerified: a.CanVerify})
	})
	return v, err
}

// MakeRecovery makes ten recovery codes in place of all older ones. They are shown once.
func (d *Directory) MakeRecovery(ctx context.Context, own Owner) (codes []string, err error) {
	err = d.enroll(ctx, own, func(e *enrolled) error {
		made, a, replaced, err := d.Enrolled.MakeRecovery(e.tx, e.sess.User.ID)
		if err != nil {
			return err
		}
		codes = made
		if replaced.ID != 0 {
			if err := session.DropProofs(e.tx, e.sess.User.ID, 0, replaced.ID); err != nil {
				return err
			}
		}
		return d.added(e, own, a, session.Proof{})
	})
	return codes, err
}

// enroll runs a change that adds a factor, and begins the messages about it.
func (d *Directory) enroll(ctx context.Context, own Owner, fn func(e *enrolled) error) error {
	var told []outbox.Queued
	err := d.limited(ctx, own, func(tx *db.Tx, sess session.Session) error {
		told = nil
		if err := d.mayEnroll(tx, sess); err != nil {
			return err
		}
		e := &enrolled{tx: tx, sess: sess}
		err := fn(e)
		told = e.told
		return err
	})
	if err == nil {
		d.Outbox.DeliverAll(told, own.AfterResponse)
	}
	return err
}

// added records and tells of an authenticator that was enrolled, whose proof, if there is
// one, the session holds from now on.
func (d *Directory) added(e *enrolled, own Owner, a multifactor.Authenticator, proof session.Proof) error {
	if proof.Authenticator != 0 {
		if err := d.Sessions.Prove(e.tx, e.sess, proof, own.Next); err != nil {
			return err
		}
	}
	if err := multifactor.UseEnrolmentLink(e.tx, e.sess.ID, e.sess.User.ID); err != nil {
		return err
	}
	return d.tell(e, own, accounts.FactorAdded, a, audit.FactorAdded)
}

// tell writes a change of factors into the history, and tells every address.
func (d *Directory) tell(e *enrolled, own Owner, kind accounts.ChangeKind, a multifactor.Authenticator, event audit.Event) error {
	me := e.sess.User.ID
	if err := audit.Write(e.tx, db.ID(me), audit.Person(db.ID(me)), event, own.Client); err != nil {
		return err
	}
	c, err := accounts.RecordFactor(e.tx, kind, me, a.ID, Called(own, a))
	if err != nil {
		return err
	}
	e.told, err = d.Notices.Changed(e.tx, c, delivery.Cause{Client: own.Client, Words: own.Words})
	return err
}

// Called is what a person calls one of their authenticators, as the beginning of a sentence.
func Called(own Owner, a multifactor.Authenticator) string {
	if a.Name == "" {
		return own.Words.T("factor.called." + string(a.Kind))
	}
	return a.Name + " (" + own.Words.T("factor."+string(a.Kind)) + ")"
}

// RemoveFactor removes one of the person's authenticators, with the proofs, remembered browsers
// and other sessions that rest on it. It returns NeedsProof, or db.ErrNotFound.
func (d *Directory) RemoveFactor(ctx context.Context, own Owner, id db.ID) error {
	var told []outbox.Queued
	err := d.limited(ctx, own, func(tx *db.Tx, sess session.Session) error {
		told = nil
		if err := d.may(tx, sess, multifactor.ChangeFactors); err != nil {
			return err
		}
		e := &enrolled{tx: tx, sess: sess}
		a, err := removeFactor(tx, sess.User.ID, id, sess.ID)
		if err != nil {
			return err
		}
		err = d.tell(e, own, accounts.FactorRemoved, a, audit.FactorRemoved)
		told = e.told
		return err
	})
	if err == nil {
		d.Outbox.DeliverAll(told, own.AfterResponse)
	}
	return err
}

// removeFactor removes an authenticator, with all that rests on it but one session.
func removeFactor(tx *db.Tx, user accounts.UserID, id, but db.ID) (multifactor.Authenticator, error) {
	a, err := multifactor.Remove(tx, user, id)
	if err != nil {
		return a, err
	}
	return a, session.EndOfAuthenticator(tx, user, id, but)
}

// RenameFactor gives one of the person's authenticators another name. It returns
// multifactor.ErrName, or db.ErrNotFound.
func (d *Directory) RenameFactor(ctx context.Context, own Owner, id db.ID, name string) error {
	return d.limited(ctx, own, func(tx *db.Tx, sess session.Session) error {
		return multifactor.Rename(tx, sess.User.ID, id, name)
	})
}

// ForgetDevice ends that one of the person's browsers is remembered.
func (d *Directory) ForgetDevice(ctx context.Context, own Owner, id db.ID) error {
	return d.limited(ctx, own, func(tx *db.Tx, sess session.Session) error {
		return multifactor.ForgetDevice(tx, sess.User.ID, id)
	})
}

// OpenEnrolmentLink lets the person's session enroll one factor by an administrator's link.
// With confirmed unset it only says whether the link is theirs and good. The browser needs the
// Next token: for the one before, the link does not count.
func (d *Directory) OpenEnrolmentLink(ctx context.Context, own Owner, t seal.Token, confirmed bool) (good bool, err error) {
	err = d.DB.Update(ctx, func(tx *db.Tx) error {
		good = false
		sess, err := d.Sessions.Find(tx, own.Session)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if good, err = multifactor.IsEnrolmentLink(tx, t, sess.User.ID); err != nil || !good || !confirmed {
			return err
		}
		renewal, err := d.Sessions.Renew(tx, sess, own.Next)
		if err != nil {
			return err
		}
		return multifactor.OpenEnrolmentLink(tx, t, sess.ID, renewal)
	})
	return good, err
}
