package directory

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// factorTry is a proof by an authenticator in a session, in the parts of its sequence.
type factorTry struct {
	d    *Directory
	own  Owner
	kind multifactor.Factor
	text string // what was typed
	// Of a passkey: what was kept of the ceremony, and the browser's response.
	kept, response []byte
	remember       bool

	user accounts.UserID
	out  FactorProved
	told []outbox.Queued
}

// FactorProved is the outcome of a proof by an authenticator.
type FactorProved struct {
	Outcome Outcome
	Wait    time.Duration // after TooManyTries: until another has a chance
	// Device is the cookie of a browser that is to be remembered; zero: it is not.
	Device seal.Token
	// Unknown is a passkey that nobody has enrolled, for the browser to forget, or "".
	Unknown string
	Copied  bool // the passkey was refused, because there is a copy of it
	// Unverified: the passkey was refused, because it has not verified who uses it.
	Unverified bool
}

// Outcome is the verdict about a proof by an authenticator.
type Outcome int

// Outcomes.
const (
	NoSession       Outcome = iota
	FactorRight             // the session holds the proof
	FactorWrong             // not the code, or not the passkey
	FactorUsed              // a code that was used before
	FactorLate              // the page was open for too long
	FactorMisshapen         // no code looks like that; it cost no try
	TooManyTries            // too many wrong codes
)

// ProveFactor submits what was typed as the code of an authenticator app (multifactor.TOTP)
// or as a recovery code (multifactor.Recovery), to prove it in the session. remember asks to
// remember the browser.
func (d *Directory) ProveFactor(ctx context.Context, kind multifactor.Factor, text string, remember bool, own Owner) (FactorProved, error) {
	if !multifactor.Fits(kind, text) {
		return FactorProved{Outcome: FactorMisshapen}, nil
	}
	return (&factorTry{d: d, own: own, kind: kind, text: text, remember: remember}).run(ctx)
}

// BeginProof begins a proof by a passkey in the session of the person. verify: the passkey has
// to verify who uses it.
func (d *Directory) BeginProof(ctx context.Context, own Owner, verify bool) (c multifactor.Ceremony, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		sess, err := d.Sessions.Find(tx, own.Session)
		if err != nil {
			return err
		}
		if verify {
			c, err = d.Enrolled.BeginVerified(tx, own.asker(sess.ID), sess.User)
		} else {
			c, err = d.Enrolled.BeginProof(tx, own.asker(sess.ID), sess.User)
		}
		return err
	})
	return c, err
}

// asker is the browser to which the use of a passkey is bound.
func (own Owner) asker(session db.ID) multifactor.Asker {
	return multifactor.Asker{Browser: own.Browser, Session: session}
}

// ProvePasskey submits the browser's response to a ceremony, to prove it in the session.
func (d *Directory) ProvePasskey(ctx context.Context, kept, response []byte, remember bool, own Owner) (FactorProved, error) {
	return (&factorTry{d: d, own: own, kind: multifactor.Passkey, kept: kept, response: response, remember: remember}).run(ctx)
}

func (f *factorTry) run(ctx context.Context) (FactorProved, error) {
	err := f.d.DB.Sequence(ctx, db.ReadCommitted(f.count), db.ReadCommitted(f.check))
	if err != nil {
		return FactorProved{}, err
	}
	f.d.Outbox.DeliverAll(f.told, f.own.AfterResponse)
	return f.out, nil
}

// factorBudget is how often the codes of a person's authenticators may be tried, over all
// their sessions. Only who has proved a first factor can take from it.
func (d *Directory) factorBudget(user accounts.UserID) limit.Budget {
	return limit.Budget{Name: "factor_tries", Key: strconv.FormatInt(int64(user), 10), Rates: d.TriesPerID}
}

