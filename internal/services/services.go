// Package services owns micro services: their triples (name, realm, seed), the
// realms and what they may, and the answer to the question whether a token is
// good (ungleichotp).
//
// It knows no wire. What a request hasRead like and what its answer says is the
// business of the doors; a verdict is all they get.
package services

import (
	"log/slog"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/totp"
)

// Settings are what an operator decides.
type Settings struct {
	// Window is how many steps of 30 seconds a token may be off, either way.
	Window int
	// SingleUse lets a verified token pass once (RFC 6238 5.2). What a caller
	// shows for itself stays good for all its calls in a step.
	SingleUse bool
}

// Service answers for micro services.
type Service struct {
	DB       *db.DB
	Settings Settings
	// Verified is told of each verdict, for metrics.
	Verified func(verdict string)

	box      *seal.Box
	buckets  *seal.MAC // of unknown names
	decoy    entry
	inFlight inFlight
	uses     chan use
	log      *slog.Logger
}

// New returns the service on a database.
func New(d *db.DB, keys *seal.Keys, settings Settings, log *slog.Logger) *Service {
	s := &Service{
		DB: d, Settings: settings, Verified: func(string) {},
		box: keys.Box("service seed"), buckets: keys.MAC("unknown service"), uses: make(chan use, maxUses), log: log,
	}
	s.inFlight.tallies = map[rateLimit]*tally{}
	s.decoy = entry{sealed: s.seal(0, totp.NewSeed())}
	return s
}

func (s *Service) seal(id ID, seed string) []byte {
	return s.box.Seal([]byte(seed), db.Bytes(db.ID(id)))
}

func (s *Service) open(id ID, sealed []byte) (string, error) {
	seed, err := s.box.Open(sealed, db.Bytes(db.ID(id)))
	return string(seed), err
}
