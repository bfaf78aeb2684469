package main

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the engine
)

// store is the stand-in's SQLite file: one writer that commits in groups, and
// a few read-only connections.
type store struct {
	writer  *groupWriter
	readers chan *sql.Stmt
	last    atomic.Int64

	attempt, use, user, sess *sql.Stmt
}

const storeSchema = `
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS attempts (id INTEGER PRIMARY KEY, secret BLOB NOT NULL, email TEXT NOT NULL, mac BLOB NOT NULL,
	tries INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sessions (id INTEGER PRIMARY KEY, secret BLOB NOT NULL, user_id INTEGER NOT NULL REFERENCES users (id),
	expires_at INTEGER NOT NULL) STRICT;
` + servicesSchema + `;` + passkeySchema

// storeDSN opens a file as durably as djauthy does: WAL with an fsync for
// every commit.
func storeDSN(file string) string {
	return "file:" + file + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=cache_size(-8000)"
}

func openStore(file string) (*store, error) {
	ctx := context.Background()
	pool, err := sql.Open("sqlite", storeDSN(file))
	if err != nil {
		return nil, err
	}
	if _, err := pool.ExecContext(ctx, storeSchema); err != nil {
		return nil, fmt.Errorf("make the stand-in's tables: %w", err)
	}
	s := &store{readers: make(chan *sql.Stmt, 4)}
	if s.writer, err = startGroupWriter(pool); err != nil {
		return nil, err
	}
	if err := s.prepareWrites(); err != nil {
		return nil, err
	}
	return s, s.openReaders(file)
}

func (s *store) prepareWrites() error {
	for _, p := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&s.attempt, `INSERT INTO attempts (id, secret, email, mac, tries, expires_at, used_at) VALUES (?, ?, ?, ?, 0, ?, 0)`},
		{&s.use, `UPDATE attempts SET tries = tries + 1, used_at = CASE WHEN mac = ?1 THEN ?2 ELSE 0 END
			WHERE id = ?3 AND used_at = 0 AND tries < 5 AND expires_at > ?2 RETURNING secret, email, used_at`},
		{&s.user, `INSERT INTO users (id, email, name) VALUES (?, ?, ?) ON CONFLICT (email) DO UPDATE SET email = excluded.email RETURNING id`},
		{&s.sess, `INSERT INTO sessions (id, secret, user_id, expires_at) VALUES (?, ?, ?, ?)`},
	} {
		var err error
		if *p.to, err = s.writer.conn.PrepareContext(context.Background(), p.text); err != nil {
			return fmt.Errorf("prepare %q: %w", p.text, err)
		}
	}
	return nil
}

func (s *store) openReaders(file string) error {
	ctx := context.Background()
	pool, err := sql.Open("sqlite", storeDSN(file)+"&_pragma=query_only(1)")
	if err != nil {
		return err
	}
	for range cap(s.readers) {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return err
		}
		stmt, err := conn.PrepareContext(ctx, `SELECT s.secret, s.expires_at, u.name, u.email FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?`)
		if err != nil {
			return err
		}
		s.readers <- stmt
	}
	return nil
}

// nextID is ordered by time and never repeats.
func (s *store) nextID() int64 {
	for {
		last := s.last.Load()
		id := max(last+1, time.Now().UnixMilli()<<20)
		if s.last.CompareAndSwap(last, id) {
			return id
		}
	}
}

func (s *store) addAttempt(id int64, hash []byte, address string, mac []byte) error {
	expires := time.Now().Add(10 * time.Minute).UnixMilli()
	return s.writer.do(func() error {
		_, err := s.attempt.Exec(id, hash, address, mac, expires)
		return err
	})
}

// useCode counts the try, uses up a right code, makes the user if there is
// none, and opens the session.
func (s *store) useCode(attempt int64, proof, mac []byte, session int64, hash []byte) (right bool, err error) {
	err = s.writer.do(func() error {
		var secret []byte
		var address string
		var used, user int64
		now := time.Now()
		err := s.use.QueryRow(mac, now.UnixMilli(), attempt).Scan(&secret, &address, &used)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if used == 0 || subtle.ConstantTimeCompare(secret, proof) == 0 {
			return nil
		}
		if err := s.user.QueryRow(session, address, address[:8]).Scan(&user); err != nil {
			return err
		}
		right = true
		_, err = s.sess.Exec(session, hash, user, now.Add(12*time.Hour).UnixMilli())
		return err
	})
	return right, err
}

type foundSession struct {
	hash        []byte
	expires     int64
	user, email string
}

func (s *store) session(id int64) (f foundSession, err error) {
	stmt := <-s.readers
	defer func() { s.readers <- stmt }()
	err = stmt.QueryRow(id).Scan(&f.hash, &f.expires, &f.user, &f.email)
	if errors.Is(err, sql.ErrNoRows) {
		return foundSession{}, nil
	}
	return f, err
}
