package federation

import (
	"context"

	"github.com/djauthy/djauthy/internal/db"
)

// Drivers are the drivers by name.
var Drivers = drivers

// Guarded is guarded.
func Guarded(ctx context.Context, fn func() (int, error)) (int, error) { return guarded(ctx, fn) }

// DB is the database of a service.
func DB(f *Service) *db.DB { return f.db }

// ReadHead and ReadXRDS read what a URL says about itself.
var (
	ReadHead = readHead
	ReadXRDS = readXRDS
)

// Remembered is how many words a service keeps of an issuer's metadata.
func Remembered(f *Service, url string) int {
	i, err := f.issuerAt(url)
	if err != nil {
		return 0
	}
	m, err := i.metadata(context.Background())
	if err != nil {
		return 0
	}
	return cap(m.Algorithms) + cap(m.TokenMethods)
}
