package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// unfinished stands in the table of steps while a Load is under way, so that every
// djauthy, an older one too, refuses a database that holds a part of its rows.
const unfinished = "0000_load_not_finished"

var (
	// ErrUnfinished reports that the database holds a part of what a Load was to
	// bring.
	ErrUnfinished = errors.New("loading rows into this database began and did not finish")
	// ErrNotEmpty reports that a database which is to be filled has rows.
	ErrNotEmpty = errors.New("the database is not empty")
	// errLoadTaken reports that another Load took the database over.
	errLoadTaken = errors.New("another process loads rows into this database")
)

// A Step is a step of migrating that was taken.
type Step struct {
	Name    string `json:"name"`
	Applied int64  `json:"applied_at"` // unix milliseconds
}

// Taken returns the steps that were taken, in their order. It returns ErrUnfinished
// or ErrNewer for a database that is not to be used.
func (tx *Tx) Taken() ([]Step, error) {
	dir := stepsOf(tx.db.engine)
	done, err := recorded(tx.ctx, tx.conn, dir)
	if err != nil || len(done) == 0 {
		return nil, err
	}
	if err := known(done, dir); err != nil {
		return nil, err
	}
	var all []Step
	err = tx.Each(func(scan func(...any) error) error {
		var s Step
		err := scan(&s.Name, &s.Applied)
		all = append(all, s)
		return err
	}, `SELECT name, applied_at FROM migrations ORDER BY name`+tx.db.engine.byBytes())
	return all, err
}

// A Load fills an empty database with rows, in many transactions. Until Finish
// everybody else is refused with ErrUnfinished, whatever becomes of this process.
type Load struct {
	db    *DB
	token int64 // tells this load from a later one
}

// BeginLoad makes the schema that these steps make, in place of the one that is
// there. The database may hold no row, but for those of meta, which every start
// writes: else ErrNotEmpty, and nothing is done. With again a database that an
// earlier load left unfinished is cleared; else that is ErrUnfinished.
func (d *DB) BeginLoad(ctx context.Context, steps []Step, again bool) (*Load, error) {
	l := &Load{db: d, token: time.Now().UnixNano()}
	err := d.engine.exclusive(ctx, func(c conn) error {
		tx := d.tx(ctx, c)
		if err := tx.loadable(again); err != nil {
			return err
		}
		if err := tx.dropTables(); err != nil {
			return err
		}
		return l.makeSchema(tx, steps)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// loadable refuses a database that is in use.
func (tx *Tx) loadable(again bool) error {
	_, err := tx.Taken()
	if errors.Is(err, ErrUnfinished) && again {
		return nil
	} else if err != nil {
		return err
	}
	all, err := tx.Tables()
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.Name == "meta" {
			continue
		}
		if found, err := tx.AnyRow(t); err != nil || found {
			return errors.Join(err, fmt.Errorf("%w: the table %s has rows", ErrNotEmpty, t.Name))
		}
	}
	return nil
}

// dropTables removes every table that the steps made. Where no step is recorded,
// tables of the same names are somebody else's.
func (tx *Tx) dropTables() error {
	done, err := recorded(tx.ctx, tx.conn, stepsOf(tx.db.engine))
	if err != nil || len(done) == 0 {
		return err
	}
	all, err := tx.Tables()
	if err != nil {
		return err
	}
	slices.Reverse(all) // what references others goes first
	for _, t := range append(all, Table{Name: stepsTable}) {
		if _, err := tx.Exec(`DROP TABLE IF EXISTS ` + quoted(t.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Load) makeSchema(tx *Tx, steps []Step) error {
	if _, err := tx.Exec(makeStepsTable); err != nil {
		return err
	}
	for _, s := range append([]Step{{Name: unfinished, Applied: l.token}}, steps...) {
		if s.Name != unfinished {
			if err := takeStep(tx.ctx, tx.conn, stepsOf(tx.db.engine), s.Name); err != nil {
				return fmt.Errorf("migrate %s: %w", s.Name, err)
			}
		}
		if err := record(tx.ctx, tx.conn, s.Name, s.Applied); err != nil {
			return err
		}
	}
	return nil
}

// mine reports whether the database still waits for this load.
func (l *Load) mine(tx *Tx) error {
	var token int64
	err := tx.Get(`SELECT applied_at FROM migrations WHERE name = $1`, unfinished).Scan(&token)
	if errors.Is(err, ErrNotFound) || err == nil && token != l.token {
		return errLoadTaken
	}
	return err
}

// Insert adds rows and makes them durable.
func (l *Load) Insert(ctx context.Context, t Table, rows [][]any) error {
	return l.db.Update(ctx, func(tx *Tx) error {
		if err := l.mine(tx); err != nil {
			return err
		}
		return tx.InsertRows(t, rows)
	})
}

// Finish lets everybody use the database.
func (l *Load) Finish(ctx context.Context) error {
	return l.db.Update(ctx, func(tx *Tx) error {
		if err := l.mine(tx); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM migrations WHERE name = $1`, unfinished)
		return err
	})
}

// Abandon removes what was loaded: the database is without tables.
func (l *Load) Abandon(ctx context.Context) error {
	return l.db.engine.exclusive(ctx, func(c conn) error {
		tx := l.db.tx(ctx, c)
		if err := l.mine(tx); err != nil {
			return err
		}
		return tx.dropTables()
	})
}
