// Package services owns micro services: their triples (name, realm, seed), what the
// members of a realm may do, and whether a token is good (ungleichotp). Apps of the first
// generation (g1.go) are triples, too.
//
// It knows no wire. The doors read requests, call one method with the caller, and write
// the verdict and what came with it as their wire does.
package services

import (
	"log/slog"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/totp"
)

// Settings are those of the operator.
type Settings struct {
	// Window is how many steps of 30 seconds a token may be off, either way.
	Window int
	// SingleUse accepts a token of a claim once (RFC 6238 5.2). A caller's own token
	// stays good for all its calls in a step.
	SingleUse bool
}

// Service has the use cases of micro services.
type Service struct {
	DB       *db.DB
	Settings Settings
	// Verified is called with each verdict, for metrics.
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
