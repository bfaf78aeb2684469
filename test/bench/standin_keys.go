package main

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// passkeys are the stand-in's passkeys, in the file of its store.
type passkeys struct {
	store   *store
	readers chan *sql.Stmt

	insert, use, count *sql.Stmt
}

const passkeySchema = `
CREATE TABLE IF NOT EXISTS passkeys (id BLOB PRIMARY KEY, point BLOB NOT NULL, user_id INTEGER NOT NULL REFERENCES users (id), counter INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS used_challenges (challenge BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
`

func openPasskeys(file string, s *store) (*passkeys, error) {
	p := &passkeys{store: s, readers: make(chan *sql.Stmt, 4)}
	for to, text := range map[**sql.Stmt]string{
		&p.insert: `INSERT INTO passkeys (id, point, user_id, counter) SELECT ?, ?, user_id, 0 FROM sessions WHERE id = ?`,
		&p.use:    `INSERT INTO used_challenges (challenge) VALUES (?)`,
		&p.count:  `UPDATE passkeys SET counter = ?2 WHERE id = ?1 AND counter < ?2`,
	} {
		var err error
		if *to, err = s.writer.conn.PrepareContext(context.Background(), text); err != nil {
			return nil, err
		}
	}
	pool, err := sql.Open("sqlite", storeDSN(file)+"&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	for range cap(p.readers) {
		conn, err := pool.Conn(context.Background())
		if err != nil {
			return nil, err
		}
		stmt, err := conn.PrepareContext(context.Background(), `SELECT point, user_id FROM passkeys WHERE id = ?`)
		if err != nil {
			return nil, err
		}
		p.readers <- stmt
	}
	return p, nil
}

// add stores a key of the user of a session.
func (p *passkeys) add(id, point []byte, session int64) error {
	return p.store.writer.do(func() error { return once(p.insert.Exec(id, point, session)) })
}

// find finds a key: one indexed read.
func (p *passkeys) find(id []byte) (point []byte, user int64, err error) {
	stmt := <-p.readers
	defer func() { p.readers <- stmt }()
	err = stmt.QueryRow(id).Scan(&point, &user)
	return point, user, err
}

// enter uses the challenge up, moves the counter on and opens the session: one durable commit.
func (p *passkeys) enter(id, challenge []byte, counter uint32, user, session int64, hash []byte) error {
	return p.store.writer.do(func() error {
		if err := once(p.use.Exec(challenge)); err != nil {
			return err
		}
		if err := once(p.count.Exec(id, counter)); err != nil {
			return err
		}
		return once(p.store.sess.Exec(session, hash, user, time.Now().Add(12*time.Hour).UnixMilli()))
	})
}

// once is an error if a statement changed nothing.
func once(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errors.New("it was done before, or there is nothing to do it to"))
	}
	return nil
}
