package main

import (
	"errors"
	"time"
)

// postgresAtMost limits the CPU of a whole sign-in, server and database
// together, in ms.
const postgresAtMost = 12.0

// postgresRow is whole sign-ins on PostgreSQL. It returns nil where there is
// none.
func postgresRow(b *bench) (*result, error) {
	c, err := b.openCluster()
	if err != nil {
		return nil, err
	}
	if c == nil {
		b.say("  no PostgreSQL: neither DJAUTHY_TEST_POSTGRES nor Debian's package postgresql")
		return nil, nil
	}
	r, err := b.onPostgres(c)
	return r, errors.Join(err, c.clean())
}

func (b *bench) onPostgres(c *cluster) (*result, error) {
	s, err := b.startFresh(b.djauthy(), "DJAUTHY_DATABASE="+c.url, "DJAUTHY_SECRET_KEY="+benchKey)
	if err != nil {
		return nil, err
	}
	s.others = c.cpu
	r, err := b.postgresSignIns(s)
	return r, errors.Join(err, s.stop())
}

// benchKey guards nothing: its database is dropped at once.
const benchKey = "bench-bench-bench-bench-bench-bench-bench-bench"

func (b *bench) postgresSignIns(s *server) (*result, error) {
	if _, err := sampleOf(s, b.signIns(16, time.Second)); err != nil {
		return nil, err
	}
	r := &result{}
	for _, n := range []int{1, 64} {
		m, err := b.takeTurns([]*server{s}, b.signIns(n, b.part))
		if err != nil {
			return nil, err
		}
		r.Works = append(r.Works, work{Name: "whole sign-in on PostgreSQL, " + many(n, "browser"), Djauthy: median(m[0])})
		if n == 64 {
			r.Figures = []figure{{Name: "CPU of a sign-in on PostgreSQL, server and database", Unit: "ms", Djauthy: median(m[0]).CPU, AtMost: postgresAtMost}}
		}
	}
	return r, nil
}
