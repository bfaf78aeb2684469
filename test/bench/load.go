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

func (o *outcome) add(latencies []time.Duration, err error) {
	o.latencies = append(o.latencies, latencies...)
	if err != nil {
		o.failed++
	}
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

// closedLoop lets n workers work without a pause for d.
func closedLoop(ctx context.Context, n int, d time.Duration, open func() (*worker, error)) (*outcome, error) {
	workers, err := openAll(n, open)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return together(ctx, workers, func(w *worker) (latencies []time.Duration, err error) {
		latencies = make([]time.Duration, 0, 4096)
		for ctx.Err() == nil {
			start := time.Now()
			if err := w.do(); err != nil {
				return latencies, err
			}
			latencies = append(latencies, time.Since(start))
		}
		return latencies, nil
	})
}

// openLoop starts operations at random moments, rate of them a second, whether or
// not earlier ones have ended, over n kept connections. A latency counts from the
// moment the operation was due, so that a stall is paid by everybody who came during
// it, and who finds all connections busy waits for one. It ends after d, or earlier
// when done is closed.
func openLoop(ctx context.Context, n int, rate float64, d time.Duration, done <-chan struct{}, open func() (*worker, error)) (*outcome, error) {
	workers, err := openAll(n, open)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	arrivals := make(chan time.Time, int(2*rate*d.Seconds())+1)
	go arrive(ctx, rate, arrivals, done)
	out, err := together(ctx, workers, func(w *worker) (latencies []time.Duration, err error) {
		latencies = make([]time.Duration, 0, 4096)
		for due := range arrivals {
			if err := interrupted(ctx); err != nil {
				return latencies, err
			}
			if err := w.do(); err != nil {
				return latencies, err
			}
			latencies = append(latencies, time.Since(due))
		}
		return latencies, nil
	})
	out.failed += len(arrivals) // all workers had failed
	return out, err
}

// arrive sends the moments at which operations are due, each when it has come.
func arrive(ctx context.Context, rate float64, arrivals chan<- time.Time, done <-chan struct{}) {
	defer close(arrivals)
	due := time.Now()
	for sleepUntil(ctx, due, done) {
		select {
		case arrivals <- due:
		case <-ctx.Done():
		}
		due = due.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second)))
	}
}

func openAll(n int, open func() (*worker, error)) ([]*worker, error) {
	workers := make([]*worker, 0, n)
	for range n {
		w, err := open()
		if err != nil {
			closeAll(workers)
			return nil, err
		}
		workers = append(workers, w)
	}
	return workers, nil
}

func closeAll(workers []*worker) {
	for _, w := range workers {
		w.close()
	}
}

// together runs the workers side by side until each has ended, by an error if it
// had one: a connection after an error may be out of step.
func together(ctx context.Context, workers []*worker, run func(*worker) ([]time.Duration, error)) (*outcome, error) {
	defer closeAll(workers)
	var out outcome
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	for _, w := range workers {
		wg.Go(func() {
			latencies, err := run(w)
			mu.Lock()
			defer mu.Unlock()
			out.add(latencies, err)
		})
	}
	wg.Wait()
	out.elapsed = time.Since(start)
	return &out, interrupted(ctx)
}

// interrupted tells the end of a load's time from the end of the bench.
func interrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return nil
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
