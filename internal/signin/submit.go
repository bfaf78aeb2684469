package signin

import (
	"context"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
)

// submit is the state of one submitted code, link or answer in the parts of its sequence.
type submit struct {
	s     *Service
	by    Requester
	typed string

	only  purpose // of no other attempt; "": of any
	proof proofBy
	link  seal.Token // for byLink; byAnswer: as stored

	code    string // in what was typed; "" cannot be the code by its shape
	shape   multifactor.Shape
	tries   int  // how many tries the attempt has had, with this one
	counted bool // the try is taken from the id's budget: short codes are compared
	a       attempt
	out     Entered
	told    []outbox.Queued // messages about an address that was added
}

// proofBy is what an attempt is proved by.
type proofBy int

const (
	byCode proofBy = iota
	byLink
	byAnswer
)

// SubmitCode submits what was typed as the code of the browser's attempt.
func (s *Service) SubmitCode(ctx context.Context, code string, by Requester) (Entered, error) {
	return (&submit{s: s, by: by, typed: code}).run(ctx)
}

// SubmitLink submits a mailed link. It works in the browser of the attempt only; a recovery
// link works in any.
func (s *Service) SubmitLink(ctx context.Context, link seal.Token, by Requester) (Entered, error) {
	return (&submit{s: s, by: by, proof: byLink, link: link}).run(ctx)
}

func (sub *submit) run(ctx context.Context) (Entered, error) {
	err := sub.s.DB.Sequence(ctx, db.ReadCommitted(sub.count), db.ReadCommitted(sub.decide), db.Afterwards(sub.giveBack))
	if err != nil && !sub.s.committed(ctx, sub.a.id, sub.out) {
		return Entered{}, err
	}
	sub.s.deliver(sub.told, sub.by)
	return sub.out, nil
}

// lookupLimit bounds committed.
const lookupLimit = 3 * time.Second

// committed reports whether the session of an attempt was stored although its commit
// returned an error, as when the connection to the database breaks before the reply. Then
// the code is used up, and only this request knows the session's token.
func (s *Service) committed(ctx context.Context, attempt db.ID, out Entered) bool {
	if out.usedBy == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupLimit)
	defer cancel()
	var session db.ID
	err := s.DB.Read(ctx, func(tx *db.Tx) error {
		return tx.Get(`SELECT session_id FROM attempts WHERE id = $1`, attempt).Scan(&session)
	})
	return err == nil && session == out.usedBy
}

// count counts the try durably before anything is compared: in the attempt and, if it
// counts there, in the id's budget. Text without the shape of a code is no try. A link is
// not counted: it has 256 bits, which nobody guesses. Neither is an answer: it comes
// from the channel, and a browser cannot forge it.
func (sub *submit) count(tx *db.Tx) error {
	sub.tries, sub.counted, sub.code = 0, false, ""
	if sub.proof != byCode {
		return nil
	}
	codes := sub.s.Codes
	short, long := codes.Shape(false).Find(sub.typed), codes.Shape(true).Find(sub.typed)
	a, found, err := countTry(tx, sub.by.Attempt, sub.s.Settings.Tries, short != "", long != "")
	sub.tries, sub.shape, sub.code = a.tries, codes.Shape(!a.short), long
	if a.short {
		sub.code = short
	}
	if err != nil || !found || sub.code == "" || !a.short || !a.open() || a.tries > sub.s.Settings.Tries {
		return err
	}
	wait, err := limit.Take(tx, sub.s.triesBudget(a))
	if sub.counted = err == nil && wait == 0; err != nil || sub.counted {
		return err
	}
	return a.releaseTry(tx)
}

// decide compares the code and opens the session. It locks the attempt, then the account
// and the user, so that concurrent submissions are decided one after the other.
func (sub *submit) decide(tx *db.Tx) error {
	sub.out, sub.told = Entered{}, nil
	switch sub.proof {
	case byLink:
		return sub.decideLink(tx, audit.SignedInLink)
	case byAnswer:
		return sub.decideAnswer(tx)
	}
	var found bool
	var err error
	if sub.a, found, err = attemptOf(tx, sub.by.Attempt, tx.ForUpdate()); err != nil || !found || !sub.a.hasCodes() || sub.only != "" && sub.a.purpose != sub.only {
		return err
	}
	if !sub.a.open() {
		return sub.repeated(tx)
	}
	if most := sub.s.Settings.Tries; sub.tries > most || sub.code == "" && sub.tries == most {
		sub.out.Verdict = Exhausted
		return nil
	}
	who, err := accounts.StatusForUpdate(tx, sub.a.account)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	reachable := err == nil && !sub.a.silent && !who.Deactivated
	verdict, err := sub.s.Codes.Match(tx.Now, sub.a.id, sub.a.codes, sub.code, who.CodeGeneration, sub.a.short && sub.counted)
	if err != nil {
		return err
	}
	if verdict == multifactor.Right && reachable {
		return sub.accept(tx, who, audit.SignedIn)
	}
	return sub.refuse(tx, verdict, who.User)
}

