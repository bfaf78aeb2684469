// Package multifactor owns the proofs of factors and what they are worth: the one-time codes
// that are sent to an account (auth_code), the factor levels (MultiFactorConf), and Decide,
// which says by levels and proofs whether somebody may do something; and what people have
// enrolled: authenticator apps, passkeys, recovery codes. Tables levels, level_guards,
// authenticators and challenges.
//
// It knows attempts by their ids only and nothing of sessions: the codes of an attempt are a
// Set, which is stored with the attempt, and the proofs of a session are passed in.
package multifactor

import (
	"time"

	"github.com/sethvargo/go-password/password"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
	// Slots is how many codes of one attempt are valid at once, for mail that is late.
	Slots = 3
	// LongLength is the length of a long code: ten of 23 letters, 45 bits, so that tries
	// need no limit.
	LongLength = 10
	// letters leaves out i, l and o, which look like 1 and 0.
	letters = "abcdefghjkmnpqrstuvwxyz"
)

// Codes makes and compares one-time codes. Their HMACs are stored: without the secret key
// nobody can guess them from a copy of the database.
type Codes struct {
	// Digits: short codes have digits only, else letters only.
	Digits bool
	Length int

	mac *seal.MAC
	gen *password.Generator
}

// NewCodes returns Codes whose short codes have the given length and alphabet, "digits" or
// "letters".
func NewCodes(keys *seal.Keys, alphabet string, length int) (*Codes, error) {
	gen, err := password.NewGenerator(&password.GeneratorInput{LowerLetters: letters})
	return &Codes{Digits: alphabet == "digits", Length: length, mac: keys.MAC("auth code"), gen: gen}, err
}

// Code is a new code and its link.
type Code struct {
	Text    string
	Link    seal.Token // its ID is the attempt's
	Expires time.Time
}

// Issue makes a code of an attempt and adds it to the set, where it replaces the oldest
// beyond Slots. It is valid for life, and only in its account's generation g.
func (c *Codes) Issue(now time.Time, attempt db.ID, set *Set, long bool, g accounts.Generation, life time.Duration) (code Code, err error) {
	shape, digits := c.Shape(long), 0
	if shape.Digits {
		digits = shape.Length
	}
	if code.Text, err = c.gen.Generate(shape.Length, digits, 0, true, true); err != nil {
		return code, err
	}
	code.Link = seal.NewToken(int64(attempt))
	code.Expires = now.Add(life)
	sealed := seal.UnderToken(code.Link).Seal([]byte(code.Text), db.Bytes(attempt))
	set.add(stored{
		long: long, mac: c.sum(attempt, code.Text), linkHash: code.Link.Hash(), sealed: sealed,
		created: now, expires: code.Expires, generation: g,
	})
	return code, nil
}

func (c *Codes) sum(attempt db.ID, code string) []byte {
	return c.mac.Sum(db.Bytes(attempt), []byte(code))
}

// Verdict is the result of a comparison. A wrong code is a verdict, not an error: an error
// would roll the transaction back.
type Verdict int

// Verdicts.
const (
	Wrong   Verdict = iota
	Right           // a valid code
	Expired         // the code is void or expired, or all codes have expired
	Spent           // all codes are short, and the tries at short codes are used up
)

// Match compares a text that Shape.Find returned with all codes of an attempt, each in
// constant time. A code of another generation is void and yields Expired. Any other text is
// Wrong in every generation, so that an open attempt does not reveal that the account's
// owner has signed in elsewhere. Short codes count only if short is set.
func (c *Codes) Match(now time.Time, attempt db.ID, set Set, text string, g accounts.Generation, short bool) (Verdict, error) {
	codes, err := set.codes()
	if err != nil {
		return Wrong, err
	}
	sum := c.sum(attempt, text)
	live, usable := false, false
	verdict := Wrong
	for _, k := range codes {
		alive := k.alive(now)
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

// Same reports whether a text that Shape.Find returned is one of the attempt's codes,
// open or not.
func (c *Codes) Same(attempt db.ID, set Set, text string) (bool, error) {
	codes, err := set.codes()
	same := false
	for _, k := range codes {
		same = seal.Equal(c.sum(attempt, text), k.mac) || same
	}
	return same, err
}

// Opened is the code of a link.
type Opened struct {
	Text    string
	Created time.Time
	Open    bool // not expired, and of the account's generation
}

// ByLink returns the code of an attempt whose link has the token; ok is false if none has.
func (c *Codes) ByLink(now time.Time, attempt db.ID, set Set, link seal.Token, g accounts.Generation) (o Opened, ok bool, err error) {
	codes, err := set.codes()
	if err != nil {
		return o, false, err
	}
	for _, k := range codes {
		if link.ID != int64(attempt) || !link.Matches(k.linkHash) {
			continue
		}
		text, err := seal.UnderToken(link).Open(k.sealed, db.Bytes(attempt))
		return Opened{string(text), k.created, k.alive(now) && k.generation == g}, err == nil, err
	}
	return o, false, nil
}
