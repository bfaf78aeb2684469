package services

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
)

// An app is an entry of the first generation (2018): it is known by a random UUID
// and belongs to a username. It lies among the triples with the UUID for a name,
// in a realm that no triple can be in, so that all that holds for a triple holds
// for it.
const g1Realm = ""

// App is what an app has beyond its UUID and seed.
type App struct {
	Name     string
	Username string // whose it is
	Trusted  bool   // may verify others, and use the bus
}

// UUID reads an app's UUID, in any case.
func UUID(text string) (string, bool) {
	id, err := uuid.Parse(text)
	return id.String(), err == nil && len(text) == len(id.String())
}

// AppTriple is what an app shows for itself; ok is false if the text is no UUID.
func AppTriple(appuuid, token string) (t Triple, ok bool) {
	name, ok := UUID(appuuid)
	return Triple{Name: name, Realm: g1Realm, Token: token}, ok
}

// MaxApps is how many apps one username may have.
const MaxApps = 1000

// ErrTooMany reports a username that has MaxApps.
var ErrTooMany = fmt.Errorf("a username has at most %d apps", MaxApps)

// AddApp makes an app with a fresh UUID, its Name, and seed. It returns ErrText
// for a name or username that cannot be, and ErrTooMany.
func (s *Service) AddApp(tx *db.Tx, a App, by audit.Client) (Entry, error) {
	if !Valid(a.Name) || !Valid(a.Username) {
		return Entry{}, ErrText
	}
	var n int
	if err := tx.Get(`SELECT COUNT(*) FROM services WHERE username = $1 AND username <> ''`, a.Username).Scan(&n); err != nil {
		return Entry{}, err
	}
	if n >= MaxApps {
		return Entry{}, ErrTooMany
	}
	return s.add(tx, Draft{Name: uuid.NewString(), Realm: g1Realm, App: a}, by)
}

// GetApp returns the app of a UUID, or db.ErrNotFound.
func (s *Service) GetApp(tx *db.Tx, appuuid string) (Entry, error) {
	name, ok := UUID(appuuid)
	if !ok {
		return Entry{}, db.ErrNotFound
	}
	return s.Find(tx, name, g1Realm)
}

// Apps lists the apps of a username, or all for "", by their age.
func (s *Service) Apps(tx *db.Tx, username string) ([]Entry, error) {
	if username == "" {
		return s.all(tx, `SELECT `+columns+` FROM services WHERE username <> '' ORDER BY id`)
	}
	return s.all(tx, `SELECT `+columns+` FROM services WHERE username = $1 AND username <> '' ORDER BY id`, username)
}

// ErrForeign reports a username that is not the caller's own.
var ErrForeign = errors.New("only a trusted app may register for another username")

// RegisterApp makes an app for another: a trusted one for anybody, others for
// their own username.
func (s *Service) RegisterApp(tx *db.Tx, by Entry, a App, from audit.Client) (Entry, error) {
	if !by.App.Trusted && a.Username != by.App.Username {
		return Entry{}, ErrForeign
	}
	return s.AddApp(tx, a, from)
}
