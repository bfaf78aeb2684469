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

// attemptLife is how long an attempt can be continued by resending; after it the next
// code begins a new attempt.
const attemptLife = time.Hour

// resentFor is how long the page says that a code was sent again.
const resentFor = 10 * time.Second

// purpose is what an attempt is for.
type purpose string

const (
	forSignIn   purpose = "sign-in"
	forRecovery purpose = "recovery" // made by `users link`: its link works in any browser
	forProvider purpose = "provider" // a sign-in at a provider; it has no codes
	forAdding   purpose = "adding"   // an address is added to the user of a session
	forStepUp   purpose = "step-up"  // a session proves an account of its user once more
)

// ticket is the part of an attempt that does not depend on how it is proved.
type ticket struct {
	id         db.ID
	secretHash []byte
	purpose    purpose
	browser    []byte
	addr       accounts.ID
	typed      accounts.Address   // where its messages go; "" in rows without one: the identifier
	account    accounts.AccountID // 0: sign-up is closed and the id unknown
	masked     bool               // the person has not typed the address
	known      bool               // the browser had signed in with this id before
	adminHash  []byte             // of the first administrator's token that it began with, or empty
	next       string
	network    string // of the requester, as limits count it (door.Network)
	client     audit.Client
	used       time.Time
	voided     time.Time // by "it was not me"
	session    db.ID     // that it opened, or 0
	forSession db.ID     // that wants to add the address or to prove it once more, or 0
}

// codeState is the state of an attempt's codes.
type codeState struct {
	codes      multifactor.Set
	silent     bool // no message was sent, and no code opens it
	short      bool // its newest code is short: tries are counted, and short codes work
	tries      int
	triesTaken int // from the id's budget
	sends      int
	kept       int // how many of the sends were kept sends (KeptSends)
	sent       time.Time
	expires    time.Time // of its latest code
	answer     []byte    // the sealed secret of the link whose question was answered "yes"; empty: no answer
}

// attempt is a row of attempts.
type attempt struct {
	ticket
	codeState
}

// open reports whether the attempt can still end in a sign-in.
func (t ticket) open() bool { return t.used.IsZero() && t.voided.IsZero() }

// hasCodes reports an attempt whose codes are typed in its browser.
func (t ticket) hasCodes() bool {
	return t.purpose == forSignIn || t.purpose == forAdding || t.purpose == forStepUp
}

// address is where the attempt's messages are sent; its browser is shown the same.
func (t ticket) address() accounts.Address {
	if t.typed == "" {
		return accounts.Address(t.addr.Identifier)
	}
	return t.typed
}

const attemptColumns = `id, secret_hash, purpose, browser, implementation, identifier, typed, is_masked, account_id, is_known, first_hash, next, network, prefix, agent,
	used_at, voided_at, session_id, for_session, answer, codes, is_silent, has_short, tries, tries_taken, sends, kept, sent_at, expires_at`

func (a *attempt) scan(scan db.Scan) error {
	return scan(&a.id, &a.secretHash, &a.purpose, &a.browser, &a.addr.Implementation, &a.addr.Identifier, &a.typed, &a.masked, &a.account, &a.known, &a.adminHash,
		&a.next, &a.network, &a.client.Prefix, &a.client.Agent, &a.used, &a.voided, &a.session, &a.forSession,
		&a.answer, (*[]byte)(&a.codes), &a.silent, &a.short, &a.tries, &a.triesTaken, &a.sends, &a.kept, &a.sent, &a.expires)
}

func loadAttempt(tx *db.Tx, id db.ID, lock string) (a attempt, err error) {
	err = a.scan(tx.Get(`SELECT `+attemptColumns+` FROM attempts WHERE id = $1`+lock, id).Scan)
	return a, err
}

// attemptOf returns the attempt of a browser's cookie; found is false for an invalid
// cookie. lock is "" or the transaction's ForUpdate.
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
	a.id = db.ID(t.ID)
	err = tx.Get(`SELECT secret_hash, implementation, identifier, typed, is_masked, next, for_session, account_id, is_known, answer, has_short, tries, sends, sent_at, expires_at, used_at, voided_at FROM attempts WHERE id = $1`, t.ID).
		Scan(&a.secretHash, &a.addr.Implementation, &a.addr.Identifier, &a.typed, &a.masked, &a.next, &a.forSession, &a.account, &a.known, &a.answer, &a.short, &a.tries, &a.sends, &a.sent, &a.expires, &a.used, &a.voided)
	return a.ifMatches(t, err)
}

// countTry counts one try of a browser's attempt. It returns the columns that decide
// whether and where the try counts. Only text with the shape of the attempt's codes is
// a try: short and long say which shapes it has. The first most tries at short codes
// are also recorded as taken from the id's budget; if that has no room, releaseTry takes
// the record back.
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