// count counts the try durably before anything is compared. A passkey's response is no guess.
func (f *factorTry) count(tx *db.Tx) error {
	f.out, f.user = FactorProved{}, 0
	sess, err := f.d.Sessions.Find(tx, f.own.Session)
	if errors.Is(err, db.ErrNotFound) {
		f.out.Outcome = NoSession
		return nil
	}
	if err != nil || f.kind == multifactor.Passkey {
		f.user = sess.User.ID
		return err
	}
	f.out.Wait, err = limit.Take(tx, f.d.factorBudget(sess.User.ID))
	if f.out.Wait > 0 {
		f.out.Outcome = TooManyTries
		return err
	}
	f.user = sess.User.ID
	return err
}

// check compares and adds the proof to the session.
func (f *factorTry) check(tx *db.Tx) error {
	f.told = nil
	if f.user == 0 {
		return nil
	}
	f.out = FactorProved{}
	sess, err := f.d.Sessions.Find(tx, f.own.Session)
	if errors.Is(err, db.ErrNotFound) || err == nil && sess.User.ID != f.user {
		f.out.Outcome = NoSession
		return nil
	} else if err != nil {
		return err
	}
	used, v, err := f.compare(tx, sess)
	if err != nil {
		return err
	}
	a := used.Authenticator
	f.out.Unknown, f.out.Copied, f.out.Unverified = used.Unknown, used.Copied, used.Unverified
	if v == multifactor.Right && a.User != f.user {
		v = multifactor.Wrong
	}
	if v != multifactor.Right {
		return errors.Join(f.copied(tx, a), f.refuse(tx, v))
	}
	f.out.Outcome = FactorRight
	if err := f.d.Sessions.Prove(tx, sess, session.Proof{Factor: string(a.Kind), Authenticator: a.ID, UserVerified: used.Verified}, f.own.Next); err != nil {
		return err
	}
	if f.kind != multifactor.Passkey {
		if err := limit.GiveBack(tx, limit.Amount{Budget: f.d.factorBudget(f.user), N: 1}); err != nil {
			return err
		}
	}
	return f.accepted(tx, a, used.Verified)
}

func (f *factorTry) compare(tx *db.Tx, sess session.Session) (used multifactor.Used, v multifactor.Verdict, err error) {
	if f.kind == multifactor.Passkey {
		return f.d.Enrolled.UsePasskey(tx, f.own.asker(sess.ID), f.kept, f.response)
	}
	used.Authenticator, v, err = f.d.Enrolled.Check(tx, f.user, f.kind, f.text)
	return used, v, err
}

// copied ends what rests on a passkey of which there is a copy: nobody knows who has which.
func (f *factorTry) copied(tx *db.Tx, a multifactor.Authenticator) error {
	if !f.out.Copied {
		return nil
	}
	return session.EndOfAuthenticator(tx, a.User, a.ID, 0)
}

func (f *factorTry) refuse(tx *db.Tx, v multifactor.Verdict) error {
	switch v {
	case multifactor.Expired:
		f.out.Outcome = FactorLate
		return nil
	case multifactor.Spent:
		f.out.Outcome = FactorUsed
	default:
		f.out.Outcome = FactorWrong
	}
	event := audit.FactorWrong
	if f.out.Copied {
		event = audit.PasskeyCopied
	}
	return audit.Write(tx, db.ID(f.user), audit.Person(db.ID(f.user)), event, f.own.Client)
}

// accepted records the proof, tells of a recovery code, and remembers the browser.
func (f *factorTry) accepted(tx *db.Tx, a multifactor.Authenticator, verified bool) (err error) {
	event := audit.SteppedUp
	if a.Kind == multifactor.Recovery {
		event = audit.RecoveryUsed
		if f.told, err = f.d.Notices.Told(tx, f.user, "recovery_used", f.own.Words.N("mail.recovery_used.left", int(a.Counter)), delivery.Cause{Client: f.own.Client, Words: f.own.Words}); err != nil {
			return err
		}
	} else if f.remember {
		d := multifactor.Device{User: f.user, Authenticator: a.ID, Factor: a.Kind, UserVerified: verified, Verified: tx.Now, Client: f.own.Client}
		if f.out.Device, err = multifactor.RememberDevice(tx, d); err != nil {
			return err
		}
	}
	return audit.Write(tx, db.ID(f.user), audit.Person(db.ID(f.user)), event, f.own.Client)
}
