package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

const (
	// sweepAtMost limits sign-in p99 while the sweeper works, as a multiple of
	// that without.
	sweepAtMost = 3.0
	// growthAtMost limits sign-in p50 with many accounts, as a multiple of
	// that with few.
	growthAtMost = 1.3

	expiredRows = 5_000_000
	fewAccounts = 10_000
)

// seeded makes a migrated database, fills it, and returns its directory.
func (b *bench) seeded(fill func(*sql.DB) error) (dir string, err error) {
	if dir, err = b.subdir(); err != nil {
		return "", err
	}
	s, err := b.start(b.djauthy(), dir)
	if err != nil {
		return "", err
	}
	if err := s.stop(); err != nil {
		return "", err
	}
	db, err := openSeed(filepath.Join(dir, "djauthy.db"))
	if err != nil {
		return "", err
	}
	return dir, errors.Join(fill(db), db.Close())
}

// sweepRow is how long sign-ins take while five million expired rows go.
func sweepRow(b *bench) (*result, error) {
	b.say("  seeding %s expired rows", count(expiredRows))
	dir, err := b.seeded(func(db *sql.DB) error { return seedExpired(b.ctx, db, expiredRows) })
	if err != nil {
		return nil, err
	}
	var without, with sample
	var took time.Duration
	var rate float64
	if err := b.withServer(dir, "24h", func(s *server) error {
		if rate, err = b.halfRate(s); err != nil {
			return err
		}
		without, err = sampleOf(s, b.arrivals(rate, 2*b.part, nil))
		return err
	}); err != nil {
		return nil, err
	}
	err = b.withServer(dir, "1s", func(s *server) (err error) {
		with, took, err = b.whileSweeping(s, filepath.Join(dir, "djauthy.db"), rate)
		return err
	})
	return &result{
		Works: []work{
			{Name: fmt.Sprintf("sign-in, %.0f arrivals a second, sweeper idle", rate), Djauthy: without},
			{Name: "the same while 5,000,000 expired rows are swept", Djauthy: with},
		},
		Figures: []figure{
			{Name: "sign-in p99 while 5,000,000 expired rows are swept", Unit: "ms", Djauthy: with.P99, Beside: without.P99, Against: "without", AtMost: sweepAtMost * without.P99},
			{Name: "expired rows swept a second meanwhile", Djauthy: expiredRows / took.Seconds()},
		},
	}, err
}

func (b *bench) withServer(dir, sweepEvery string, fn func(*server) error) error {
	s, err := b.start(b.djauthy(), dir, "DJAUTHY_SWEEP_EVERY="+sweepEvery)
	if err != nil {
		return err
	}
	return errors.Join(fn(s), s.stop())
}

// halfRate is half of what the server can do, which leaves a sweeper room.
// The first run only warms it up.
func (b *bench) halfRate(s *server) (rate float64, err error) {
	for range 2 {
		m, err := sampleOf(s, b.signIns(64, b.part))
		if err != nil {
			return 0, err
		}
		rate = m.Rate / 2
	}
	return rate, nil
}

func (b *bench) arrivals(rate float64, d time.Duration, done <-chan struct{}) load {
	return func(s *server) (*outcome, error) {
		return openLoop(b.ctx, checkers, rate, d, done, b.signInWorker(s, freshAddress, nil))
	}
}

// whileSweeping loads the server until the last expired row is gone.
func (b *bench) whileSweeping(s *server, file string, rate float64) (m sample, took time.Duration, err error) {
	const patience = 3 * time.Minute
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err != nil {
		return m, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	gone := make(chan struct{})
	began := time.Now()
	var watchErr error
	go func() {
		defer close(gone)
		took, watchErr = awaitSwept(b.ctx, db, began.Add(patience))
	}()
	m, err = sampleOf(s, b.arrivals(rate, patience, gone))
	<-gone
	return m, took, errors.Join(err, watchErr)
}

func awaitSwept(ctx context.Context, db *sql.DB, deadline time.Time) (time.Duration, error) {
	began := time.Now()
	for time.Now().Before(deadline) {
		left, err := expiredLeft(ctx, db)
		if err != nil || !left {
			return time.Since(began), err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return 0, errors.New("the sweeper did not remove the expired rows in time")
}

// growthRow compares sign-ins and session checks of people who have been here
// before, with few and with many accounts in the database.
func growthRow(many int) func(*bench) (*result, error) {
	return func(b *bench) (*result, error) {
		sizes := []int{fewAccounts, many}
		servers := make([]*server, 0, len(sizes))
		for _, n := range sizes {
			b.say("  seeding %s accounts", count(n))
			s, err := b.startSeeded(n)
			if err != nil {
				return nil, errors.Join(err, stopAll(servers))
			}
			servers = append(servers, s)
		}
		r, err := b.growth(servers, sizes)
		return r, errors.Join(err, stopAll(servers))
	}
}

func (b *bench) startSeeded(n int) (*server, error) {
	dir, err := b.seeded(func(db *sql.DB) error { return seedAccounts(b.ctx, db, n) })
	if err != nil {
		return nil, err
	}
	return b.start(b.djauthy(), dir)
}

func stopAll(servers []*server) (err error) {
	for _, s := range servers {
		err = errors.Join(err, s.stop())
	}
	return err
}

func (b *bench) growth(servers []*server, sizes []int) (*result, error) {
	next, requests := map[*server]func() string{}, map[*server][]string{}
	for i, s := range servers {
		next[s] = (&people{n: int64(sizes[i])}).next
		cookies, err := b.sessions(s, sessionsPerServer, next[s])
		if err != nil {
			return nil, err
		}
		requests[s] = checks(s, "", cookies)
	}
	signIns, err := b.takeTurns(servers, func(s *server) (*outcome, error) {
		return closedLoop(b.ctx, 1, b.part, b.signInWorker(s, next[s], nil))
	})
	if err != nil {
		return nil, err
	}
	asked, err := b.takeTurns(servers, b.asks(requests))
	if err != nil {
		return nil, err
	}
	return grown(sizes, signIns, asked), nil
}

// grown sets the figures of many accounts beside those of few.
func grown(sizes []int, signIns, asked [][]sample) *result {
	r := &result{}
	for i, n := range sizes {
		r.Works = append(r.Works,
			work{Name: "lone browser signs in again, " + count(n) + " accounts", Djauthy: median(signIns[i])},
			work{Name: "session check, " + count(n) + " accounts", Djauthy: median(asked[i])})
	}
	few, many, against := r.Works[:2], r.Works[2:], "with "+count(sizes[0])
	r.Figures = []figure{
		{Name: "sign-in p50 with " + count(sizes[1]) + " accounts", Unit: "ms", Djauthy: many[0].Djauthy.P50, Beside: few[0].Djauthy.P50, Against: against, AtMost: growthAtMost * few[0].Djauthy.P50},
		{Name: "CPU of a session check with " + count(sizes[1]) + " accounts", Unit: "ms", Djauthy: many[1].Djauthy.CPU, Beside: few[1].Djauthy.CPU, Against: against},
	}
	return r
}
