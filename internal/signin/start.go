package signin

import (
	"context"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
)

// Ask is a wish to sign in.
type Ask struct {
	ID    accounts.ID
	Typed accounts.Address // where messages go, as typed; "" is the identifier
	Next  string           // a local path, or ""
	First string           // the first administrator's token, or ""
}

// Asked is what came of it: either Wait is 0 and a code is on its way, as far
// as anybody can tell, or the ask was refused.
type Asked struct {
	Attempt seal.Token
	// Wait is how long until another ask has a chance.
	Wait time.Duration
	// Soon says that it was refused only since the last message has just gone.
	Soon bool
	// Gone says that there is nothing to send again.
	Gone bool
}

// start is one ask on its way through the parts of its sequence.
type start struct {
	s     *Service
	ask   Ask
	by    Requester
	first []byte // hash of the first administrator's token it came with, or empty

	asked  Asked
	a      attempt
	goesOn bool // a is an open attempt of this browser for this id
	long   bool
	kept   bool // its message is one that is kept for networks which have taken none
	queued outbox.Queued
}

// Start begins an attempt and sends its code. A browser that has an open
// attempt for the id goes on with it.
func (s *Service) Start(ctx context.Context, ask Ask, by Requester) (Asked, error) {
	first := []byte{}
	if ask.First != "" {
		token, _ := seal.ParseToken(ask.First)
		first = token.Hash()
	}
	return (&start{s: s, ask: ask, by: by, first: first}).run(ctx)
}

// Resend sends one more code of the browser's attempt. If that can go on no
// more, a new attempt for the same id takes its place.
func (s *Service) Resend(ctx context.Context, by Requester) (Asked, error) {
	var a attempt
	var found bool
	err := s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		a, found, err = attemptOf(tx, by.Attempt, "")
		return err
	})
	if err != nil || !found || a.purpose != forSignIn {
		return Asked{Gone: true}, err
	}
	return (&start{s: s, ask: Ask{ID: a.addr, Typed: a.typed, Next: a.next}, by: by, first: a.firstHash}).run(ctx)
}

func (st *start) run(ctx context.Context) (Asked, error) {
	err := st.s.DB.Sequence(ctx, db.ReadCommitted(st.count), db.ReadCommitted(st.begin))
	if err != nil {
		return Asked{}, err
	}
	deliver := func() { st.s.Outbox.Deliver(st.queued) }
	if st.by.Answered == nil {
		deliver()
	} else {
		st.by.Answered(deliver)
	}
	return st.asked, nil
}

// count takes the budgets, all or none: a stranger who is refused takes nothing
// of the owner's.
func (st *start) count(tx *db.Tx) (err error) {
	st.asked = Asked{}
	if st.a, st.goesOn, err = st.current(tx, ""); err != nil {
		return err
	}
	if wait := st.a.resendIn(tx.Now, st.s.Settings.ResendEvery); st.goesOn && wait > 0 {
		st.asked = Asked{Wait: wait, Soon: true}
		return nil
	}
	if st.asked.Wait, err = st.take(tx); err != nil || st.asked.Wait > 0 {
		return err
	}
	left, err := limit.Left(tx, st.s.triesBudget(st.a))
	st.long = !left || st.goesOn && !st.a.short // once long, an attempt stays so
	return err
}

// take takes one message from its budgets, or one that is kept.
func (st *start) take(tx *db.Tx) (wait time.Duration, err error) {
	st.kept = false
	wait, err = limit.Take(tx, st.s.sendBudgets(st.a)...)
	if err != nil || wait == 0 || st.a.known || len(st.s.Settings.KeptSends) == 0 {
		return wait, err
	}
	if none, err := limit.Unused(tx, st.s.sentLately(st.a), lately); err != nil || !none {
		return wait, err
	}
	keptWait, err := limit.Take(tx, st.s.keptBudgets(st.a)...)
	if err != nil || keptWait > 0 {
		return wait, err
	}
	st.kept = true
	return 0, nil
}

// current returns the browser's attempt if it is open and for this id, else what
// a new one begins with.
func (st *start) current(tx *db.Tx, lock string) (a attempt, goesOn bool, err error) {
	a, found, err := attemptOf(tx, st.by.Attempt, lock)
	if err != nil {
		return a, false, err
	}
	if found && a.open() && a.addr == st.ask.ID && a.tries < st.s.Settings.Tries && st.ask.First == "" && a.purpose == forSignIn &&
		tx.Now.Sub(a.id.Time()) < attemptLife {
		a.typed = st.ask.Typed
		return a, true, nil
	}
	by := st.by
	return attempt{ticket: ticket{
		purpose: forSignIn, browser: by.Browser.ID[:], known: st.s.knows(by.Browser, st.ask.ID), addr: st.ask.ID, typed: st.ask.Typed, firstHash: st.first,
		next: st.ask.Next, network: by.Network, client: by.Client,
	}}, false, nil
}

