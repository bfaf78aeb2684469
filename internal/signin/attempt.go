package signin

import (
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
)

// attemptLife bounds how long one attempt goes on by sending again; after it
// the next code begins a new attempt.
const attemptLife = time.Hour

// aMoment is how long a page says that a message has just gone.
const aMoment = 10 * time.Second

// purpose is what an attempt is for.
type purpose string

const (
	forSignIn   purpose = "sign-in"
	forRecovery purpose = "recovery" // made by `users link`: its link works in any browser
)

// ticket is what an attempt is about, whichever way it is proved.
type ticket struct {
	id         db.ID
	secretHash []byte
	purpose    purpose
	browser    []byte
	addr       accounts.ID
	typed      accounts.Address   // where its messages go; "" in rows without one: the identifier
	account    accounts.AccountID // 0: sign-up is closed and the id unknown
	known      bool               // the browser had signed in with this id before
	firstHash  []byte             // of the first administrator's token it came with, or empty
	next       string
	network    string // the requester's address as limits count it
	client     audit.Client
	used       time.Time
	voided     time.Time // by "it was not me"
	session    db.ID     // which came of it
}

// codeState is the state of an attempt's codes.
type codeState struct {
	codes      multifactor.Set
	silent     bool // no message went out, and no code opens it
	short      bool // its newest code is short: tries are counted, and short codes work
	tries      int
	triesTaken int // of the id's budget
	sends      int
	kept       int // of these, how many were kept for networks that had taken none
	sent       time.Time
	expires    time.Time // of its latest code
}

// attempt is a row of attempts.
type attempt struct {
	ticket
	codeState
}

// open reports whether the attempt can still end in a sign-in.
func (t ticket) open() bool { return t.used.IsZero() && t.voided.IsZero() }

// address is where the attempt's messages go, and what its browser is shown.
func (t ticket) address() accounts.Address {
	if t.typed == "" {
		return accounts.Address(t.addr.Identifier)
	}
	return t.typed
}

const attemptColumns = `id, secret_hash, purpose, browser, implementation, identifier, typed, account_id, is_known, first_hash, next, network, prefix, agent,
	used_at, voided_at, session_id, codes, is_silent, has_short, tries, tries_taken, sends, kept, sent_at, expires_at`

func (a *attempt) scan(scan db.Scan) error {
	return scan(&a.id, &a.secretHash, &a.purpose, &a.browser, &a.addr.Implementation, &a.addr.Identifier, &a.typed, &a.account, &a.known, &a.firstHash,
		&a.next, &a.network, &a.client.Prefix, &a.client.Agent, &a.used, &a.voided, &a.session,
		(*[]byte)(&a.codes), &a.silent, &a.short, &a.tries, &a.triesTaken, &a.sends, &a.kept, &a.sent, &a.expires)
}

func loadAttempt(tx *db.Tx, id db.ID, lock string) (a attempt, err error) {
	err = a.scan(tx.Get(`SELECT `+attemptColumns+` FROM attempts WHERE id = $1`+lock, id).Scan)
	return a, err
}

// attemptOf returns the attempt of a browser's cookie; found is false for any
// cookie that is not good. lock is "" or the transaction's ForUpdate.
func attemptOf(tx *db.Tx, t seal.Token, lock string) (a attempt, found bool, err error) {
	if t.ID == 0 {
		return a, false, nil
	}
	a, err = loadAttempt(tx, db.ID(t.ID), lock)
	return a.ifMatches(t, err)
}

// loadStatus reads only the columns that the waiting page needs, a third of attemptOf's
// cost.
func loadStatus(tx *db.Tx, t seal.Token) (a attempt, found bool, err error) {
	if t.ID == 0 {
		return a, false, nil
	}
	err = tx.Get(`SELECT secret_hash, implementation, identifier, typed, next, has_short, tries, sends, sent_at, expires_at, used_at, voided_at FROM attempts WHERE id = $1`, t.ID).
		Scan(&a.secretHash, &a.addr.Implementation, &a.addr.Identifier, &a.typed, &a.next, &a.short, &a.tries, &a.sends, &a.sent, &a.expires, &a.used, &a.voided)
	return a.ifMatches(t, err)
}

// countTry counts one answer to a browser's attempt and returns of the attempt
// what decides whether and where the try counts. It counts only an answer that has
// the shape of the attempt's codes: short and long say which shapes it has. The
// first most tries at short codes are reserved from the id's budget as well; untake
// releases one if the reservation failed.
func countTry(tx *db.Tx, t seal.Token, most int, short, long bool) (a attempt, found bool, err error) {
	a.id = db.ID(t.ID)
	err = tx.Get(`UPDATE attempts SET
		tries = tries + CASE WHEN has_short = 1 AND $4 = 1 OR has_short = 0 AND $5 = 1 THEN 1 ELSE 0 END,
		tries_taken = tries_taken + CASE WHEN has_short = 1 AND $4 = 1 AND tries < $3 AND used_at = 0 AND voided_at = 0 THEN 1 ELSE 0 END
		WHERE id = $1 AND secret_hash = $2
		RETURNING secret_hash, browser, implementation, identifier, is_known, has_short, tries, used_at, voided_at`,
		t.ID, t.Hash(), most, db.Int(short), db.Int(long)).
		Scan(&a.secretHash, &a.browser, &a.addr.Implementation, &a.addr.Identifier, &a.known, &a.short, &a.tries, &a.used, &a.voided)
	return a.ifMatches(t, err)
}

