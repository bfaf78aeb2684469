package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/djauthy/djauthy/internal/backup"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/store"
	"github.com/djauthy/djauthy/internal/terminal"
)

type copyCmd struct {
	To    string `required:"" help:"The empty database to fill: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME." placeholder:"DSN"`
	Again bool   `help:"Clear what a restore or copy left that broke off, and begin again."`
}

// copied is the output of the command.
type copied struct {
	From   string       `json:"from"` // "sqlite" or "postgres"
	To     string       `json:"to"`
	Rows   int64        `json:"rows"`
	Tables []backup.Sum `json:"tables"`
}

// Run copies all rows into another database, of either engine.
func (c copyCmd) Run(e *env) error {
	defer onHangup(e)()
	if err := config.CheckDatabase(c.To); err != nil {
		return usageError{fmt.Errorf("--to: %w", err)}
	}
	cfg, err := e.loadSettings()
	if err != nil {
		return err
	}
	if sameDatabase(cfg.Database, c.To) {
		return usageError{errors.New("--to is the database that is copied: name another one")}
	}
	from, err := store.Existing(e.ctx, cfg)
	if err != nil {
		return err
	}
	done, err := c.copy(e, from)
	if err = errors.Join(store.Explained(err), from.Close()); err != nil {
		return err
	}
	if e.json {
		return e.print(done)
	}
	fmt.Fprintf(e.stdout, "Copied %d rows of %d tables from %s to %s, read back and compared.\n", done.Rows, len(done.Tables), done.From, done.To)
	fmt.Fprintln(e.stdout, c.next(cfg))
	return nil
}

func (c copyCmd) copy(e *env, from *db.DB) (done copied, err error) {
	if err := store.HasTables(e.ctx, from); err != nil {
		return done, err
	}
	p := terminal.NewProgress(e.stderr)
	defer p.End()
	err = filled(e.ctx, c.To, func(d *db.DB) error {
		contents, err := backup.Target{DB: d, Again: c.Again, Progress: p.Share}.Copy(e.ctx, from)
		if err != nil {
			return fmt.Errorf("%w; nothing was copied", notEmpty(err))
		}
		done = copied{From: from.Engine(), To: d.Engine(), Rows: contents.Rows, Tables: contents.Tables}
		return nil
	})
	return done, err
}

// next says what to set, so that the server uses the copy with the same secret key.
func (c copyCmd) next(cfg *config.Config) string {
	const stop = "What was written after the copy began is not in it: copy while no server runs. "
	path, beside := store.KeyPath(cfg)
	if !beside {
		return stop + "Then set database (DJAUTHY_DATABASE) to the copy, and keep the setting of the secret key."
	}
	return stop + fmt.Sprintf("Then set database (DJAUTHY_DATABASE) to the copy and secret_key_file (DJAUTHY_SECRET_KEY_FILE) to %s, or to a copy of that file.", path)
}

// sameDatabase reports whether two addresses are seen to be one.
func sameDatabase(a, b string) bool {
	one, errOne := os.Stat(store.SQLiteFile(a))
	two, errTwo := os.Stat(store.SQLiteFile(b))
	return a == b || errOne == nil && errTwo == nil && os.SameFile(one, two)
}