func (a attempt) releaseTry(tx *db.Tx) error {
	_, err := tx.Exec(`UPDATE attempts SET tries_taken = tries_taken - 1 WHERE id = $1`, a.id)
	return err
}

// ifMatches returns the attempt only if the cookie holds its secret.
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
		next, network, prefix, agent, codes, is_silent, has_short, sends, kept, sent_at, expires_at, for_session, is_masked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)`,
		a.id, a.secretHash, a.purpose, a.browser, a.addr.Implementation, a.addr.Identifier, a.typed, a.account, db.Int(a.known), append([]byte{}, a.adminHash...),
		a.next, a.network, a.client.Prefix, a.client.Agent, []byte(a.codes), db.Int(a.silent), db.Int(a.short), a.sends, a.kept, a.sent, a.expires, a.forSession, db.Int(a.masked))
	return err
}

// claim stores the attempt of a provider's response. It reports false if it was stored
// before.
func (a attempt) claim(tx *db.Tx) (first bool, err error) {
	n, err := tx.Exec(`INSERT INTO attempts (id, secret_hash, purpose, browser, implementation, identifier, account_id, is_silent, is_known, first_hash, has_short, next, network, prefix, agent)
		VALUES ($1, $2, $3, $4, $5, '', 0, 0, 0, $6, 0, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`,
		a.id, a.secretHash, a.purpose, a.browser, a.addr.Implementation, append([]byte{}, a.adminHash...), a.next, a.network, a.client.Prefix, a.client.Agent)
	return n == 1, err
}

// resent stores an attempt after one more code.
func (a attempt) resent(tx *db.Tx) error {
	_, err := tx.Exec(`UPDATE attempts SET sends = $2, sent_at = $3, expires_at = $4, is_silent = $5, account_id = $6, has_short = $7, typed = $8, kept = $9, codes = $10, is_masked = $11, answer = $12 WHERE id = $1`,
		a.id, a.sends, a.sent, a.expires, db.Int(a.silent), a.account, db.Int(a.short), a.typed, a.kept, []byte(a.codes), db.Int(a.masked), []byte{})
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

// resendIn is how long until another code may be sent; 0: at once. A time of sending in
// the future, from a clock that was ahead, does not count.
func (c codeState) resendIn(now time.Time, every time.Duration) time.Duration {
	if c.sent.IsZero() || c.sent.After(now.Add(every)) {
		return 0
	}
	return max(0, c.sent.Add(every).Sub(now))
}

// use marks the attempt as used by a session. It reports false if it was used or voided.
func (t ticket) use(tx *db.Tx, session db.ID) (bool, error) {
	n, err := tx.Exec(`UPDATE attempts SET used_at = $2, session_id = $3 WHERE id = $1 AND used_at = 0 AND voided_at = 0`, t.id, tx.Now, session)
	return n == 1, err
}

// Waiting is what the code page shows. Nothing of it depends on whether the id is known.
type Waiting struct {
	Verdict  Verdict // Accepted: open; Gone, Expired, Used, Exhausted
	Typed    string  // the id as typed, for the code page only
	Masked   string
	Next     string // where the person wanted to go: a local path, or ""
	Digits   bool
	Long     bool
	Length   int
	Expires  time.Time
	ResendIn time.Duration // 0: at once
	Resent   bool          // another code was sent within the last resentFor
	Channel  string
	Adding   bool   // the address is added to the person of a session
	Question string // the ID of the message's question, "" if it has none
	Answered bool   // somebody has said yes to it
	// Others are other ways in, for a trusted browser.
	Others []accounts.Account
	Now    time.Time
}

// wait describes an attempt for the code page.
func (s *Service) wait(now time.Time, a attempt) Waiting {
	w := Waiting{
		Verdict: Accepted, Typed: string(a.address()), Masked: a.addr.Masked(), Next: a.next, Expires: a.expires, Channel: a.addr.Implementation, Adding: a.forSession != 0, Now: now,
		Digits: s.Codes.Digits && a.short, Long: !a.short, Length: s.Codes.Length,
	}
	if a.masked {
		w.Typed = w.Masked
	}
	if w.Long {
		w.Length = multifactor.LongLength
	}
	w.Resent = a.sends > 1 && now.Sub(a.sent) < resentFor
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

// Sweep removes up to limit attempts made before the given time.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE id < $1 ORDER BY id LIMIT $2)`, db.FirstID(before), limit)
}

// Kept is how long an attempt is kept from its beginning: the longest time for which it
// can be continued, the life of its last code, and an hour in which its page can say that
// it has ended.
func Kept(codeLife time.Duration) time.Duration { return attemptLife + codeLife + time.Hour }
