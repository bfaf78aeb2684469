package services

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/djauthy/djauthy/internal/db"
)

// DryRun says what would become of the rows of an import, and stores nothing. It reads
// the database and remembers hashes and IDs of the previous rows, some forty bytes each,
// so that it finds rows that contradict each other in a file of any size.
type DryRun struct {
	s    *Service
	last ID // the highest ID, stored or given so far
	ids  map[ID]struct{}
	rows map[int64]dryRow // by row key
}

// dryRow is the hash of a seed and its endMillis.
type dryRow struct{ seed, ends int64 }

// NewDryRun begins a dry run.
func (s *Service) NewDryRun() *DryRun {
	return &DryRun{s: s, ids: map[ID]struct{}{}, rows: map[int64]dryRow{}}
}

// RowResult is what became of a row, or would become of it.
type RowResult struct {
	Outcome Outcome
	Reason  string // of Rejected and Skipped
}

// Rows says what would become of the next rows, each after the previous ones.
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

// after corrects the result of a row by the previous rows, and remembers the row if it
// would be stored. The same name comes before the same ID, as in Import.
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

// lastID is the highest ID that was given.
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
