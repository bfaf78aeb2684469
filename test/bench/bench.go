package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// bench is one run of the benchmark.
type bench struct {
	options
	ctx       context.Context
	root      string // of the checkout
	dir       string // temporary; databases and programs lie here
	self      string // a copy of this program
	build     string // names what was built
	sink      *sink
	sizes     sizes
	serverCPU int
	oneCPU    bool // driver and servers share a CPU: figures are poor
	began     time.Time
}

func openBench(ctx context.Context, o options) (*bench, error) {
	b := &bench{options: o, ctx: ctx, began: time.Now()}
	var err error
	if b.root, err = findRoot(); err != nil {
		return nil, err
	}
	if b.dir, err = tempDir(b.root); err != nil {
		return nil, err
	}
	if err := b.prepare(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// prepare builds with all CPUs, then moves to the driver's.
func (b *bench) prepare() (err error) {
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "djauthy")
		if err := b.compile(); err != nil {
			return err
		}
	}
	if b.build, err = fingerprint(b.binary); err != nil {
		return err
	}
	b.self = filepath.Join(b.dir, "standin")
	if err := copySelf(b.self); err != nil {
		return err
	}
	if b.sink, err = openSink(); err != nil {
		return err
	}
	if b.serverCPU, b.oneCPU, err = pinDriver(); err != nil {
		return err
	}
	return b.measureSizes()
}

// compile builds djauthy as it is released.
func (b *bench) compile() error {
	b.say("building djauthy")
	cmd := exec.CommandContext(b.ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", b.binary, "./cmd/djauthy")
	cmd.Dir, cmd.Stderr = b.root, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build djauthy: %w", err)
	}
	return nil
}

func (b *bench) close() error {
	if b.sink != nil {
		b.sink.close()
	}
	return os.RemoveAll(b.dir)
}

// say tells the person who waits what is going on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0fs %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// measure takes all rows that were asked for, keeps each as soon as it is
// done, and reports them. A row that fails does not keep the others back.
func (b *bench) measure() error {
	kept, err := openKept(filepath.Join(b.root, ".cache", "bench", "results.json"))
	if err != nil {
		return err
	}
	var done []*result
	var failures error
	for _, r := range rows() {
		res, err := b.row(r, kept)
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if err != nil {
			b.say("  failed")
			failures = errors.Join(failures, fmt.Errorf("%s: %w", r.name, err))
		}
		if res != nil {
			failures = errors.Join(failures, res.failure())
			done = append(done, res)
		}
	}
	return errors.Join(failures, b.report(done))
}

// row measures one row, or finds it among those that are kept. It returns nil
// for a row that was not asked for or cannot be measured here.
func (b *bench) row(r row, kept *kept) (*result, error) {
	old := kept.Results[r.name]
	switch {
	case b.only != nil && !b.only.MatchString(r.name):
		return nil, nil
	case b.options.report || b.only == nil && (r.long && !b.full || b.full && b.isDone(old)):
		return old, nil
	}
	b.say("%s", r.name)
	res, err := r.run(b)
	if err := b.clean(); err != nil {
		return nil, err
	}
	if err != nil || res == nil {
		return nil, err
	}
	res.Row, res.Build, res.Taken = r.name, b.build, time.Now().UTC().Truncate(time.Second)
	res.Rounds, res.Part = b.rounds, b.part
	return res, kept.put(res)
}

// isDone says whether a kept row need not be measured again.
func (b *bench) isDone(r *result) bool {
	return r != nil && r.Build == b.build && r.Rounds == b.rounds && r.Part == b.part && !b.fresh
}

// clean removes the databases of a row: some are large.
func (b *bench) clean() error {
	dirs, err := filepath.Glob(filepath.Join(b.dir, runPrefix+"*"))
	for _, d := range dirs {
		err = errors.Join(err, os.RemoveAll(d))
	}
	return err
}

// findRoot walks up to the directory of go.mod.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run this inside the checkout of djauthy: no go.mod here or above")
		}
		dir = filepath.Dir(dir)
	}
}

// tempDir is a directory on a disk: a file system in memory would make every
// commit free.
func tempDir(root string) (string, error) {
	base := os.TempDir()
	if fileSystem(base) == "tmpfs" {
		base = filepath.Join(root, ".cache", "bench")
		if err := os.MkdirAll(base, 0o700); err != nil {
			return "", err
		}
	}
	return os.MkdirTemp(base, "djauthy-bench-")
}

const runPrefix = "run-"

// subdir makes a fresh directory for one server.
func (b *bench) subdir() (string, error) { return os.MkdirTemp(b.dir, runPrefix) }

func fingerprint(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

func copySelf(to string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(exe)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o700)
}
