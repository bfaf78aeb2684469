package services

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/totp"
)

// ID is the number of an entry on the wire. IDs count up from 1 and are never reused.
type ID int64

// Key is what an entry is known by: its name in its realm.
type Key struct{ Name, Realm string }

// String names an entry for people: name in realm, or an app's UUID.
func (k Key) String() string {
	if k.Realm == g1Realm {
		return k.Name
	}
	return k.Name + " in " + k.Realm
}

// Entry is a micro service.
type Entry struct {
	ID          ID
	Name, Realm string
	App         App // of an app
	// Seed is base32, as it was imported or made. While two are good it is the newer.
	Seed     string
	Created  time.Time
	Expires  time.Time // zero: never
	OldUntil time.Time // until when the seed before this one is good, too; zero: there was none
	Use      Use
}

// Key is what the entry is known by.
func (e Entry) Key() Key { return Key{e.Name, e.Realm} }

// String names an entry for people.
func (e Entry) String() string { return e.Key().String() }

// Use is when a token of an entry was last compared, who asked, and the result.
type Use struct {
	At      time.Time // zero: never; to the minute while nothing else changes
	Caller  ID        // who asked; the entry itself when it called
	Network string    // of the caller
	Result  Result
}

// Result is the result of a use.
type Result string

// Results.
const (
	Accepted Result = "ok"
	Refused  Result = "wrong token"
)

// MaxText is the longest name, realm or token, in characters.
const MaxText = 128

// MaxID is the highest ID that may be imported: the highest integer that JavaScript and
// JSON hold exactly (RFC 8259 6).
const MaxID = 1<<53 - 1

// Errors of what is asked for. Their texts may be shown.
var (
	ErrTaken     = errors.New("another entry has this name in this realm")
	ErrCollision = errors.New("this name cannot be stored beside those that are here: take another")
	ErrID        = fmt.Errorf("a number is at most %d", MaxID)
	ErrText      = fmt.Errorf("a name and a realm have 1 to %d characters, no white space around them and none that is null", MaxText)
)

// rowKey is the primary key of a row: 63 bits of a hash of the entry's key. A read by
// primary key searches one tree, and costs nearly the same among ten entries and among a
// million; an index on texts would be a second tree, too large for the cache. Two keys
// with one hash are not to be expected in the life of a site; that is ErrCollision.
func rowKey(k Key) int64 {
	sum := sha256.Sum256([]byte(k.Name + "\x00" + k.Realm))
	return int64(binary.BigEndian.Uint64(sum[:]) >> 1)
}

// Draft is what a new entry is made of.
type Draft struct {
	Name, Realm string
	App         App
	Seed        string    // "": a random one
	Expires     time.Time // zero: never
	ID          ID        // 0: the next
	Created     time.Time // zero: now
}

// Trim strips white space as the wire does: that of Unicode and the four separators of
// ASCII.
func Trim(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f })
}

// Valid reports whether a name or realm may be stored.
func Valid(text string) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= MaxText && Trim(text) == text && !strings.ContainsRune(text, 0)
}

// Add stores a new triple. It returns ErrTaken, ErrText, ErrID or totp.ErrSeed for a
// draft that cannot be stored.
func (s *Service) Add(tx *db.Tx, n Draft, by audit.By) (Entry, error) {
	if !Valid(n.Name) || !Valid(n.Realm) {
		return Entry{}, ErrText
	}
	return s.add(tx, n, by)
}

