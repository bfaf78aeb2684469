package db

import "time"

// Queued is how many Updates wait for SQLite's writer.
func Queued(d *DB) int { return d.engine.(*sqlite).writer.queue.len() }

// SetID makes the next ID rise from last, as if last had just been given.
func SetID(d *DB, last ID) { d.ids.last = last }

// MigrationNames are the steps of an engine.
func MigrationNames(engine string) ([]string, error) { return migrationNames("migrations/" + engine) }

// GroupSize is the most Updates that share one commit.
const GroupSize = groupSize

// Readers are how many readers SQLite has open and idle.
func Readers(d *DB) int { return len(d.engine.(*sqlite).idle) }

// OnWriter runs a statement on SQLite's idle writer, outside a transaction.
func OnWriter(d *DB, query string) error { return d.engine.(*sqlite).writer.c.run(query) }

// SetLockWait shortens how long an Update waits for another process that writes.
func SetLockWait(d *DB, wait time.Duration) { d.engine.(*sqlite).writer.lockWait = wait }

// MaxKept bounds what a reader of SQLite keeps, and Kept is how much the reader of a view does.
const MaxKept = maxKept

func Kept(tx *Tx) int { return len(tx.conn.(*liteConn).kept.all) }