func (a attempt) untake(tx *db.Tx) error {
	_, err := tx.Exec(`UPDATE attempts SET tries_taken = tries_taken - 1 WHERE id = $1`, a.id)
	return err
}

// ifMatches hands the attempt out only to the browser that holds its secret.
func (a attempt) ifMatches(t seal.Token, err error) (attempt, bool, error) {
	if errors.Is(err, db.ErrNotFound) {
		return attempt{}, false, nil
	}
	if err != nil || !t.Matches(a.secretHash) {
		return attempt{}, false, err
	}
	return a, true, nil
}

func (a attempt) insert(tx *db.Tx) error {
	_, err := tx.Exec(`INSERT INTO attempts (id, secret_hash, purpose, browser, implementation, identifier, typed, account_id, is_known, first_hash,
		next, network, prefix, agent, codes, is_silent, has_short, sends, kept, sent_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		a.id, a.secretHash, a.purpose, a.browser, a.addr.Implementation, a.addr.Identifier, a.typed, a.account, db.Int(a.known), append([]byte{}, a.firstHash...),
		a.next, a.network, a.client.Prefix, a.client.Agent, []byte(a.codes), db.Int(a.silent), db.Int(a.short), a.sends, a.kept, a.sent, a.expires)
	return err
}

// resent records one more code of an attempt.
func (a attempt) resent(tx *db.Tx) error {
	_, err := tx.Exec(`UPDATE attempts SET sends = $2, sent_at = $3, expires_at = $4, is_silent = $5, account_id = $6, has_short = $7, typed = $8, kept = $9, codes = $10 WHERE id = $1`,
		a.id, a.sends, a.sent, a.expires, db.Int(a.silent), a.account, db.Int(a.short), a.typed, a.kept, []byte(a.codes))
	return err
}

// expireForGood keeps expired codes expired when the clock is set back.
func (a attempt) expireForGood(tx *db.Tx) error {
	if !a.codes.ExpireForGood(tx.Now) {
		return nil
	}
	_, err := tx.Exec(`UPDATE attempts SET codes = $2 WHERE id = $1`, a.id, []byte(a.codes))
	return err
}

// resendIn is how long until the attempt may have another code sent; 0: at once. A
// message that a clock sent which was ahead holds nobody up.
func (c codeState) resendIn(now time.Time, every time.Duration) time.Duration {
	if c.sent.IsZero() || c.sent.After(now.Add(every)) {
		return 0
	}
	return max(0, c.sent.Add(every).Sub(now))
}

// use ends the attempt in a sign-in, once.
func (t ticket) use(tx *db.Tx, session db.ID) (bool, error) {
	n, err := tx.Exec(`UPDATE attempts SET used_at = $2, session_id = $3 WHERE id = $1 AND used_at = 0 AND voided_at = 0`, t.id, tx.Now, session)
	return n == 1, err
}

// Waiting is what a browser that waits for its code is shown. Nothing of it
// depends on whether the id is known.
type Waiting struct {
	Verdict  Verdict // Accepted: open; Gone, Expired, Used, Exhausted
	Typed    string  // the id as it was typed, for the page of the code alone
	Masked   string
	Next     string // where the person wanted to go: a local path, or ""
	Digits   bool
	Long     bool
	Length   int
	Expires  time.Time
	ResendIn time.Duration // 0: at once
	Resent   bool          // a moment ago a code was sent once more
	Channel  string
	Now      time.Time
}

// wait tells an attempt's state.
func (s *Service) wait(now time.Time, a attempt) Waiting {
	w := Waiting{
		Verdict: Accepted, Typed: string(a.address()), Masked: a.addr.Masked(), Next: a.next, Expires: a.expires, Channel: a.addr.Implementation, Now: now,
		Digits: s.Codes.Digits && a.short, Long: !a.short, Length: s.Codes.Length,
	}
	if w.Long {
		w.Length = multifactor.LongLength
	}
	w.Resent = a.sends > 1 && now.Sub(a.sent) < aMoment
	w.ResendIn = a.resendIn(now, s.Settings.ResendEvery)
	switch {
	case !a.voided.IsZero():
		w.Verdict = Stopped
	case !a.used.IsZero():
		w.Verdict = Used
	case !now.Before(a.expires):
		w.Verdict = Expired
	case a.tries >= s.Settings.Tries:
		w.Verdict = Exhausted
	}
	return w
}

// Sweep removes up to limit attempts that began before the given time.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE id < $1 ORDER BY id LIMIT $2)`, db.FirstID(before), limit)
}

// Kept is how long attempts are kept from their beginning: as long as
// one can go on and its last code lives, and an hour more to tell people that
// it is over.
func Kept(codeLife time.Duration) time.Duration { return attemptLife + codeLife + time.Hour }
