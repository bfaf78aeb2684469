package main

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// commitEvery is how often whileOthersCommit changes the database.
const commitEvery = 10 * time.Millisecond

// besideCommits names a load whileOthersCommit.
const besideCommits = "while another process commits 100 times a second"

// whileOthersCommit is a load while somebody else changes the server's database again and again,
// so that a server can keep nothing for long of what it has read.
func (b *bench) whileOthersCommit(l load) load {
	return func(s *server) (*outcome, error) {
		db, err := sql.Open("sqlite", "file:"+s.file+"?_pragma=busy_timeout(10000)&_pragma=synchronous(OFF)")
		if err != nil {
			return nil, err
		}
		ctx, stop := context.WithCancel(b.ctx)
		ended := make(chan error, 1)
		go func() { ended <- commitAgainAndAgain(ctx, db) }()
		o, err := l(s)
		stop()
		return o, errors.Join(err, <-ended, db.Close())
	}
}

// commitAgainAndAgain changes a number that SQLite keeps for applications and that nobody reads.
func commitAgainAndAgain(ctx context.Context, db *sql.DB) error {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for next := "1"; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := db.Exec("PRAGMA user_version = " + next); err != nil {
			return err
		}
		next = map[string]string{"1": "2", "2": "1"}[next]
	}
}
