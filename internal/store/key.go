package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// ErrNoKey reports that there is no file with the secret key.
var ErrNoKey = errors.New("the secret key is missing")

// KeyPath is the file that holds the secret key, "" if the setting secret_key holds
// it. beside says that it is the one beside the SQLite file.
func KeyPath(c *config.Config) (path string, beside bool) {
	switch {
	case c.SecretKey != "":
		return "", false
	case c.SecretKeyFile != "":
		return whole(c.SecretKeyFile), false
	}
	return filepath.Join(filepath.Dir(SQLiteFile(c.Database)), "secret.key"), true
}

// SecretKey reads the secret key, and returns ErrNoKey if its file does not exist.
func SecretKey(c *config.Config) ([]byte, error) {
	path, _ := KeyPath(c)
	if path == "" {
		return []byte(c.SecretKey), nil
	}
	text, err := config.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("%w: there is no file %s", ErrNoKey, path)
	case err != nil:
		return nil, fmt.Errorf("cannot read the secret key: %w; it has to be the file of that name from the backup", err)
	}
	return bytes.TrimSpace(text), nil
}

// KeysFrom returns the keys under a secret. Its error says where the secret came from.
func KeysFrom(c *config.Config, secret []byte) (*seal.Keys, error) {
	keys, err := seal.New(secret)
	path, beside := KeyPath(c)
	switch {
	case err == nil:
		return keys, nil
	case path == "":
		return nil, err
	case beside:
		return nil, fmt.Errorf("%s: %w; put the file of that name from the backup there (only if this site is new: remove it, and the server makes one)", path, err)
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// keyOf is the key of a database that has one already.
func keyOf(ctx context.Context, c *config.Config, d *db.DB) (*seal.Keys, error) {
	secret, err := SecretKey(c)
	if err != nil {
		return nil, ExplainKey(c, err)
	}
	return Fitting(ctx, c, d, secret)
}

// Fitting is the keys under a secret, if it is the one that sealed the database.
func Fitting(ctx context.Context, c *config.Config, d *db.DB, secret []byte) (*seal.Keys, error) {
	keys, err := KeysFrom(c, secret)
	if err != nil {
		return nil, err
	}
	known, err := Fingerprint(ctx, d)
	if err == nil && known != "" && known != keys.Fingerprint() {
		err = wrongKey(c)
	}
	return keys, err
}

// newKey makes the key of a new site: one whose database has neither rows nor the
// Fingerprint of a key.
func newKey(ctx context.Context, c *config.Config, d *db.DB) ([]byte, error) {
	fresh, err := isNew(ctx, d)
	if err != nil {
		return nil, err
	}
	if fresh {
		path, _ := KeyPath(c)
		if err := makeKey(path); err != nil {
			return nil, fmt.Errorf("cannot make the secret key: %w", err)
		}
	}
	// Read again in any case: a server that started at the same time may have made it.
	secret, err := SecretKey(c)
	return secret, ExplainKey(c, err)
}

// ExplainKey says what to do about a key that is not there.
func ExplainKey(c *config.Config, err error) error {
	if !errors.Is(err, ErrNoKey) {
		return err
	}
	if _, beside := KeyPath(c); !beside {
		return fmt.Errorf("%w (secret_key_file, DJAUTHY_SECRET_KEY_FILE): put the one from the backup there; for a new site make one with: openssl rand -base64 32", err)
	}
	return fmt.Errorf("%w. This database was sealed with it, so no other is made: put that file back from the backup. "+
		"Without it the seeds of micro services, codes under way and waiting messages cannot be opened; to start over without them, move the database away", err)
}

func wrongKey(c *config.Config) error {
	from := "secret_key (DJAUTHY_SECRET_KEY)"
	if path, _ := KeyPath(c); path != "" {
		from = path
	}
	return fmt.Errorf("this database was sealed with another secret key than %s holds: put the right one there, from the backup of this database, or move the database away to start with a new one", from)
}

// isNew reports whether a database has no row and knows no key.
func isNew(ctx context.Context, d *db.DB) (bool, error) {
	known, err := Fingerprint(ctx, d)
	if err != nil || known != "" {
		return false, err
	}
	return d.Empty(ctx)
}

// fingerprintKey is the row of meta that names the secret key.
const fingerprintKey = "key_fingerprint"

// Fingerprint names the key that sealed a database; "" for one that knows none, or
// has no tables.
func Fingerprint(ctx context.Context, d *db.DB) (string, error) { return d.Meta(ctx, fingerprintKey) }

// rememberKey writes the key's name into a database that knows none. Of two servers
// that start together with different keys, the later one stops.
func rememberKey(ctx context.Context, d *db.DB, keys *seal.Keys) error {
	known, err := Fingerprint(ctx, d)
	if err == nil && known == "" {
		known, err = d.ClaimMeta(ctx, fingerprintKey, keys.Fingerprint())
	}
	if err == nil && known != keys.Fingerprint() {
		err = errors.New("another server began this database with another secret key: give both the same one")
	}
	return err
}

// makeKey writes a fresh key under a name that did not exist. It is linked into
// place whole, so that two processes that start together agree on one.
func makeKey(path string) error {
	err := WriteKey(path, []byte(base64.StdEncoding.EncodeToString(seal.Random(seal.KeySize))))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// WriteKey makes a key file, for the owner alone; fs.ErrExist if there is one.
func WriteKey(path string, secret []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(append(secret, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
