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

// Request is a request to sign in.
type Request struct {
	ID         accounts.ID
	Typed      accounts.Address // where messages are sent, as typed; "": the identifier
	Next       string           // a local path, or ""
	AdminToken string           // the first administrator's token, or ""
	Provider   string           // the name of a configured provider that is to be used, or ""
	Fresh      bool             // a provider has to ask anew, and not to rest on an earlier sign-in
	Issuer     string           // the issuer that is to be used, which nobody has configured, or ""
	Masked     bool             // the person has not typed the address, and is not shown it in full
}

// Started is the result of a Request. If Wait is 0, a code is on its way, as far as the
// requester can know; else the request was refused.
type Started struct {
	Attempt seal.Token
	// Wait is how long until another request has a chance.
	Wait time.Duration
	// Soon: it was refused only because the last message is younger than ResendEvery.
	Soon bool
	// Closed: its channel does not work, so that nothing was sent, whoever asks.
	Closed bool
	// Stale: an address is added by a proof that is not too old; nothing was sent.
	Stale bool
	// Gone: there is no attempt to resend a code of.
	Gone bool
}

// starting is the state of one request in the parts of its sequence.
type starting struct {
	s          *Service
	request    Request
	by         Requester
	adminHash  []byte // hash of the first administrator's token it came with, or empty
	purpose    purpose
	forSession db.ID // that wants to add the address, or 0

	started Started
	a       attempt
	who     accounts.AccountStatus // whom the code is for
	goesOn  bool                   // a is an open attempt of this browser for this id
	long    bool
	kept    bool // its message is a kept send (KeptSends)
	queued  outbox.Queued
}

// Start begins an attempt and sends its code. If the browser has an open attempt for the
// id, that one is continued.
func (s *Service) Start(ctx context.Context, req Request, by Requester) (Started, error) {
	return (&starting{s: s, request: req, by: by, adminHash: adminHash(req.AdminToken), purpose: forSignIn}).run(ctx)
}

// adminHash is the hash of the first administrator's token, empty without one.
func adminHash(token string) []byte {
	if token == "" {
		return []byte{}
	}
	t, _ := seal.ParseToken(token)
	return t.Hash()
}

// Resend sends another code of the browser's attempt. If the attempt has ended, it begins a
// new one for the same id.
func (s *Service) Resend(ctx context.Context, by Requester) (Started, error) {
	var a attempt
	var found bool
	err := s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		a, found, err = attemptOf(tx, by.Attempt, "")
		return err
	})
	if err != nil || !found || !a.hasCodes() {
		return Started{Gone: true}, err
	}
	return (&starting{
		s: s, request: Request{ID: a.addr, Typed: a.typed, Masked: a.masked, Next: a.next}, by: by, adminHash: a.adminHash, purpose: a.purpose, forSession: a.forSession,
	}).run(ctx)
}

func (st *starting) run(ctx context.Context) (Started, error) {
	if st.s.Outbox.Closed(st.request.ID.Implementation) {
		return Started{Closed: true}, nil
	}
	err := st.s.DB.Sequence(ctx, db.ReadCommitted(st.count), db.ReadCommitted(st.begin))
	if err != nil {
		return Started{}, err
	}
	st.s.deliver([]outbox.Queued{st.queued}, st.by)
	return st.started, nil
}

// count takes from all budgets or from none: a stranger whose request is refused takes
// nothing from the owner's.
func (st *starting) count(tx *db.Tx) (err error) {
	st.started = Started{}
	if st.a, st.goesOn, err = st.current(tx, ""); err != nil {
		return err
	}
	if wait := st.a.resendIn(tx.Now, st.s.Settings.ResendEvery); st.goesOn && wait > 0 {
		st.started = Started{Wait: wait, Soon: true}
		return nil
	}
	if st.started.Wait, err = st.take(tx); err != nil || st.started.Wait > 0 {
		return err
	}
	left, err := limit.Left(tx, st.s.triesBudget(st.a))
	st.long = !left || st.goesOn && !st.a.short // once long, an attempt stays so
	return err
}

// take takes one message from its budgets, or else a kept send.
func (st *starting) take(tx *db.Tx) (wait time.Duration, err error) {
	st.kept = false
	wait, err = limit.Take(tx, st.s.sendBudgets(st.a)...)
	if err != nil || wait == 0 || st.a.known || len(st.s.Settings.KeptSends) == 0 {
		return wait, err
	}
	if none, err := limit.Unused(tx, st.s.sentLately(st.a, st.a.budgetKey()), lately); err != nil || !none {
		return wait, err
	}
	keptWait, err := limit.Take(tx, st.s.keptBudgets(st.a)...)
	if err != nil || keptWait > 0 {
		return wait, err
	}
	st.kept = true
	return 0, nil
}

