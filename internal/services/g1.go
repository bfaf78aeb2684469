package services

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
)

// An app is an entry of the first generation (2018), G1: it is known by a random UUID and
// belongs to a username. It is stored as a triple whose name is the UUID, in a realm that
// no triple can have, so that rotation, limits, expiry and last use work for both.
const g1Realm = ""

// App is what an app has beyond its UUID and seed.
type App struct {
	Name     string
	Username string // its owner
	Trusted  bool   // it may verify others, and use the bus
}

// UUID reads an app's UUID, in any case.
func UUID(text string) (string, bool) {
	id, err := uuid.Parse(text)
	return id.String(), err == nil && len(text) == len(id.String())
}

// AppTriple is what an app presents; ok is false if the text is no UUID.
func AppTriple(appuuid, token string) (t Triple, ok bool) {
	name, ok := UUID(appuuid)
	return Triple{Name: name, Realm: g1Realm, Token: token}, ok
}

// AppKey is what the app of a UUID is known by. It names nobody if the text is no UUID.
func AppKey(appuuid string) Key {
	name, _ := UUID(appuuid)
	return Key{name, g1Realm}
}

// MaxApps is how many apps one username may have.
const MaxApps = 1000

// ErrTooMany reports a username that has MaxApps.
var ErrTooMany = fmt.Errorf("a username has at most %d apps", MaxApps)

// AddApp stores a new app with a random UUID, which is its Name, and a random seed. It
// returns ErrText for a name or username that cannot be stored, and ErrTooMany.
func (s *Service) AddApp(tx *db.Tx, a App, by audit.By) (Entry, error) {
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

// GetApp returns the app with a UUID, or db.ErrNotFound.
func (s *Service) GetApp(tx *db.Tx, appuuid string) (Entry, error) {
	name, ok := UUID(appuuid)
	if !ok {
		return Entry{}, db.ErrNotFound
	}
	return s.Find(tx, name, g1Realm)
}

// apps lists up to limit apps after an ID, in their order.
func (s *Service) apps(tx *db.Tx, after ID, limit int) ([]Entry, error) {
	return db.All(tx, s.scan, `SELECT `+columns+` FROM services WHERE username <> '' AND id > $1 ORDER BY id LIMIT $2`, after, limit)
}

// Apps lists the apps of a username, by their age.
func (s *Service) Apps(tx *db.Tx, username string) ([]Entry, error) {
	return db.All(tx, s.scan, `SELECT `+columns+` FROM services WHERE username = $1 AND username <> '' ORDER BY id`, username)
}

// ErrForeign reports a username that is not the caller's own.
var ErrForeign = errors.New("only a trusted app may register for another username")

// RegisterApp makes an app for an app that asks: a trusted one for any username, others
// for their own. It returns ErrText, ErrForeign or ErrTooMany for what cannot be.
func (s *Service) RegisterApp(ctx context.Context, by Caller, a App) (made Entry, v Verdict, err error) {
	v, err = s.as(ctx, by, Nothing, func(tx *db.Tx, caused audit.By) error {
		own, err := s.GetApp(tx, by.Name)
		if err != nil {
			return err
		}
		switch {
		case !Valid(a.Name) || !Valid(a.Username):
			return ErrText
		case !own.App.Trusted && a.Username != own.App.Username:
			return ErrForeign
		}
		made, err = s.AddApp(tx, a, caused)
		return err
	})
	return made, v, err
}

// AppsOf lists the apps of the username that the asking app belongs to.
func (s *Service) AppsOf(ctx context.Context, by Caller) (all []Entry, v Verdict, err error) {
	v, err = s.readAs(ctx, by, func(tx *db.Tx, own Entry) (err error) {
		all, err = s.Apps(tx, own.App.Username)
		return err
	})
	return all, v, err
}

// AppOf returns an app of the username that the asking app belongs to. It returns
// db.ErrNotFound for one that does not exist, and for one of another username.
func (s *Service) AppOf(ctx context.Context, by Caller, appuuid string) (e Entry, v Verdict, err error) {
	v, err = s.readAs(ctx, by, func(tx *db.Tx, own Entry) (err error) {
		e, err = s.GetApp(tx, appuuid)
		if err == nil && e.App.Username != own.App.Username {
			return db.ErrNotFound
		}
		return err
	})
	return e, v, err
}

// readAs runs fn with the asking app's own entry, in one read.
func (s *Service) readAs(ctx context.Context, by Caller, fn func(tx *db.Tx, own Entry) error) (Verdict, error) {
	v, err := s.Authorize(ctx, by, Nothing)
	if err != nil || v != OK {
		return v, err
	}
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		v = OK
		own, err := s.GetApp(tx, by.Name)
		switch {
		case errors.Is(err, db.ErrNotFound): // deleted since its token was compared
			v = BadCaller
			return nil
		case err != nil:
			return err
		}
		return fn(tx, own)
	})
	return v, err
}
