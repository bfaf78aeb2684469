package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Limits of this project for a process.
const (
	idleAtMost    = 24.0 // MiB
	loadedAtMost  = 48.0 // MiB
	millionAtMost = 48.0 // MiB
	startAtMost   = 30.0 // ms
	binaryAtMost  = 30.0 // MB
)

// memoryRow is what a fresh server holds when idle and under 64 connections.
func memoryRow(b *bench) (*result, error) {
	idle, loaded, err := b.memories(b.djauthy())
	if err != nil {
		return nil, err
	}
	idleStandin, loadedStandin, err := b.memories(b.standin())
	if err != nil {
		return nil, err
	}
	return &result{Figures: []figure{
		{Name: "memory (PSS), idle", Unit: "MiB", Djauthy: idle, Beside: idleStandin, AtMost: idleAtMost},
		{Name: "memory (PSS), 64 connections signing in", Unit: "MiB", Djauthy: loaded, Beside: loadedStandin, AtMost: loadedAtMost},
	}}, nil
}

func (b *bench) memories(p program) (idle, loaded float64, err error) {
	s, err := b.startFresh(p)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	time.Sleep(2 * time.Second) // whatever a start leaves to do is done
	if idle, err = memory(s.pid()); err != nil {
		return 0, 0, err
	}
	loaded, err = highest(s, func() error {
		_, err := sampleOf(s, b.signIns(64, b.part))
		return err
	})
	return idle, loaded, err
}

// highest is the most memory a server held while fn ran.
func highest(s *server, fn func() error) (most float64, err error) {
	var wg sync.WaitGroup
	end := make(chan struct{})
	var watchErr error
	wg.Go(func() {
		for {
			var m float64
			if m, watchErr = memory(s.pid()); watchErr != nil {
				return
			}
			most = max(most, m)
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	err = fn()
	close(end)
	wg.Wait()
	return most, errors.Join(err, watchErr)
}

const million = 1_000_000

// millionRow is what a server holds after a million sign-ins, the last of them
// just done.
func millionRow(b *bench) (*result, error) {
	s, err := b.startFresh(b.djauthy())
	if err != nil {
		return nil, err
	}
	r, err := b.millionSignIns(s)
	return r, errors.Join(err, s.stop())
}

func (b *bench) millionSignIns(s *server) (*result, error) {
	done := 0
	var samples []sample
	for done < million {
		var n int
		m, err := sampleOf(s, func(s *server) (*outcome, error) {
			out, err := b.signIns(64, 30*time.Second)(s)
			if err == nil {
				n = len(out.latencies)
			}
			return out, err
		})
		if err != nil {
			return nil, err
		}
		done += n
		samples = append(samples, m)
		b.say("  %s sign-ins", count(done))
	}
	held, err := memory(s.pid())
	return &result{
		Works:   []work{{Name: "whole sign-in by code, 64 browsers, a million of them", Djauthy: median(samples)}},
		Figures: []figure{{Name: "memory (PSS) after a million sign-ins", Unit: "MiB", Djauthy: held, AtMost: millionAtMost}},
	}, err
}

// startRow is the time from the start of the process to its first answer, with
// a database that is up to date.
func startRow(b *bench) (*result, error) {
	const starts = 10
	var medians [2]float64
	for i, p := range []program{b.djauthy(), b.standin()} {
		dir, err := b.subdir()
		if err != nil {
			return nil, err
		}
		var times []float64
		for n := range starts + 1 {
			began := time.Now()
			s, err := b.start(p, dir)
			if err != nil {
				return nil, err
			}
			if n > 0 { // the first makes the database
				times = append(times, time.Since(began).Seconds()*1000)
			}
			if err := s.stop(); err != nil {
				return nil, err
			}
		}
		medians[i] = middle(times)
	}
	return &result{Figures: []figure{{Name: "start to first answer, migrated database", Unit: "ms", Djauthy: medians[0], Beside: medians[1], AtMost: startAtMost}}}, nil
}

func binaryRow(b *bench) (*result, error) {
	info, err := os.Stat(b.binary)
	if err != nil {
		return nil, err
	}
	return &result{Figures: []figure{{Name: "stripped binary", Unit: "MB", Djauthy: float64(info.Size()) / 1e6, AtMost: binaryAtMost}}}, nil
}

// commitRow is what this machine's disk and SQLite can do at most.
func commitRow(b *bench) (*result, error) {
	var rates, cpus, fsyncs []float64
	for range b.rounds {
		r, err := b.commits()
		if err != nil {
			return nil, err
		}
		rates, cpus, fsyncs = append(rates, r.Rows), append(cpus, r.CPU), append(fsyncs, r.Fsync)
	}
	return &result{Figures: []figure{
		{Name: "limit: durable rows a second, group commit, 256 callers", Beside: middle(rates)},
		{Name: "limit: CPU of a durable row in a group", Unit: "ms", Beside: middle(cpus)},
		{Name: "limit: fsync of 4 KiB in the same directory, p50", Unit: "ms", Beside: middle(fsyncs)},
	}}, nil
}

func (b *bench) commits() (r commitRate, err error) {
	return r, b.alone("commits", &r)
}

// alone runs a part of this program as a process of its own on the servers' CPU, with a fresh
// directory, and reads the JSON that it prints.
func (b *bench) alone(part string, to any) error {
	dir, err := b.subdir()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(b.ctx, b.self, part, "-dir", dir, "-seconds", strconv.FormatFloat(b.part.Seconds(), 'f', -1, 64))
	cmd.Env = cleanEnv()
	p, err := launch(b.serverCPU, filepath.Join(dir, "log"), cmd)
	if err != nil {
		return err
	}
	<-p.ended
	if err := json.Unmarshal([]byte(p.words()), to); err != nil {
		return fmt.Errorf("measure %s: %w; it said: %s", part, err, p.words())
	}
	return nil
}