// begin makes or goes on with the attempt. Known, unknown, closed, blocked and
// deactivated ids do the same work up to the flag that nothing is sent.
func (st *start) begin(tx *db.Tx) error {
	st.queued = outbox.Queued{}
	if st.asked.Wait > 0 {
		return st.redirect(tx)
	}
	s := st.s
	if st.goesOn { // as it is now, and nobody else's until the end
		var err error
		if st.a, st.goesOn, err = st.current(tx, tx.ForUpdate()); err != nil {
			return err
		}
		// Another ask at the same moment may have made it long.
		st.long = st.long || st.goesOn && !st.a.short
	}
	who, mute, err := st.reach(tx)
	if err != nil {
		return err
	}
	a := st.a
	if st.goesOn {
		st.asked.Attempt = st.by.Attempt
	} else {
		a.id = tx.NewID()
		st.asked.Attempt = seal.NewToken(int64(a.id))
		a.secretHash = st.asked.Attempt.Hash()
	}
	code, err := s.Codes.Issue(tx.Now, a.id, &a.codes, st.long, who.CodeGeneration)
	if err != nil {
		return err
	}
	a.account, a.silent = who.Account, mute
	a.sends, a.sent, a.expires = a.sends+1, tx.Now, code.Expires
	a.short = !st.long
	if st.kept {
		a.kept++
	}
	if st.goesOn {
		err = a.resent(tx)
	} else {
		err = a.insert(tx)
	}
	if err != nil {
		return err
	}
	if err := st.redirect(tx); err != nil {
		return err
	}
	if st.queued, err = s.Outbox.Enqueue(tx, st.message(tx, a, code.Text, code.Link).Job(code.Expires), mute); err != nil {
		return err
	}
	line := a.id // of an attempt's first message, so that a success finds it
	if st.goesOn {
		line = tx.NewID()
	}
	return audit.Begin(tx, line, db.ID(who.User), audit.Visitor, audit.CodeSent, st.by.Client)
}

// redirect lets an attempt that goes on lead where its browser has last wanted to
// go.
func (st *start) redirect(tx *db.Tx) error {
	if !st.goesOn || st.ask.Next == "" || st.ask.Next == st.a.next {
		return nil
	}
	_, err := tx.Exec(`UPDATE attempts SET next = $2 WHERE id = $1 AND used_at = 0`, st.a.id, st.ask.Next)
	return err
}

// reach finds or makes the account. mute says that nothing may be sent: the
// browser was told off by the owner, the user is deactivated, or sign-up is
// closed to this id.
func (st *start) reach(tx *db.Tx) (who accounts.AccountStatus, mute bool, err error) {
	id := st.ask.ID
	who, err = accounts.StatusOf(tx, id)
	unknown := errors.Is(err, db.ErrNotFound)
	if err != nil && !unknown {
		return who, false, err
	}
	if !who.Active {
		there, err := accounts.RecordRequest(tx, who.User)
		if err != nil {
			return who, false, err
		}
		if !there { // unknown, or swept a moment ago
			unknown, who = true, accounts.AccountStatus{CodeGeneration: accounts.NoGeneration}
		}
	}
	letIn := st.s.Settings.OpenSignup || who.Active || who.Invited || st.s.Settings.Admins[id]
	if !letIn && len(st.first) > 0 {
		if letIn, err = firstIs(tx, st.first); err != nil {
			return who, false, err
		}
	}
	if letIn && unknown {
		a, u, err := accounts.Add(tx, id)
		if err != nil {
			return who, false, err
		}
		who.Account, who.User, who.CodeGeneration = a.ID, u.ID, a.CodeGeneration
	}
	blocked, err := limit.Blocked(tx, notMeBlock, blockKey(st.by.Browser.ID[:], id), st.s.Codes.Life)
	return who, blocked || !letIn || who.Deactivated, err
}

func (st *start) message(tx *db.Tx, a attempt, code string, link seal.Token) delivery.Message {
	l, s := st.by.Words, st.s.Settings
	return delivery.Message{
		To: accounts.ID{Implementation: a.addr.Implementation, Identifier: a.addr.Deliverable(a.address())}, Kind: "code", Lang: l.Lang,
		Text: delivery.Text{
			Code: code, Site: s.Site, Host: s.host(),
			Browser: l.Browser(st.by.Client.Agent), Place: l.Place(st.by.Client.Prefix), At: tx.Now.Format("15:04 MST"),
			Minutes: int(st.s.Codes.Life.Round(time.Minute) / time.Minute),
			Link:    s.PublicURL + "/login/link/" + link.String(),
			NotMe:   s.PublicURL + "/login/not-me/" + st.s.notMeToken(a.id).String(),
		},
	}
}

// Wait tells the browser of an attempt where it stands.
func (s *Service) Wait(ctx context.Context, by Requester) (w Waiting, err error) {
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		a, found, err := loadStatus(tx, by.Attempt)
		if err != nil || !found {
			w = Waiting{Verdict: Gone}
			return err
		}
		w = s.wait(tx.Now, a)
		return nil
	})
	return w, err
}
