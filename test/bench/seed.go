package main

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// The seeds write djauthy's own tables (internal/db/migrations) as fast as
// SQLite makes rows: a million people cannot sign in one by one first. In each
// statement i counts up, ?3 is the moment of the first row in unix
// milliseconds, and idOf is an id as internal/db makes them, the milliseconds
// above a counter; each row is a millisecond after the one before.
const idOf = `((?3 + i) << 21)`

// seedRows are the values of a table's columns as SQL over i. Columns that are
// not named get what is empty in their type, so that a new one needs no word
// here.
type seedRows struct {
	table  string
	values map[string]string
}

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

// seedAccounts adds n people with one address each who have signed in before.
func seedAccounts(ctx context.Context, db *sql.DB, n int) error {
	const address = `printf('s%09d@people.example', i)`
	return seed(ctx, db, n, time.Now().Add(-50*24*time.Hour),
		seedRows{"users", map[string]string{
			"id": idOf, "username": `printf('s%09d', i)`, "email": address, "is_active": "1", "date_joined": "?3", "last_login": "?3",
		}},
		seedRows{"accounts", map[string]string{
			"id": idOf, "user_id": idOf, "implementation": "'email'", "identifier": address, "is_active": "1", "activated_at": "?3", "last_used_at": "?3",
		}})
}

// people are those of seedAccounts, drawn one by one from all over the table,
// nobody twice before everybody was: two browsers that sign in with one
// address at once would take each other's mail.
type people struct {
	n     int64
	drawn atomic.Int64
}

func (p *people) next() string {
	const stride = 618_033_989 // shares no factor with a power of ten
	return fmt.Sprintf("s%09d@people.example", p.drawn.Add(1)*stride%p.n)
}

// seedExpired adds n rows that the sweeper has to remove: what n/5 sign-ins of
// three months ago leave behind, an attempt, a sent message, a session, a proof and a
// budget each.
func seedExpired(ctx context.Context, db *sql.DB, n int) error {
	const prefix, agent, hash = "'192.0.2.0/24'", "'Firefox on Linux'", "zeroblob(32)"
	tables := []seedRows{
		{"attempts", map[string]string{
			"id": idOf, "secret_hash": hash, "browser": "zeroblob(16)", "implementation": "'email'", "identifier": `printf('s%09d@people.example', i)`,
			"codes": "zeroblob(140)", "network": "'192.0.2.7'", "prefix": prefix, "agent": agent, "sends": "1", "sent_at": "?3", "expires_at": "?3 + 600000", "used_at": "?3 + 5000",
		}},
		{"sessions", map[string]string{
			"id": idOf, "secret_hash": hash, "user_id": "i", "account_id": "i", "last_seen_at": "?3", "expires_at": "?3 + 43200000", "prefix": prefix, "agent": agent,
		}},
		{"proofs", map[string]string{
			"session_id": idOf, "factor": "'code'", "user_id": "i", "account_id": "i", "verified_at": "?3", "expires_at": "?3 + 43200000",
		}},
		{"outbox", map[string]string{
			"id": idOf, "channel": "'email'", "not_after": "?3 + 600000", "due_at": "?3", "tries": "1", "state": "1", "done_at": "?3 + 100",
		}},
		{"budgets", map[string]string{"key": "randomblob(16)", "spent_to": "?3 * 1000", "last_take": "1"}},
	}
	return seed(ctx, db, n/len(tables), time.Now().Add(-100*24*time.Hour), tables...)
}

// expiredLeft reports whether rows of seedExpired are still there.
func expiredLeft(ctx context.Context, db *sql.DB) (left bool, err error) {
	before := time.Now().Add(-90 * 24 * time.Hour).UnixMilli()
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM attempts WHERE id < ?1 << 21)
		OR EXISTS (SELECT 1 FROM sessions WHERE id < ?1 << 21) OR EXISTS (SELECT 1 FROM proofs WHERE session_id < ?1 << 21)
		OR EXISTS (SELECT 1 FROM outbox WHERE id < ?1 << 21) OR EXISTS (SELECT 1 FROM budgets WHERE spent_to < ?1 * 1000)`, before).Scan(&left)
	return left, err
}

// seed fills tables with i from 0 to n, in steps that keep SQLite's log small.
func seed(ctx context.Context, db *sql.DB, n int, first time.Time, tables ...seedRows) error {
	const step = 100_000
	statements := make([]string, len(tables))
	for i, t := range tables {
		var err error
		if statements[i], err = t.statement(ctx, db); err != nil {
			return fmt.Errorf("seed %s: %w", t.table, err)
		}
	}
	for from := 0; from < n; from += step {
		for i, s := range statements {
			if _, err := db.ExecContext(ctx, s, from, min(n, from+step), first.UnixMilli()); err != nil {
				return fmt.Errorf("seed %s: %w", tables[i].table, err)
			}
		}
	}
	return nil
}

// statement inserts the rows in the order of their first column, which is the
// primary key: a random key would be slow to load.
func (t seedRows) statement(ctx context.Context, db *sql.DB) (string, error) {
	rows, err := db.QueryContext(ctx, `SELECT name, CASE type WHEN 'TEXT' THEN '''''' WHEN 'BLOB' THEN 'x''''' ELSE '0' END FROM pragma_table_info(?)
		WHERE "notnull" AND dflt_value IS NULL OR pk > 0 OR instr(?, ' ' || name || ' ') ORDER BY cid`, t.table, t.names())
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	var columns, values []string
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return "", err
		}
		if given, ok := t.values[name]; ok {
			value = given
		}
		columns, values = append(columns, name), append(values, value)
	}
	return `WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2) INSERT INTO ` +
		t.table + ` (` + strings.Join(columns, ", ") + `) SELECT ` + strings.Join(values, ", ") + ` FROM n ORDER BY 1`, rows.Err()
}

// names lists the given columns, each between blanks.
func (t seedRows) names() string {
	return " " + strings.Join(slices.Collect(maps.Keys(t.values)), " ") + " "
}
