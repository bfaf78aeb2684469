package db

import (
	"context"
	"errors"
)

// The table meta holds facts about the whole database, each under a key.

// Meta returns the fact under a key, "" if there is no such row.
func (tx *Tx) Meta(key string) (value string, err error) {
	err = tx.Get(`SELECT value FROM meta WHERE key = $1`, key).Scan(&value)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return value, err
}

// SetMeta stores a fact in place of an older one.
func (tx *Tx) SetMeta(key, value string) error {
	_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2`, key, value)
	return err
}

// DropMeta removes the fact under a key, whatever it is.
func (tx *Tx) DropMeta(key string) error {
	_, err := tx.Exec(`DELETE FROM meta WHERE key = $1`, key)
	return err
}

// TakeMeta removes a fact and reports whether it was there with this value.
func (tx *Tx) TakeMeta(key, value string) (bool, error) {
	n, err := tx.Exec(`DELETE FROM meta WHERE key = $1 AND value = $2`, key, value)
	return n == 1, err
}

// Meta is Tx.Meta; "" also for a database without tables.
func (d *DB) Meta(ctx context.Context, key string) (value string, err error) {
	err = d.View(ctx, func(tx *Tx) error {
		taken, err := tx.Taken()
		if err != nil || len(taken) == 0 {
			return err
		}
		value, err = tx.Meta(key)
		return err
	})
	return value, err
}

// ClaimMeta stores a fact if there is none under the key, and returns the one that stands.
func (d *DB) ClaimMeta(ctx context.Context, key, value string) (stands string, err error) {
	err = d.Update(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, key, value); err != nil {
			return err
		}
		stands, err = tx.Meta(key)
		return err
	})
	return stands, err
}

// TryWrite writes a row and removes it again, in two durable steps.
func (d *DB) TryWrite(ctx context.Context) error {
	const key = "check"
	if err := d.Update(ctx, func(tx *Tx) error { return tx.SetMeta(key, "x") }); err != nil {
		return err
	}
	return d.Update(ctx, func(tx *Tx) error { return tx.DropMeta(key) })
}

// Taken is Tx.Taken.
func (d *DB) Taken(ctx context.Context) (steps []Step, err error) {
	err = d.View(ctx, func(tx *Tx) error {
		steps, err = tx.Taken()
		return err
	})
	return steps, err
}

// Empty reports whether no table has a row.
func (d *DB) Empty(ctx context.Context) (empty bool, err error) {
	err = d.View(ctx, func(tx *Tx) error {
		empty = false
		all, err := tx.Tables()
		for _, t := range all {
			if found, err := tx.AnyRow(t); err != nil || found {
				return err
			}
		}
		empty = err == nil
		return err
	})
	return empty, err
}

// MetaColumn is a column of a query that brings the fact under a key along, "" if there is
// none.
func MetaColumn(key string) string {
	return `coalesce((SELECT value FROM meta WHERE key = '` + key + `'), '')`
}
