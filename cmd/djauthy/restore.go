package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/djauthy/djauthy/internal/backup"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/store"
	"github.com/djauthy/djauthy/internal/terminal"
)

type restoreCmd struct {
	File  string `arg:"" help:"The backup; - is standard input." placeholder:"FILE"`
	Again bool   `help:"Clear what a restore or copy left that broke off, and begin again."`
	passphraseFlag
}

// Run fills an empty database with the rows of a backup. The backup is read to its end
// before anything is made.
func (c restoreCmd) Run(e *env) error {
	defer onHangup(e)()
	cfg, err := e.loadSettings()
	if err != nil {
		return err
	}
	f, err := c.open(e)
	if err != nil {
		return fmt.Errorf("cannot read the backup: %w", err)
	}
	defer func() { _ = f.Close() }()
	p := terminal.NewProgress(e.stderr)
	defer p.End()
	checked, err := backup.Verify(e.ctx, f, p.Share)
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was restored", c.File, err)
	}
	p.End()
	secret, err := c.secret(e, cfg, checked.Header)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return c.restore(e, cfg, f, secret, p)
}

// open opens the backup. Standard input, which can be read once, goes into a file
// that has no name any more.
func (c restoreCmd) open(e *env) (*os.File, error) {
	if c.File != "-" {
		return os.Open(c.File)
	}
	f, err := os.CreateTemp("", "djauthy-restore-*")
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(f, e.stdin)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// secret is the secret key to be written into its file, nil if it is there already
// or not in the backup. It refuses a key that is not the one of the backup.
func (c restoreCmd) secret(e *env, cfg *config.Config, h backup.Header) ([]byte, error) {
	there, err := store.SecretKey(cfg)
	path, beside := store.KeyPath(cfg)
	switch {
	case err == nil && h.Fingerprint != "":
		keys, err := store.KeysFrom(cfg, there)
		switch {
		case err != nil:
			return nil, err
		case keys.Fingerprint() == h.Fingerprint:
			return nil, nil
		case beside:
			return nil, fmt.Errorf("%s is another secret key than that of this backup: if the database here is new, move that file away and restore again", path)
		}
		return nil, errors.New("the secret key of the settings (secret_key, secret_key_file) is another one than that of this backup: set the right one, and restore again")
	case err == nil:
		return nil, nil
	case !errors.Is(err, store.ErrNoKey):
		return nil, err
	case h.Key == nil:
		return nil, nil
	}
	passphrase, err := c.read(e, false)
	if err != nil {
		return nil, err
	}
	secret, err := h.Secret(passphrase)
	if err != nil {
		return nil, fmt.Errorf("the secret key in the backup: %w; nothing was restored", err)
	}
	if keys, err := seal.New(secret); err != nil || keys.Fingerprint() != h.Fingerprint {
		return nil, errors.Join(err, errors.New("the secret key in the backup is not the one of its rows; nothing was restored"))
	}
	return secret, nil
}

// restored is the output of the command.
type restored struct {
	Rows    int64        `json:"rows"`
	Tables  []backup.Sum `json:"tables"`
	Steps   []string     `json:"steps"` // of migrating, that were taken after it
	WithKey bool         `json:"with_key"`
	Key     string       `json:"key_missing,omitempty"` // where it has to be put
}

func (c restoreCmd) restore(e *env, cfg *config.Config, in io.Reader, secret []byte, p *terminal.Progress) error {
	var r restored
	path, _ := store.KeyPath(cfg)
	if err := filled(e.ctx, cfg.Database, func(d *db.DB) error {
		to := backup.Target{DB: d, Again: c.Again, Progress: p.Share}
		to.Last = func() error {
			if secret == nil {
				return nil
			}
			return store.WriteKey(path, secret)
		}
		contents, err := to.Restore(e.ctx, in)
		if err != nil {
			return fmt.Errorf("%w; nothing was restored", notEmpty(err))
		}
		r.Rows, r.Tables, r.WithKey = contents.Rows, contents.Tables, secret != nil
		r.Steps, err = d.Migrate(e.ctx)
		return err
	}); err != nil {
		return err
	}
	p.End()
	if _, err := store.SecretKey(cfg); errors.Is(err, store.ErrNoKey) {
		r.Key = path
	}
	return r.report(e, c.File)
}

func (r restored) report(e *env, file string) error {
	r.Steps = nonNil(r.Steps)
	if e.json {
		return e.print(r)
	}
	fmt.Fprintf(e.stdout, "Restored %s: %d rows of %d tables, read back and compared.\n", file, r.Rows, len(r.Tables))
	if len(r.Steps) > 0 {
		fmt.Fprintln(e.stdout, "The backup was of an older djauthy; brought up to date:", r.Steps)
	}
	if r.Key != "" {
		fmt.Fprintf(e.stdout, "The secret key was not in it: put the file of that name from the backup at %s before the server starts.\n", r.Key)
	}
	return nil
}

// filled opens a database that fn fills, and removes its file again if it was not
// there and fn fails.
func filled(ctx context.Context, url string, fn func(*db.DB) error) error {
	path := store.SQLiteFile(url)
	_, err := os.Stat(path)
	fresh := path != "" && errors.Is(err, fs.ErrNotExist)
	d, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	if err = errors.Join(store.Explained(fn(d)), d.Close()); err != nil && fresh {
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(path + end)
		}
	}
	return err
}

// notEmpty says what to do about a database that has rows.
func notEmpty(err error) error {
	if errors.Is(err, db.ErrNotEmpty) {
		return fmt.Errorf("%w: rows are never overwritten; name a new database, or move this one away", err)
	}
	return err
}