func (s *Service) add(tx *db.Tx, n Draft, by audit.By) (Entry, error) {
	e := Entry{ID: n.ID, Name: n.Name, Realm: n.Realm, App: n.App, Seed: n.Seed, Created: n.Created, Expires: n.Expires}
	if e.ID < 0 || e.ID > MaxID {
		return e, ErrID
	}
	if e.Seed == "" {
		e.Seed = totp.NewSeed()
	}
	if _, err := totp.ParseSeed(e.Seed); err != nil {
		return e, err
	}
	if e.Created.IsZero() {
		e.Created = tx.Now
	}
	if err := checkFree(tx, 0, e.Name, e.Realm); err != nil {
		return e, err
	}
	if err := nextID(tx, &e.ID); err != nil {
		return e, err
	}
	_, err := tx.Exec(`INSERT INTO services (place, id, name, realm, sealed, old_sealed, created_at, expires_at, username, appname, is_trusted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		rowKey(e.Key()), e.ID, e.Name, e.Realm, s.seal(e.ID, e.Seed), []byte{}, e.Created, endMillis(e.Expires), e.App.Username, e.App.Name, db.Int(e.App.Trusted))
	if err != nil {
		return e, err
	}
	return e, audit.WriteService(tx, int64(e.ID), audit.ServiceAdded, by, e.String())
}

// nextID sets the next ID, or lets counting go on after an ID that is imported.
func nextID(tx *db.Tx, id *ID) error {
	var last ID
	err := tx.Get(`INSERT INTO counters (name, last) VALUES ('services', $1)
		ON CONFLICT (name) DO UPDATE SET last = CASE WHEN excluded.last > counters.last THEN excluded.last ELSE counters.last + $2 END
		RETURNING last`, max(*id, 1), db.Int(*id == 0)).Scan(&last)
	if *id == 0 {
		*id = last
	}
	return err
}

// checkFree reports ErrTaken if an entry other than id has the name in the realm.
func checkFree(tx *db.Tx, id ID, name, realm string) error {
	var other ID
	var same bool
	err := tx.Get(`SELECT id, name = $2 AND realm = $3 FROM services WHERE place = $1`, rowKey(Key{name, realm}), name, realm).Scan(&other, &same)
	switch {
	case errors.Is(err, db.ErrNotFound) || err == nil && other == id:
		return nil
	case err != nil:
		return err
	case same:
		return ErrTaken
	}
	return ErrCollision
}

const columns = `id, name, realm, sealed, old_valid_to, created_at, expires_at, last_used_at, last_caller, last_network, last_result, username, appname, is_trusted`

// scan reads an Entry from a row of columns.
func (s *Service) scan(e *Entry, scan db.Scan) error {
	var sealed []byte
	err := scan(&e.ID, &e.Name, &e.Realm, &sealed, &e.OldUntil, &e.Created, &e.Expires, &e.Use.At, &e.Use.Caller, &e.Use.Network, &e.Use.Result,
		&e.App.Username, &e.App.Name, &e.App.Trusted)
	if err != nil {
		return err
	}
	if e.Seed, err = s.open(e.ID, sealed); err != nil {
		return fmt.Errorf("seed of entry %d: %w", e.ID, err)
	}
	return nil
}

func (s *Service) scanOne(row db.Row) (e Entry, err error) {
	err = s.scan(&e, row.Scan)
	return e, err
}

// Get returns a triple, or db.ErrNotFound.
func (s *Service) Get(tx *db.Tx, id ID) (Entry, error) {
	return s.scanOne(tx.Get(`SELECT `+columns+` FROM services WHERE id = $1 AND realm <> $2`, id, g1Realm))
}

// Any returns a triple or an app, or db.ErrNotFound.
func (s *Service) Any(tx *db.Tx, id ID) (Entry, error) {
	return s.scanOne(tx.Get(`SELECT `+columns+` FROM services WHERE id = $1`, id))
}

// Find returns the triple of a name and realm, or db.ErrNotFound.
func (s *Service) Find(tx *db.Tx, name, realm string) (Entry, error) {
	return s.scanOne(tx.Get(`SELECT `+columns+` FROM services WHERE place = $1 AND name = $2 AND realm = $3`, rowKey(Key{name, realm}), name, realm))
}

// List returns up to limit triples after an ID, in their order.
func (s *Service) List(tx *db.Tx, after ID, limit int) ([]Entry, error) {
	return db.All(tx, s.scan, `SELECT `+columns+` FROM services WHERE id > $1 AND realm <> $2 ORDER BY id LIMIT $3`, after, g1Realm, limit)
}

// Rename gives an entry another name, realm or both; its seed stays. It returns ErrTaken
// or ErrText for names that cannot be stored.
func (s *Service) Rename(tx *db.Tx, id ID, name, realm string, by audit.By) error {
	if !Valid(name) || !Valid(realm) {
		return ErrText
	}
	if err := checkFree(tx, id, name, realm); err != nil {
		return err
	}
	if err := changedOne(tx.Exec(`UPDATE services SET place = $2, name = $3, realm = $4 WHERE id = $1`, id, rowKey(Key{name, realm}), name, realm)); err != nil {
		return err
	}
	return audit.WriteService(tx, int64(id), audit.ServiceChanged, by, Entry{Name: name, Realm: realm}.String())
}

// SetExpiry sets when an entry expires; zero: never.
func (s *Service) SetExpiry(tx *db.Tx, id ID, at time.Time, by audit.By) error {
	if err := changedOne(tx.Exec(`UPDATE services SET expires_at = $2 WHERE id = $1`, id, endMillis(at))); err != nil {
		return err
	}
	return audit.WriteService(tx, int64(id), audit.ServiceChanged, by, "expires "+endText(at))
}

// Rotate gives an entry a new seed and returns it. The seed so far stays good until the
// given time, so that the service can be given the new one meanwhile. An older seed that
// was still good ends now.
func (s *Service) Rotate(tx *db.Tx, id ID, oldUntil time.Time, by audit.By) (seed string, err error) {
	seed = totp.NewSeed()
	err = changedOne(tx.Exec(`UPDATE services SET old_sealed = sealed, old_valid_to = $2, sealed = $3 WHERE id = $1`, id, endMillis(oldUntil), s.seal(id, seed)))
	if err != nil {
		return "", err
	}
	return seed, audit.WriteService(tx, int64(id), audit.ServiceRotated, by, "old seed until "+endText(oldUntil))
}

// Delete removes an entry. Its ID is not reused.
func (s *Service) Delete(tx *db.Tx, id ID, by audit.By) error {
	if err := changedOne(tx.Exec(`DELETE FROM services WHERE id = $1`, id)); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM service_callers WHERE service_id = $1`, id); err != nil {
		return err
	}
	return audit.WriteService(tx, int64(id), audit.ServiceDeleted, by, "")
}

// changedOne returns db.ErrNotFound if a statement about one entry changed no row.
func changedOne(n int64, err error) error {
	if err == nil && n == 0 {
		return db.ErrNotFound
	}
	return err
}

// endMillis is the end of an entry or seed as it is stored. 0 is never, so an end before
// 1970 is stored as the first millisecond of 1970.
func endMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(1, t.UnixMilli())
}

func endText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
