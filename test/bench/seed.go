package main

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The seeds write djauthy's own tables (internal/db/migrations) as fast as
// SQLite takes them: a million people cannot sign in one by one first.

// openSeed opens a database file for bulk loading. Nothing is durable before
// close, which is all right for rows that can be made again.
func openSeed(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-500000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// idAt is the n-th id of a moment as internal/db makes them: the milliseconds
// above, a counter below.
func idAt(t time.Time, n int) int64 { return t.UnixMilli()<<21 + int64(n) }

// seededAddress is the n-th address of seedAccounts.
func seededAddress(n int) string { return fmt.Sprintf("s%09d@people.example", n) }

// seedAccounts adds n people with one address each who have signed in before.
func seedAccounts(db *sql.DB, n int) error {
	joined := time.Now().Add(-50 * 24 * time.Hour)
	at := joined.UnixMilli()
	users := bulk{db: db, into: "INSERT INTO users (id, username, email, is_active, date_joined, last_login) VALUES", columns: 6}
	accounts := bulk{db: db, into: "INSERT INTO accounts (id, user_id, implementation, identifier, is_active, activated_at, last_used_at) VALUES", columns: 7}
	return fill(n, func(i int) error {
		id := idAt(joined.Add(time.Duration(i)*time.Millisecond), 0)
		address := seededAddress(i)
		return errors.Join(
			users.add(id, "u"+strconv.FormatInt(id, 36), address, 1, at, at),
			accounts.add(id, id, "email", address, 1, at, at))
	}, &users, &accounts)
}

// randomSeeded picks one of the n people of seedAccounts.
func randomSeeded(n int) string { return seededAddress(mrand.IntN(n)) }

// expiredTables is how many tables seedExpired spreads its rows over.
const expiredTables = 6

// expiredSince is when the rows of seedExpired were made; expiredBudget is
// how theirs are known.
func expiredSince() time.Time { return time.Now().Add(-100 * 24 * time.Hour) }

const expiredBudget = 1_000_000_000_000

// seedExpired adds n rows that the sweeper has to remove: what n/6 sign-ins of
// three months ago leave behind, an attempt, a code, a sent message, a
// session, a proof and a budget each.
func seedExpired(db *sql.DB, n int) error {
	made := expiredSince()
	keys, err := budgetKeys(n / expiredTables)
	if err != nil {
		return err
	}
	at, blob := made.UnixMilli(), make([]byte, 32)
	sealed := make([]byte, 700)
	attempts := bulk{db: db, into: "INSERT INTO attempts (id, secret_hash, browser, implementation, identifier, account_id, is_silent, is_known, first_hash, is_rescue, next, prefix, agent, sends, sent_at, expires_at, used_at, session_id) VALUES", columns: 18}
	codes := bulk{db: db, into: "INSERT INTO codes (attempt_id, slot, is_long, mac, link_hash, link_sealed, created_at, expires_at) VALUES", columns: 8}
	sessions := bulk{db: db, into: "INSERT INTO sessions (id, secret_hash, user_id, account_id, last_seen_at, expires_at, prefix, agent) VALUES", columns: 8}
	proofs := bulk{db: db, into: "INSERT INTO proofs (session_id, factor, user_id, account_id, verified_at, expires_at) VALUES", columns: 6}
	outbox := bulk{db: db, into: "INSERT INTO outbox (id, channel, sealed, not_after, due_at, tries, state, done_at) VALUES", columns: 8}
	budgets := bulk{db: db, into: "INSERT INTO budgets (key, spent_to, granted) VALUES", columns: 3}
	return fill(n/expiredTables, func(i int) error {
		id := idAt(made.Add(time.Duration(i)*time.Millisecond), 0)
		return errors.Join(
			attempts.add(id, blob, blob[:16], "email", seededAddress(i), id, 0, 0, []byte{}, 0, "", "192.0.2.0/24", "Firefox on Linux", 1, at, at+600_000, at+5000, id),
			codes.add(id, 0, 0, blob, blob, blob, at, at+600_000),
			sessions.add(id, blob, id, id, at, at+43_200_000, "192.0.2.0/24", "Firefox on Linux"),
			proofs.add(id, "code", id, id, at, at+43_200_000),
			outbox.add(id, "email", sealed, at+600_000, at, 1, 1, at+100),
			budgets.add(keys[i], expiredBudget, 0))
	}, &attempts, &codes, &sessions, &proofs, &outbox, &budgets)
}

// budgetKeys are random, as MACs are, but sorted, so that loading them is
// quick.
func budgetKeys(n int) ([][]byte, error) {
	all := make([]byte, 16*n)
	if _, err := rand.Read(all); err != nil {
		return nil, err
	}
	keys := slices.Collect(slices.Chunk(all, 16))
	slices.SortFunc(keys, bytes.Compare)
	return keys, nil
}

// expiredLeft reports whether rows of seedExpired are still there.
func expiredLeft(db *sql.DB) (left bool, err error) {
	before := idAt(time.Now().Add(-90*24*time.Hour), 0)
	err = db.QueryRow(`SELECT EXISTS (SELECT 1 FROM attempts WHERE id < ?1) OR EXISTS (SELECT 1 FROM codes WHERE attempt_id < ?1)
		OR EXISTS (SELECT 1 FROM sessions WHERE id < ?1) OR EXISTS (SELECT 1 FROM proofs WHERE session_id < ?1)
		OR EXISTS (SELECT 1 FROM outbox WHERE id < ?1) OR EXISTS (SELECT 1 FROM budgets WHERE spent_to = ?2)`, before, expiredBudget).Scan(&left)
	return left, err
}

// bulk inserts rows of one table, many to a statement.
type bulk struct {
	db      *sql.DB
	into    string
	columns int
	args    []any
}

// bulkRows is how many rows one statement inserts.
const bulkRows = 500

func (b *bulk) add(args ...any) error {
	if len(args) != b.columns {
		return fmt.Errorf("%d values for %d columns", len(args), b.columns)
	}
	b.args = append(b.args, args...)
	if len(b.args) < bulkRows*b.columns {
		return nil
	}
	return b.flush()
}

func (b *bulk) flush() error {
	if len(b.args) == 0 {
		return nil
	}
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", b.columns), ",") + "),"
	text := b.into + strings.TrimSuffix(strings.Repeat(row, len(b.args)/b.columns), ",")
	_, err := b.db.Exec(text, b.args...)
	b.args = b.args[:0]
	return err
}

// fill adds n rows in transactions of a hundred thousand, so that the log
// stays small.
func fill(n int, add func(i int) error, tables ...*bulk) error {
	const step = 100_000
	for from := 0; from < n; from += step {
		if err := fillPart(from, min(n, from+step), add, tables); err != nil {
			return fmt.Errorf("seed rows: %w", err)
		}
	}
	return nil
}

func fillPart(from, to int, add func(i int) error, tables []*bulk) error {
	db := tables[0].db
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for i := from; i < to; i++ {
		if err := add(i); err != nil {
			return err
		}
	}
	for _, t := range tables {
		if err := t.flush(); err != nil {
			return err
		}
	}
	_, err := db.Exec("COMMIT")
	return err
}
