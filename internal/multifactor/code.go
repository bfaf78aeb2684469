// Package multifactor owns what proves a factor: the one-time codes that are sent to
// an account (auth_code).
//
// It knows neither attempts nor messages beyond their ids, and nothing of sessions.
package multifactor

import (
	"time"

	"github.com/sethvargo/go-password/password"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
	// Slots is how many codes of one attempt live together, for late mail.
	Slots = 3
	// LongLength is the length of a long code: ten of 23 letters, 45 bits, so
	// that tries need no budget.
	LongLength = 10
	// letters leaves out i, l and o, which are taken for 1 and 0.
	letters = "abcdefghjkmnpqrstuvwxyz"
)

// Codes makes and compares one-time codes. They are HMACs at rest: without the
// secret key nobody can try them out on a copy of the database.
type Codes struct {
	// Digits says that ordinary codes have digits only, else letters only.
	Digits bool
	Length int
	Life   time.Duration

	mac *seal.MAC
	gen *password.Generator
}

// NewCodes returns what makes codes of the given form, alphabet "digits" or
// "letters".
func NewCodes(keys *seal.Keys, alphabet string, length int, life time.Duration) (*Codes, error) {
	gen, err := password.NewGenerator(&password.GeneratorInput{LowerLetters: letters})
	return &Codes{alphabet == "digits", length, life, keys.MAC("auth code"), gen}, err
}

// Code is a fresh code and its link.
type Code struct {
	Text    string
	Link    seal.Token // its ID is the attempt's
	Expires time.Time
}

// Issue makes the n-th code of an attempt, counted from 0. From the fourth on
// each replaces the oldest. It is good in its account's generation g alone.
func (c *Codes) Issue(tx *db.Tx, attempt db.ID, n int, long bool, g accounts.Generation) (code Code, err error) {
	shape, digits := c.Shape(long), 0
	if shape.Digits {
		digits = shape.Length
	}
	if code.Text, err = c.gen.Generate(shape.Length, digits, 0, true, true); err != nil {
		return code, err
	}
	code.Link = seal.NewToken(int64(attempt))
	code.Expires = tx.Now.Add(c.Life)
	sealed := seal.UnderToken(code.Link).Seal([]byte(code.Text), db.Bytes(attempt))
	_, err = tx.Exec(`INSERT INTO codes (attempt_id, slot, is_long, mac, link_hash, link_sealed, created_at, expires_at, generation)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (attempt_id, slot) DO UPDATE SET is_long = excluded.is_long, mac = excluded.mac, link_hash = excluded.link_hash,
			link_sealed = excluded.link_sealed, created_at = excluded.created_at, expires_at = excluded.expires_at,
			generation = excluded.generation`,
		attempt, n%Slots, db.Int(long), c.sum(attempt, code.Text), code.Link.Hash(), sealed, tx.Millis(), code.Expires.UnixMilli(), g)
	return code, err
}

func (c *Codes) sum(attempt db.ID, code string) []byte {
	return c.mac.Sum(db.Bytes(attempt), []byte(code))
}

// Verdict is what comparing says. A wrong code is a verdict and no error: an
// error would roll back the count of tries.
type Verdict int

// Verdicts.
const (
	Wrong   Verdict = iota
	Right           // and it may be used
	Expired         // it is void, or it or every code there is has expired
	Spent           // only short codes are there and tries at them are used up
)

