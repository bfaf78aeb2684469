package main

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A worker does one operation after another over what it holds open.
type worker struct {
	do    func() error
	close func()
}

// outcome is what a load saw.
type outcome struct {
	latencies []time.Duration // of operations that succeeded
	failed    int
	firstErr  error
	elapsed   time.Duration
}

func (o *outcome) add(latencies []time.Duration, failed int, err error) {
	o.latencies = append(o.latencies, latencies...)
	o.failed += failed
	if o.firstErr == nil {
		o.firstErr = err
	}
}

func (o *outcome) rate() float64 { return float64(len(o.latencies)) / o.elapsed.Seconds() }

// percentile of latencies in ms.
func (o *outcome) percentile(p float64) float64 {
	if len(o.latencies) == 0 {
		return math.NaN()
	}
	slices.Sort(o.latencies)
	i := int(math.Ceil(p/100*float64(len(o.latencies)))) - 1
	return float64(o.latencies[max(0, i)]) / float64(time.Millisecond)
}

// closedLoop lets n workers work without a pause for d or until stop says so.
func closedLoop(ctx context.Context, n int, d time.Duration, open func() (*worker, error)) (*outcome, error) {
	workers := make([]*worker, n)
	for i := range workers {
		w, err := open()
		if err != nil {
			return nil, err
		}
		defer w.close()
		workers[i] = w
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var out outcome
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	for _, w := range workers {
		wg.Go(func() {
			latencies, failed, err := w.loop(ctx)
			mu.Lock()
			defer mu.Unlock()
			out.add(latencies, failed, err)
		})
	}
	wg.Wait()
	out.elapsed = time.Since(start)
	return &out, interrupted(ctx)
}

func (w *worker) loop(ctx context.Context) (latencies []time.Duration, failed int, firstErr error) {
	latencies = make([]time.Duration, 0, 4096)
	for ctx.Err() == nil {
		start := time.Now()
		if err := w.do(); err != nil {
			failed++
			if firstErr == nil {
				firstErr = err
			}
			// A connection after an error may be out of step.
			return latencies, failed, firstErr
		}
		latencies = append(latencies, time.Since(start))
	}
	return latencies, failed, firstErr
}

// interrupted tells the end of a load's time from the end of the bench.
func interrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return nil
}

// openLoop starts operations at random moments, rate of them a second,
// whether or not earlier ones have ended, as people do. A latency counts from
// the moment the operation was due, so that a stall is paid by everybody who
// came during it. It ends after d, or earlier when done is closed.
func openLoop(ctx context.Context, rate float64, d time.Duration, done <-chan struct{}, open func() (*worker, error)) (*outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	pool := &workerPool{open: open}
	defer pool.close()
	var out outcome
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	for due := start; ; due = due.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second))) {
		if !sleepUntil(ctx, due, done) {
			break
		}
		wg.Go(func() {
			err := pool.run()
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.add(nil, 1, err)
			} else {
				out.latencies = append(out.latencies, took)
			}
		})
	}
	wg.Wait()
	out.elapsed = time.Since(start)
	return &out, interrupted(ctx)
}

func sleepUntil(ctx context.Context, due time.Time, done <-chan struct{}) bool {
	t := time.NewTimer(time.Until(due))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
	case <-done:
	}
	return false
}

// workerPool lends workers and opens another when none is free.
type workerPool struct {
	open func() (*worker, error)
	mu   sync.Mutex
	free []*worker
}

func (p *workerPool) run() error {
	w, err := p.take()
	if err != nil {
		return err
	}
	if err := w.do(); err != nil {
		w.close()
		return err
	}
	p.mu.Lock()
	p.free = append(p.free, w)
	p.mu.Unlock()
	return nil
}

func (p *workerPool) take() (*worker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		w := p.free[n-1]
		p.free = p.free[:n-1]
		return w, nil
	}
	return p.open()
}

func (p *workerPool) close() {
	for _, w := range p.free {
		w.close()
	}
}
