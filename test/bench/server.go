package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is djauthy or the stand-in, running.
type server struct {
	*process
	name string
	addr string
	file string // the database, if it is SQLite's
	// others is the CPU time of what works for the server in processes of its
	// own, such as PostgreSQL.
	others func() (time.Duration, error)
}

func (s *server) cpu() (time.Duration, error) {
	own, err := cpuTime(s.pid())
	if err != nil || s.others == nil {
		return own, err
	}
	rest, err := s.others()
	return own + rest, err
}

// program says how one of the two is started.
type program struct {
	name  string
	file  string // the database in its directory
	start func(dir, addr string, extra ...string) *exec.Cmd
}

// djauthy is the server under test. All limits are lifted: every browser of
// the bench comes from one address.
func (b *bench) djauthy() program {
	return program{"djauthy", "djauthy.db", func(dir, addr string, extra ...string) *exec.Cmd {
		cmd := exec.Command(b.binary, "serve")
		_, port, _ := net.SplitHostPort(addr)
		cmd.Env = append(cleanEnv(),
			"DJAUTHY_LISTEN="+addr, "DJAUTHY_PUBLIC_URL=http://localhost:"+port,
			"DJAUTHY_DATABASE=sqlite:"+filepath.Join(dir, "djauthy.db"),
			"DJAUTHY_EMAIL_HOST=127.0.0.1", "DJAUTHY_EMAIL_PORT="+strconv.Itoa(b.sink.port()), "DJAUTHY_EMAIL_TLS=none",
			"DJAUTHY_LIMITS_SEND_PER_IP=1000000000/15m", "DJAUTHY_LIMITS_SEND_PER_ID=1000000000/15m",
			"DJAUTHY_LIMITS_SEND_PER_ID_PREFIX=1000000000/15m", "DJAUTHY_LIMITS_TRIES_PER_ID=1000000000/1h",
			"DJAUTHY_LOG_LEVEL=warn")
		cmd.Env = append(cmd.Env, extra...)
		return cmd
	}}
}

// standin is this very program under another name: a copy, for the kernel
// would share the pages of one file between driver and stand-in, and the
// stand-in would look smaller than it is.
func (b *bench) standin() program {
	return program{"stand-in", "standin.db", func(dir, addr string, extra ...string) *exec.Cmd {
		cmd := exec.Command(b.self, "standin", "-listen", addr, "-db", filepath.Join(dir, "standin.db"), "-smtp", strconv.Itoa(b.sink.port()), "-sizes", b.sizes.String())
		cmd.Args = append(cmd.Args, extra...)
		cmd.Env = cleanEnv()
		return cmd
	}}
}

// cleanEnv is the environment without settings of djauthy. Two Go processors
// even on one CPU: with one, nobody can queue for a commit while the disk
// works, and every commit has one row.
func cleanEnv() []string {
	env := []string{"GOMAXPROCS=2"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "DJAUTHY_") && !strings.HasPrefix(e, "GO") {
			env = append(env, e)
		}
	}
	return env
}

// start runs a program on a directory of its own and returns once it answers.
func (b *bench) start(p program, dir string, extra ...string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := p.start(dir, addr, extra...)
	cmd.Dir = dir
	proc, err := launch(b.serverCPU, filepath.Join(dir, "log"), cmd)
	if err != nil {
		return nil, err
	}
	s := &server{process: proc, name: p.name, addr: addr, file: filepath.Join(dir, p.file)}
	if err := s.awaitAnswer(b.ctx); err != nil {
		return nil, errors.Join(err, proc.stop())
	}
	return s, nil
}

// commands runs djauthy's commands on a directory, one after the other.
func (b *bench) commands(dir string, extra []string, all ...[]string) error {
	for _, args := range all {
		cmd := exec.CommandContext(b.ctx, b.binary, args...)
		cmd.Dir = dir
		cmd.Env = append(b.djauthy().start(dir, "127.0.0.1:1").Env, extra...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", args, err, out)
		}
	}
	return nil
}

func (s *server) awaitAnswer(ctx context.Context) error {
	deadline := time.Now().Add(time.Minute)
	for s.running() && time.Now().Before(deadline) && ctx.Err() == nil {
		if status, err := get(s.addr, "/healthz"); err == nil && status == 200 {
			return nil
		}
		time.Sleep(200 * time.Microsecond)
	}
	return errors.Join(ctx.Err(), fmt.Errorf("%s does not answer; it said: %s", s.name, s.words()))
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
