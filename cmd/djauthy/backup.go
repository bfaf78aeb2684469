package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/djauthy/djauthy/internal/backup"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/store"
	"github.com/djauthy/djauthy/internal/terminal"
)

type backupCmd struct {
	File    string `arg:"" help:"The file to write; - is standard output." placeholder:"FILE"`
	WithKey bool   `help:"Also the secret key, sealed by a passphrase."`
	Force   bool   `help:"Replace a file that is there."`
	passphraseFlag
}

// onHangup ends a long command when its terminal closes, so that it tidies up.
func onHangup(e *env) (stop func()) {
	e.ctx, stop = signal.NotifyContext(e.ctx, syscall.SIGHUP)
	return stop
}

// Run writes a backup of a database that servers may be using, also of one that an
// older djauthy made.
func (c backupCmd) Run(e *env) error {
	defer onHangup(e)()
	if err := c.check(e); err != nil {
		return err
	}
	cfg, err := e.loadSettings()
	if err != nil {
		return err
	}
	d, err := store.Existing(e.ctx, cfg)
	if err != nil {
		return err
	}
	w, err := c.write(e, cfg, d)
	if err = errors.Join(store.Explained(err), d.Close()); err != nil {
		return err
	}
	return w.tell(e)
}

// check refuses a file that would not be written before anything is read.
func (c backupCmd) check(e *env) error {
	switch {
	case c.File == "-" && terminal.Is(e.stdout):
		return usageError{errors.New("a backup is no text for a terminal: give a file, or lead standard output into one")}
	case c.File == "-":
		return nil
	}
	info, err := os.Stat(c.File)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: give the name of a file in it", c.File)
	case err == nil && !c.Force:
		return fmt.Errorf("%s is there already: take another name, or replace it with --force", c.File)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is no plain file", c.File)
	}
	return nil
}

// written is what a backup command tells.
type written struct {
	File    string       `json:"file"`
	Bytes   int64        `json:"bytes"`
	Created time.Time    `json:"created_at"`
	Rows    int64        `json:"rows"`
	Tables  []backup.Sum `json:"tables"`
	WithKey bool         `json:"with_key"`
	Checked bool         `json:"checked"` // read back and compared
	keyNote string
}

func (c backupCmd) write(e *env, cfg *config.Config, d *db.DB) (w written, err error) {
	o := backup.Options{Version: version}
	if o.Fingerprint, err = store.Fingerprint(e.ctx, d); err != nil {
		return w, err
	}
	if err := store.HasTables(e.ctx, d); err != nil {
		return w, err
	}
	w.File, w.WithKey, w.keyNote = c.File, c.WithKey, keyApart(cfg)
	if c.WithKey {
		if o.Key, err = c.key(e, cfg, d); err != nil {
			return w, err
		}
	}
	p := terminal.NewProgress(e.stderr)
	defer p.End()
	o.Progress = p.Share
	contents, err := c.to(e, &w, func(out io.Writer) (backup.Contents, error) { return backup.Write(e.ctx, d, out, o) }, o.Progress)
	w.Created, w.Rows, w.Tables = contents.Created, contents.Rows, contents.Tables
	return w, err
}

// key is the secret key, if it is the one of this database.
func (c backupCmd) key(e *env, cfg *config.Config, d *db.DB) (*backup.Key, error) {
	secret, err := store.SecretKey(cfg)
	if err != nil {
		return nil, store.ExplainKey(cfg, err)
	}
	if _, err := store.Fitting(e.ctx, cfg, d, secret); err != nil {
		return nil, err
	}
	passphrase, err := c.read(e, true)
	return &backup.Key{Secret: secret, Passphrase: passphrase}, err
}

// keyApart says where the secret key lies that a backup is without.
func keyApart(c *config.Config) string {
	path, _ := store.KeyPath(c)
	switch _, err := os.Stat(path); {
	case path == "":
		return "The secret key is not in it: keep the setting secret_key (DJAUTHY_SECRET_KEY) too, in another place."
	case err != nil:
		return "The secret key is not in it, and the file " + path + " is missing: without it the seeds of micro services cannot be opened."
	}
	return "The secret key is not in it: keep the file " + path + " too, in another place, or use --with-key."
}

// to writes the file under another name and gives it its own when it was read back.
func (c backupCmd) to(e *env, w *written, write func(io.Writer) (backup.Contents, error), p backup.Progress) (done backup.Contents, err error) {
	if c.File == "-" {
		counted := &counting{w: e.stdout}
		done, err = write(counted)
		w.Bytes = counted.n
		return done, err
	}
	f, err := os.CreateTemp(filepath.Dir(c.File), filepath.Base(c.File)+".partial-*") // made with mode 0600
	if err != nil {
		return done, fmt.Errorf("cannot write the backup: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails if it has its own name
	counted := &counting{w: f}
	done, err = write(counted)
	if err = errors.Join(err, f.Sync()); err == nil {
		err = readBack(e.ctx, f, done, p)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return done, fmt.Errorf("no backup was made: %w", err)
	}
	w.Bytes, w.Checked = counted.n, true
	return done, errors.Join(os.Rename(f.Name(), c.File), syncFolder(filepath.Dir(c.File)))
}

func readBack(ctx context.Context, f *os.File, want backup.Contents, p backup.Progress) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	got, err := backup.Verify(ctx, f, p)
	if err == nil {
		err = got.Same(want)
	}
	return err
}

// counting counts what is written.
type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// syncFolder makes names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (w written) tell(e *env) error {
	out := e.stdout
	if w.File == "-" {
		out = e.stderr
	}
	if e.json && w.File != "-" {
		return e.print(w)
	}
	checked := ", read back and compared"
	if !w.Checked {
		checked = ", not read back"
	}
	fmt.Fprintf(out, "Wrote %s: %d rows of %d tables, %d bytes%s.\n", w.File, w.Rows, len(w.Tables), w.Bytes, checked)
	if !w.WithKey {
		fmt.Fprintln(out, w.keyNote)
	} else {
		fmt.Fprintln(out, "The secret key is in it, sealed by the passphrase: keep that in another place.")
	}
	return nil
}