func (sub *submit) refuse(tx *db.Tx, v multifactor.Verdict, user accounts.UserID) error {
	event := audit.CodeWrong
	switch {
	case v == multifactor.Expired:
		sub.out.Verdict = Expired
		return sub.a.expireForGood(tx)
	case sub.code == "":
		sub.out.Verdict, sub.out.Shape = Misshapen, sub.shape
		return nil
	case v == multifactor.Spent:
		sub.out.Verdict = Spent
	default:
		sub.out.Verdict = Wrong
		if sub.out.TriesLeft = sub.s.Settings.Tries - sub.tries; sub.out.TriesLeft == 0 {
			event = audit.CodeExhausted
		}
	}
	return audit.Write(tx, db.ID(user), audit.Visitor, event, sub.by.Client)
}

// repeated decides about an attempt that has ended. The right code once more, from the
// session that it opened, is a double click and gets Again.
func (sub *submit) repeated(tx *db.Tx) error {
	sub.out.Verdict = Used
	if !sub.a.voided.IsZero() {
		sub.out.Verdict = Stopped
		return nil
	}
	same, err := sub.s.Codes.Same(sub.a.id, sub.a.codes, sub.code)
	if err != nil || !same {
		return err
	}
	return sub.s.repeatedIn(tx, sub.a.ticket, sub.by, &sub.out)
}

// repeatedIn decides about a proof that has opened a session before. From that session it
// is a double click and gets Again, from elsewhere Used.
func (s *Service) repeatedIn(tx *db.Tx, t ticket, by Requester, out *Entered) error {
	out.Verdict = Used
	if t.session == 0 || db.ID(by.Session.ID) != t.session {
		return nil
	}
	_, err := s.Sessions.Find(tx, by.Session)
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	if err == nil {
		out.Verdict, out.Next = Again, t.next
	}
	return err
}

// decideLink opens the session for a link, in the browser of the attempt.
func (sub *submit) decideLink(tx *db.Tx, via audit.Event) (err error) {
	if sub.a, err = loadAttempt(tx, db.ID(sub.link.ID), tx.ForUpdate()); errors.Is(err, db.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	who, err := accounts.StatusForUpdate(tx, sub.a.account)
	if errors.Is(err, db.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	code, ok, err := sub.s.Codes.ByLink(tx.Now, sub.a.id, sub.a.codes, sub.link, who.CodeGeneration)
	sameBrowser := sub.by.Attempt.ID == sub.link.ID && sub.by.Attempt.Matches(sub.a.secretHash)
	switch {
	case err != nil || !ok:
		return err
	case !sameBrowser && sub.a.purpose != forRecovery:
		sub.out.Verdict = Foreign
	case !sub.a.voided.IsZero():
		sub.out.Verdict = Stopped
	case !sub.a.used.IsZero():
		sub.out.Verdict = Used
	case !code.Open || sub.a.silent || who.Deactivated:
		sub.out.Verdict = Expired
	default:
		return sub.accept(tx, who, via)
	}
	return nil
}

// accept signs in the person whose proof was right.
func (sub *submit) accept(tx *db.Tx, who accounts.AccountStatus, via audit.Event) (err error) {
	p := Proved{Account: who, Factor: sub.a.addr.Implementation, Via: via}
	switch sub.a.purpose {
	case forAdding:
		sub.out, sub.told, err = sub.s.add(tx, sub.a.ticket, sub.by, p, "")
		return err
	case forStepUp:
		sub.out, err = sub.s.prove(tx, sub.a.ticket, sub.by, p)
		return err
	}
	sub.out, err = sub.s.enter(tx, sub.a.ticket, sub.by, p)
	return err
}

// giveBack returns to the budgets what the attempt took, because its owner has signed in.
func (sub *submit) giveBack(tx *db.Tx) error {
	if sub.out.Verdict != Accepted && sub.out.Verdict != Proven || !sub.out.givesBack {
		return nil
	}
	if err := limit.GiveBack(tx, sub.s.taken(sub.a)...); err != nil || sub.a.kept == 0 {
		return err
	}
	// By itself and last, as count took it, so that locks are taken in one order.
	return limit.GiveBack(tx, limit.Amount{Budget: sub.s.keptSend(sub.a.budgetKey()), N: sub.a.kept})
}
