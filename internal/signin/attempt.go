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

// attempt is a row of attempts.
type attempt struct {
	id         db.ID
	secretHash []byte
	browser    []byte
	addr       accounts.ID
	typed      accounts.Address   // where its messages go; "" in rows without one: the identifier
	account    accounts.AccountID // 0: sign-up is closed and the id unknown
	silent     bool               // no message went out, and no code opens it
	known      bool               // the browser had signed in with this id before
	firstHash  []byte             // of the first administrator's token it came with, or empty
	recovery   bool               // made by `users link`: its link works in any browser
	short      bool               // its newest code is short: tries are counted, and short codes work
	next       string
	network    string // the requester's address as limits count it
	client     audit.Client
	tries      int
	triesTaken int // of the id's budget
	sends      int
	kept       int // of these, how many were kept for networks that had taken none
	sent       time.Time
	expires    time.Time // of its latest code
	used       time.Time
	voided     time.Time // by "it was not me"
	session    db.ID     // which came of it
}

// open reports whether the attempt can still end in a sign-in.
func (a attempt) open() bool { return a.used.IsZero() && a.voided.IsZero() }

// address is where the attempt's messages go, and what its browser is shown.
func (a attempt) address() accounts.Address {
	if a.typed == "" {
		return accounts.Address(a.addr.Identifier)
	}
	return a.typed
}

const attemptColumns = `id, secret_hash, browser, implementation, identifier, typed, account_id, is_silent, is_known, first_hash, is_rescue, has_short,
	next, network, prefix, agent, tries, tries_taken, sends, kept, sent_at, expires_at, used_at, voided_at, session_id`

func (a *attempt) scan(row db.Row) error {
	var sent, expires, used, voided int64
	err := row.Scan(&a.id, &a.secretHash, &a.browser, &a.addr.Implementation, &a.addr.Identifier, &a.typed, &a.account, &a.silent, &a.known, &a.firstHash,
		&a.recovery, &a.short, &a.next, &a.network, &a.client.Prefix, &a.client.Agent, &a.tries, &a.triesTaken, &a.sends, &a.kept, &sent, &expires, &used, &voided, &a.session)
	a.sent, a.expires, a.used, a.voided = db.Time(sent), db.Time(expires), db.Time(used), db.Time(voided)
	return err
}

func loadAttempt(tx *db.Tx, id db.ID, lock string) (a attempt, err error) {
	err = a.scan(tx.Get(`SELECT `+attemptColumns+` FROM attempts WHERE id = $1`+lock, id))
	return a, err
}

// attemptOf returns the attempt of a browser's cookie; found is false for any
// cookie that is not good. lock is "" or the transaction's Lock.
func attemptOf(tx *db.Tx, t seal.Token, lock string) (a attempt, found bool, err error) {
	if t.ID == 0 {
		return a, false, nil
	}
	a, err = loadAttempt(tx, db.ID(t.ID), lock)
	return a.ifMatches(t, err)
}

// loadStatus reads of an attempt what wait tells; it is attemptOf for who only waits,
// at a third of the price.
func loadStatus(tx *db.Tx, t seal.Token) (a attempt, found bool, err error) {
	if t.ID == 0 {
		return a, false, nil
	}
	var sent, expires, used, voided int64
	err = tx.Get(`SELECT secret_hash, implementation, identifier, typed, next, has_short, tries, sends, sent_at, expires_at, used_at, voided_at FROM attempts WHERE id = $1`, t.ID).
		Scan(&a.secretHash, &a.addr.Implementation, &a.addr.Identifier, &a.typed, &a.next, &a.short, &a.tries, &a.sends, &sent, &expires, &used, &voided)
	a.sent, a.expires, a.used, a.voided = db.Time(sent), db.Time(expires), db.Time(used), db.Time(voided)
	return a.ifMatches(t, err)
}

// countTry counts one answer to a browser's attempt and returns of the attempt
// what tells whether and where the try counts. It counts only an answer that has
// the shape of the attempt's codes: short and long say which shapes it has. Of
// the first most tries at short codes it also counts that they take from the
// id's budget; untake says that one could not.
func countTry(tx *db.Tx, t seal.Token, most int, short, long bool) (a attempt, found bool, err error) {
	a.id = db.ID(t.ID)
	var used, voided int64
	err = tx.Get(`UPDATE attempts SET
		tries = tries + CASE WHEN has_short = 1 AND $4 = 1 OR has_short = 0 AND $5 = 1 THEN 1 ELSE 0 END,
		tries_taken = tries_taken + CASE WHEN has_short = 1 AND $4 = 1 AND tries < $3 AND used_at = 0 AND voided_at = 0 THEN 1 ELSE 0 END
		WHERE id = $1 AND secret_hash = $2
		RETURNING secret_hash, browser, implementation, identifier, is_known, has_short, tries, used_at, voided_at`,
		t.ID, t.Hash(), most, db.Int(short), db.Int(long)).
		Scan(&a.secretHash, &a.browser, &a.addr.Implementation, &a.addr.Identifier, &a.known, &a.short, &a.tries, &used, &voided)
	a.used, a.voided = db.Time(used), db.Time(voided)
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
	_, err := tx.Exec(`INSERT INTO attempts (id, secret_hash, browser, implementation, identifier, typed, account_id, is_silent, is_known, first_hash, is_rescue, has_short,
		next, network, prefix, agent, sends, kept, sent_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		a.id, a.secretHash, a.browser, a.addr.Implementation, a.addr.Identifier, a.typed, a.account, db.Int(a.silent), db.Int(a.known), append([]byte{}, a.firstHash...), db.Int(a.recovery), db.Int(a.short),
		a.next, a.network, a.client.Prefix, a.client.Agent, a.sends, a.kept, a.sent.UnixMilli(), a.expires.UnixMilli())
	return err
}

// resent records one more code of an attempt.
func (a attempt) resent(tx *db.Tx) error {
	_, err := tx.Exec(`UPDATE attempts SET sends = $2, sent_at = $3, expires_at = $4, is_silent = $5, account_id = $6, has_short = $7, typed = $8, kept = $9 WHERE id = $1`,
		a.id, a.sends, a.sent.UnixMilli(), a.expires.UnixMilli(), db.Int(a.silent), a.account, db.Int(a.short), a.typed, a.kept)
	return err
}

// resendIn is how long until the attempt may have another code sent; 0: at once. A
// message that a clock sent which was ahead holds nobody up.
func (a attempt) resendIn(now time.Time, every time.Duration) time.Duration {
	if a.sent.IsZero() || a.sent.After(now.Add(every)) {
		return 0
	}
	return max(0, a.sent.Add(every).Sub(now))
}

// use ends the attempt in a sign-in, once.
func (a attempt) use(tx *db.Tx, session db.ID) (bool, error) {
	n, err := tx.Exec(`UPDATE attempts SET used_at = $2, session_id = $3 WHERE id = $1 AND used_at = 0 AND voided_at = 0`, a.id, tx.Millis(), session)
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

// Kept is how long attempts and codes are kept from their beginning: as long as
// one can go on and its last code lives, and an hour more to tell people that
// it is over.
func Kept(codeLife time.Duration) time.Duration { return attemptLife + codeLife + time.Hour }
