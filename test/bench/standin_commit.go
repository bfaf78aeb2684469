package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// groupWriter makes many small transactions durable with one fsync: when a
// commit ends, whatever waits by then goes into the next one.
type groupWriter struct {
	conn *sql.Conn
	jobs chan commitJob

	begin, commit, save, release, back *sql.Stmt
}

type commitJob struct {
	run  func() error
	done chan error
}

// groupSize bounds a group, so that the first of it does not wait for long.
const groupSize = 256

func startGroupWriter(pool *sql.DB) (*groupWriter, error) {
	ctx := context.Background()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &groupWriter{conn: conn, jobs: make(chan commitJob, groupSize)}
	for text, to := range map[string]**sql.Stmt{
		"BEGIN IMMEDIATE": &w.begin, "COMMIT": &w.commit,
		"SAVEPOINT job": &w.save, "RELEASE job": &w.release, "ROLLBACK TO job": &w.back,
	} {
		if *to, err = conn.PrepareContext(ctx, text); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", text, err)
		}
	}
	go w.work()
	return w, nil
}

// do runs fn in a transaction and returns once it is on disk.
func (w *groupWriter) do(fn func() error) error {
	j := commitJob{fn, make(chan error, 1)}
	w.jobs <- j
	return <-j.done
}

func (w *groupWriter) work() {
	group := make([]commitJob, 0, groupSize)
	for first := range w.jobs {
		group = w.gather(append(group[:0], first))
	}
}

// gather runs jobs until none waits, commits them, and answers.
func (w *groupWriter) gather(group []commitJob) []commitJob {
	_, err := w.begin.Exec()
	errs := make([]error, 0, groupSize)
	for i := 0; i < len(group); i++ {
		errs = append(errs, errors.Join(err, w.one(group[i])))
		if len(group) == groupSize {
			continue
		}
		select {
		case next := <-w.jobs:
			group = append(group, next)
		default:
		}
	}
	_, err = w.commit.Exec()
	for i, j := range group {
		j.done <- errors.Join(errs[i], err)
	}
	return group
}

func (w *groupWriter) one(j commitJob) error {
	if _, err := w.save.Exec(); err != nil {
		return err
	}
	err := j.run()
	if err != nil {
		_, undo := w.back.Exec()
		err = errors.Join(err, undo)
	}
	_, release := w.release.Exec()
	return errors.Join(err, release)
}

// commitRate is what the group commit of one machine can do.
type commitRate struct {
	Rows, CPU, Fsync float64 // rows a second, ms of CPU a row, median ms of an fsync
}

// runCommits measures durable rows under 256 callers, and the bare fsync of
// the same directory, and prints them as JSON.
func runCommits(args []string) error {
	flags := flag.NewFlagSet("commits", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory on the disk to measure")
	seconds := flags.Float64("seconds", 1, "how long")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, err := openStore(filepath.Join(*dir, "commits.db"))
	if err != nil {
		return err
	}
	var r commitRate
	if r.Fsync, err = fsyncTime(filepath.Join(*dir, "fsync")); err != nil {
		return err
	}
	before, err := cpuTime(os.Getpid())
	if err != nil {
		return err
	}
	start := time.Now()
	rows := s.fill(start.Add(time.Duration(*seconds * float64(time.Second))))
	elapsed := time.Since(start)
	after, err := cpuTime(os.Getpid())
	if err != nil {
		return err
	}
	r.Rows = float64(rows) / elapsed.Seconds()
	r.CPU = (after - before).Seconds() * 1000 / float64(rows)
	return json.NewEncoder(os.Stdout).Encode(r)
}

func (s *store) fill(until time.Time) (rows int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	hash, mac := random(32), random(32)
	for range groupSize {
		wg.Go(func() {
			n := 0
			for time.Now().Before(until) && s.addAttempt(s.nextID(), hash, "somebody@people.example", mac) == nil {
				n++
			}
			mu.Lock()
			defer mu.Unlock()
			rows += n
		})
	}
	wg.Wait()
	return rows
}

// fsyncTime appends 4 KiB and waits for the disk, 200 times.
func fsyncTime(file string) (float64, error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	var times []time.Duration
	block := make([]byte, 4096)
	for range 200 {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2].Seconds() * 1000, nil
}