// Match compares a text that Shape.Find returned with the codes of an attempt, all of them and
// each in constant time. Codes of another generation are void, which is told to
// nobody but who has one: any other text is wrong before and after, so that an open
// attempt does not tell that the account's owner signed in elsewhere. Short codes count
// only if short is set.
func (c *Codes) Match(tx *db.Tx, attempt db.ID, text string, g accounts.Generation, short bool) (Verdict, error) {
	codes, err := c.load(tx, attempt)
	if err != nil {
		return Wrong, err
	}
	sum := c.sum(attempt, text)
	live, usable := false, false
	verdict := Wrong
	for _, k := range codes {
		alive := k.alive(tx.Now)
		open := alive && k.generation == g
		live = live || alive
		usable = usable || alive && (short || k.long)
		if equal := seal.Equal(sum, k.mac); equal && open && (short || k.long) {
			verdict = Right
		} else if equal && !open && verdict == Wrong {
			verdict = Expired
		}
	}
	switch {
	case verdict != Wrong:
		return verdict, nil
	case !live:
		return Expired, nil
	case !usable:
		return Spent, nil
	}
	return Wrong, nil
}

// ExpireForGood makes sure that a clock that jumps back brings none of an attempt's
// expired codes to life.
func (c *Codes) ExpireForGood(tx *db.Tx, attempt db.ID) error {
	_, err := tx.Exec(`UPDATE codes SET expires_at = 0 WHERE attempt_id = $1 AND expires_at <= $2`, attempt, tx.Millis())
	return err
}

// Same reports whether a text that Shape.Find returned is one of the attempt's codes, open or
// not.
func (c *Codes) Same(tx *db.Tx, attempt db.ID, text string) (bool, error) {
	codes, err := c.load(tx, attempt)
	same := false
	for _, k := range codes {
		same = seal.Equal(c.sum(attempt, text), k.mac) || same
	}
	return same, err
}

// Opened is the code behind a link.
type Opened struct {
	Text    string
	Created time.Time
	Open    bool // not expired, and of the generation
}

// ByLink returns the code of a link's token, ok only if the token is right.
func (c *Codes) ByLink(tx *db.Tx, link seal.Token, g accounts.Generation) (o Opened, ok bool, err error) {
	codes, err := c.load(tx, db.ID(link.ID))
	if err != nil {
		return o, false, err
	}
	for _, k := range codes {
		if !link.Matches(k.linkHash) {
			continue
		}
		plain, err := seal.UnderToken(link).Open(k.sealed, db.Bytes(db.ID(link.ID)))
		return Opened{string(plain), k.created, k.alive(tx.Now) && k.generation == g}, err == nil, err
	}
	return o, false, nil
}

type row struct {
	long                  bool
	mac, linkHash, sealed []byte
	created, expires      time.Time
	generation            accounts.Generation
}

// alive reports whether a code counts. One made in the future is of a clock that was
// wrong, and would live for longer than it should.
func (r row) alive(now time.Time) bool {
	return now.Before(r.expires) && !r.created.After(now.Add(db.Skew))
}

func (c *Codes) load(tx *db.Tx, attempt db.ID) (all []row, err error) {
	err = tx.Each(func(scan func(...any) error) error {
		var r row
		var created, expires int64
		err := scan(&r.long, &r.mac, &r.linkHash, &r.sealed, &created, &expires, &r.generation)
		r.created, r.expires = db.Time(created), db.Time(expires)
		all = append(all, r)
		return err
	}, `SELECT is_long, mac, link_hash, link_sealed, created_at, expires_at, generation FROM codes WHERE attempt_id = $1 ORDER BY slot`, attempt)
	return all, err
}

// SweepCodes removes up to limit codes of attempts older than before.
func SweepCodes(tx *db.Tx, before time.Time, limit int) (int64, error) {
	// Whole attempts at a time: the boundary is the id of the limit-th row.
	var last db.ID
	err := tx.Each(func(scan func(...any) error) error { return scan(&last) },
		`SELECT attempt_id FROM (SELECT attempt_id FROM codes WHERE attempt_id < $1 ORDER BY attempt_id LIMIT $2) old ORDER BY attempt_id DESC LIMIT 1`,
		db.FirstID(before), limit)
	if err != nil || last == 0 {
		return 0, err
	}
	return tx.Exec(`DELETE FROM codes WHERE attempt_id <= $1`, last)
}
