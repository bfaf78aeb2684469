package services

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/djauthy/djauthy/internal/db"
)

// Trial says what an import of rows would come to, and stores nothing. It reads the
// database and remembers the rows that went before by hashes and numbers, some forty bytes
// each, so that rows which contradict each other are seen in a file of any size.
type DryRun struct {
	s    *Service
	last ID // the highest number, as far as the trial has come
	ids  map[ID]struct{}
	rows map[int64]dryRow // by place
}

// dryRow is the hash of a seed, and when it ends as it would be stored.
type dryRow struct{ seed, ends int64 }

// NewDryRun begins a trial.
func (s *Service) NewDryRun() *DryRun {
	return &DryRun{s: s, ids: map[ID]struct{}{}, rows: map[int64]dryRow{}}
}

// RowResult is what would become of a row.
type RowResult struct {
	Outcome Outcome
	Reason  string // of Rejected and Skipped
}

// Rows says what would become of the next rows, each after those before it.
func (t *DryRun) Rows(ctx context.Context, rows []Row) ([]RowResult, error) {
	all, drafts, last := make([]RowResult, len(rows)), make([]Draft, len(rows)), ID(0)
	if err := t.s.DB.View(ctx, func(tx *db.Tx) (err error) {
		for i, r := range rows {
			if drafts[i], all[i].Outcome, all[i].Reason, err = t.s.outcome(tx, r); err != nil {
				return fmt.Errorf("row %d: %w", r.Line, err)
			}
		}
		last, err = lastID(tx)
		return err
	}); err != nil {
		return nil, err
	}
	t.last = max(t.last, last)
	for i, r := range rows {
		if _, possible, _ := draft(r); possible == Imported {
			t.after(drafts[i], &all[i])
		}
	}
	return all, nil
}

// after corrects what would become of a row by the rows before it, and remembers it if
// it would be stored. That it has the name of one before it counts first, as in Import.
func (t *DryRun) after(d Draft, o *RowResult) {
	at := rowKey(Key{d.Name, d.Realm})
	before, there := t.rows[at]
	_, taken := t.ids[d.ID]
	switch {
	case there:
		seed := d.Seed + "?" // another than any that is base32
		if before.seed == hashed(d.Seed) {
			seed = d.Seed
		}
		o.Outcome, o.Reason = compare(d, seed, db.Time(before.ends))
	case o.Outcome == Imported && taken:
		o.Outcome, o.Reason = Rejected, idTaken(d.ID)
	case o.Outcome == Imported:
		if d.ID == 0 {
			d.ID = t.last + 1
		}
		t.last = max(t.last, d.ID)
		t.ids[d.ID], t.rows[at] = struct{}{}, dryRow{hashed(d.Seed), endMillis(d.Expires)}
	}
}

// lastID is the highest number that was given.
func lastID(tx *db.Tx) (last ID, err error) {
	err = tx.Get(`SELECT last FROM counters WHERE name = 'services'`).Scan(&last)
	if errors.Is(err, db.ErrNotFound) {
		err = nil
	}
	return last, err
}

func hashed(text string) int64 {
	sum := sha256.Sum256([]byte(text))
	return int64(binary.BigEndian.Uint64(sum[:]))
}
