package main

import (
	"errors"
	"fmt"
	"time"
)

// load puts work on a server.
type load func(*server) (*outcome, error)

// sampleOf measures a server under a load. CPU counts from the first request
// to the last answer.
func sampleOf(s *server, l load) (sample, error) {
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	out, err := l(s)
	if err != nil {
		return sample{}, err
	}
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	n := len(out.latencies)
	if n == 0 {
		return sample{}, fmt.Errorf("%s did nothing: %w; it said: %s", s.name, out.firstErr, s.words())
	}
	m := sample{
		CPU:  (after - before).Seconds() * 1000 / float64(n),
		Rate: out.rate(), P50: out.percentile(50), P99: out.percentile(99), Failed: out.failed,
	}
	if out.firstErr != nil {
		m.Error = out.firstErr.Error()
	}
	return m, nil
}

// takeTurns measures servers one after the other, again and again, so that a
// noisy minute of the machine falls on all of them. It returns the samples of
// each server, in the order of the rounds.
func (b *bench) takeTurns(servers []*server, l load) ([][]sample, error) {
	samples := make([][]sample, len(servers))
	for range b.rounds {
		for i, s := range servers {
			m, err := sampleOf(s, l)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			samples[i] = append(samples[i], m)
		}
	}
	return samples, nil
}

// versus is a work of both. The ratio is the median of the rounds' ratios: the
// two parts of a round had the same neighbours.
func versus(name string, samples [][]sample) work {
	ratios := make([]float64, len(samples[0]))
	for i := range ratios {
		ratios[i] = samples[0][i].CPU / samples[1][i].CPU
	}
	standin := median(samples[1])
	return work{Name: name, Djauthy: median(samples[0]), Standin: &standin, Ratio: middle(ratios)}
}

// compare takes turns with the pair.
func (b *bench) compare(name string, p *pair, l load) (work, error) {
	samples, err := b.takeTurns([]*server{p.djauthy, p.standin}, l)
	if err != nil {
		return work{}, err
	}
	return versus(name, samples), nil
}

// pair is djauthy and the stand-in, both running on fresh databases.
type pair struct{ djauthy, standin *server }

// withPair runs fn on a pair that has been warmed up with sign-ins.
func (b *bench) withPair(fn func(*pair) (*result, error)) (*result, error) {
	djauthy, err := b.startFresh(b.djauthy())
	if err != nil {
		return nil, err
	}
	return b.withStandin(djauthy, fn)
}

// withStandin is withPair with a djauthy that runs; it is stopped.
func (b *bench) withStandin(djauthy *server, fn func(*pair) (*result, error)) (*result, error) {
	p := pair{djauthy: djauthy}
	var err error
	if p.standin, err = b.startFresh(b.standin()); err != nil {
		return nil, errors.Join(err, p.djauthy.stop())
	}
	for _, s := range []*server{p.djauthy, p.standin} {
		if err == nil {
			_, err = sampleOf(s, b.signIns(16, time.Second))
		}
	}
	var r *result
	if err == nil {
		r, err = fn(&p)
	}
	return r, errors.Join(err, p.djauthy.stop(), p.standin.stop())
}

func (b *bench) startFresh(p program, extra ...string) (*server, error) {
	dir, err := b.subdir()
	if err != nil {
		return nil, err
	}
	return b.start(p, dir, extra...)
}

// signIns is n browsers that sign new people in without a pause.
func (b *bench) signIns(n int, d time.Duration) load {
	return func(s *server) (*outcome, error) {
		return closedLoop(b.ctx, n, d, b.signInWorker(s, freshAddress, nil))
	}
}

// signInWorker opens browsers that sign in with the addresses that next gives.
// Sessions are handed to keep, if there is one.
func (b *bench) signInWorker(s *server, next func() string, keep func(string)) func() (*worker, error) {
	return func() (*worker, error) {
		br, err := newBrowser(s.addr, b.sink)
		if err != nil {
			return nil, err
		}
		return &worker{close: br.close, do: func() error {
			session, err := br.signIn(next())
			if err == nil && keep != nil {
				keep(session)
			}
			return err
		}}, nil
	}
}