// current returns the browser's attempt if it is open and for this id, else a new one that
// is not stored yet.
func (st *starting) current(tx *db.Tx, lock string) (a attempt, goesOn bool, err error) {
	a, found, err := attemptOf(tx, st.by.Attempt, lock)
	if err != nil {
		return a, false, err
	}
	if found && a.open() && a.addr == st.request.ID && a.tries < st.s.Settings.Tries && st.request.AdminToken == "" && a.purpose == st.purpose && a.forSession == st.forSession &&
		tx.Now.Sub(a.id.Time()) < attemptLife {
		a.typed, a.masked = st.request.Typed, st.request.Masked
		return a, true, nil
	}
	by := st.by
	return attempt{ticket: ticket{
		purpose: st.purpose, forSession: st.forSession, browser: by.Browser.ID[:], known: st.s.browsers.Knows(by.Browser, st.request.ID), addr: st.request.ID, typed: st.request.Typed, masked: st.request.Masked, adminHash: st.adminHash,
		next: st.request.Next, network: by.Network, client: by.Client,
	}}, false, nil
}

// begin stores a new attempt or continues the browser's. Against user enumeration, known,
// unknown, closed, blocked and deactivated ids cause the same work, up to the flag that
// nothing is sent.
func (st *starting) begin(tx *db.Tx) error {
	st.queued = outbox.Queued{}
	if st.started.Wait > 0 {
		return st.redirect(tx)
	}
	s := st.s
	if st.goesOn { // read again, and locked until the transaction ends
		var err error
		if st.a, st.goesOn, err = st.current(tx, tx.ForUpdate()); err != nil {
			return err
		}
		// A concurrent request may have made it long.
		st.long = st.long || st.goesOn && !st.a.short
	}
	who, mute, err := st.findAccount(tx)
	if err != nil {
		return err
	}
	st.who = who
	a := st.a
	if st.goesOn {
		st.started.Attempt = st.by.Attempt
	} else {
		a.id = tx.NewID()
		st.started.Attempt = seal.NewToken(int64(a.id))
		a.secretHash = st.started.Attempt.Hash()
	}
	code, err := s.Codes.Issue(tx.Now, a.id, &a.codes, st.long, who.CodeGeneration, s.Settings.life(a.addr.Implementation))
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
	line := a.id // for the first message, so that audit.Finish finds the line
	if st.goesOn {
		line = tx.NewID()
	}
	return audit.Begin(tx, line, db.ID(who.User), audit.Visitor, audit.CodeSent, st.by.Client)
}

// redirect makes a continued attempt lead to the page that its browser requested last.
func (st *starting) redirect(tx *db.Tx) error {
	if !st.goesOn || st.request.Next == "" || st.request.Next == st.a.next {
		return nil
	}
	_, err := tx.Exec(`UPDATE attempts SET next = $2 WHERE id = $1 AND used_at = 0`, st.a.id, st.request.Next)
	return err
}

// findAccount finds or makes the account. mute means that nothing may be sent: the browser
// is blocked ("it was not me"), the user is deactivated, or sign-up is closed to this id.
func (st *starting) findAccount(tx *db.Tx) (who accounts.AccountStatus, mute bool, err error) {
	id := st.request.ID
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
		if !there { // unknown, or swept since it was read
			unknown, who = true, accounts.AccountStatus{CodeGeneration: accounts.NoGeneration}
		}
	}
	letIn := st.purpose == forAdding || st.s.Settings.OpenSignup || who.Active || who.Invited || st.s.Settings.Admins[id]
	if !letIn && len(st.adminHash) > 0 {
		if letIn, err = accounts.MatchesAdminToken(tx, st.adminHash); err != nil {
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
	blocked, err := limit.Blocked(tx, notMeBlock, blockKey(st.by.Browser.ID[:], id), st.s.Settings.life(id.Implementation))
	return who, blocked || !letIn || who.Deactivated, err
}

func (st *starting) message(tx *db.Tx, a attempt, code string, link seal.Token) delivery.Message {
	s := st.s.Settings
	m := delivery.Message{
		To: accounts.ID{Implementation: a.addr.Implementation, Identifier: a.addr.Deliverable(a.address())}, Kind: "code", Lang: st.by.Words.Lang,
		Text: st.s.text(tx.Now, st.by),
	}
	m.Text.Code, m.Text.Minutes = code, int(s.life(a.addr.Implementation).Round(time.Minute)/time.Minute)
	m.Text.Link = s.PublicURL + "/login/link/" + link.String()
	m.Text.NotMe = s.PublicURL + "/login/not-me/" + st.s.notMeToken(a.id).String()
	m.Text.Question = st.question(a.ticket, m.Text)
	return m
}

// Wait returns the state of the browser's attempt, for the code page.
func (s *Service) Wait(ctx context.Context, by Requester) (w Waiting, err error) {
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		a, found, err := loadStatus(tx, by.Attempt)
		if err != nil || !found {
			w = Waiting{Verdict: Gone}
			return err
		}
		w = s.wait(tx.Now, a)
		return s.offer(tx, a, by, &w)
	})
	return w, err
}
