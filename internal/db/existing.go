package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrMissing reports that there is no database: no SQLite file, or one of no
// bytes.
var ErrMissing = errors.New("there is no database yet")

// Existing opens a database that is there already. Unlike Open it makes neither
// folder nor file, and returns ErrMissing instead. A PostgreSQL database exists
// once it can be reached; Pending tells whether it has a schema.
func Existing(ctx context.Context, url string) (*DB, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok && absent(path) {
		if whole, err := filepath.Abs(path); err == nil {
			path = whole
		}
		return nil, fmt.Errorf("%w at %s", ErrMissing, path)
	}
	return Open(ctx, url)
}

// absent reports whether SQLite would make the file. To SQLite a file of no bytes
// is a new database.
func absent(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return info.Mode().IsRegular() && info.Size() == 0
}
