// Package program runs the real djauthy for tests from outside: it builds the
// binary, starts and ends processes, and gives them a mail server whose
// messages the test can read. It knows djauthy's command line, settings and log, and,
// for Visitor, the pages and cookies of a sign-in.
package program

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startLimit is how long a start may take on a machine that has much to do.
const startLimit = 30 * time.Second

// Binary is the path of a built djauthy.
type Binary string

// Main is for TestMain: it builds djauthy, runs the tests with it and returns
// their exit code.
func Main(b *Binary, run func() int) int {
	dir, err := os.MkdirTemp("", "djauthy-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if *b, err = Build(filepath.Join(dir, "djauthy")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run()
}

// sources are what djauthy is built from, as directories of the module.
var sources = []string{"cmd", "internal", "templates", "static"}

// readSources makes `go test` run a test again when a source has changed: it keeps
// results by the files which the test itself has read since it began, and the compiler
// reads these before that and in another process.
func readSources(t testing.TB) {
	t.Helper()
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range sources {
		// To read a directory is to depend on the names, sizes and times of its files.
		err := filepath.WalkDir(filepath.Join(strings.TrimSpace(string(module)), dir), func(_ string, _ os.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Build builds djauthy at path as the release is built: without cgo. Flags are
// those of go build.
func Build(path string, flags ...string) (Binary, error) {
	args := append([]string{"build", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, "github.com/djauthy/djauthy/cmd/djauthy")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build djauthy: %w\n%s", err, out)
	}
	return Binary(path), nil
}

// Need ends the test if a program is not installed: a failure where CI is set,
// which has installed all of them, else a skip. It returns the program's path.
func Need(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				return path
			}
		}
	}
	Missing(t, fmt.Sprintf("%s is not installed; test/deps installs it", names[0]))
	return ""
}

// Python is Need for a Python that has these modules: that of the path, or
// Debian's own, whose packages another Python does not see.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import "+strings.Join(modules, ",")).Run() == nil {
			return python
		}
	}
	Missing(t, fmt.Sprintf("there is no python3 with %s; test/deps installs it", strings.Join(modules, " and ")))
	return ""
}

// Missing ends a test that cannot run here: a failure where CI is set, else a
// skip.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// Port returns a free port below those that the system gives to outgoing
// connections, so that a server that is started again finds it free again.
func Port(t testing.TB) int {
	t.Helper()
	ports, err := Ports(1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}

// Ports is Port for a program that is no test, and for several, all different.
func Ports(n int) (ports []int, err error) {
	for range 200 {
		port := 10000 + rand.IntN(22000)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil || slices.Contains(ports, port) {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("no free port found")
}

// Site is a djauthy with its settings and its data, running or not.
type Site struct {
	URL string // as people call it
	Dir string // its working directory; the database is data/djauthy.db in it

	bin     Binary
	environ []string

	process *Process
	errors  []string // what every process so far wrote to standard error
}

// New prepares a site of its own on a free port. Settings are environment
// variables without DJAUTHY_: "EXPIRY_TIME_EMAIL=1m".
func New(t testing.TB, b Binary, settings ...string) *Site {
	t.Helper()
	readSources(t)
	port := Port(t)
	s := &Site{URL: "http://localhost:" + strconv.Itoa(port), Dir: t.TempDir(), bin: b}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "DJAUTHY_") {
			s.environ = append(s.environ, pair)
		}
	}
	s.Set("LISTEN=127.0.0.1:" + strconv.Itoa(port))
	s.Set(settings...)
	t.Cleanup(func() {
		if s.process != nil {
			s.Stop(t)
		}
		if t.Failed() {
			t.Logf("standard error of djauthy:\n%s", last(notable(s.Errors()), 6000))
		}
	})
	return s
}

// Start is New and Start in one.
func Start(t testing.TB, b Binary, settings ...string) *Site {
	t.Helper()
	s := New(t, b, settings...)
	s.Start(t)
	return s
}

// Set changes settings from the next start on.
func (s *Site) Set(settings ...string) {
	for _, pair := range settings {
		s.environ = append(s.environ, "DJAUTHY_"+pair)
	}
}

// Env sets a variable of the environment that is no setting.
func (s *Site) Env(pairs ...string) { s.environ = append(s.environ, pairs...) }

// Start starts the server and returns when it says that it answers.
func (s *Site) Start(t testing.TB) {
	t.Helper()
	p, err := launch(s.command(context.Background()))
	if err != nil {
		t.Fatal(err)
	}
	s.process = p
	select {
	case <-p.answers:
	case <-p.ended:
		t.Fatalf("djauthy ended at its start: %v\n%s", p.err, p.stderr.String())
	case <-time.After(startLimit):
		t.Fatalf("djauthy did not answer within %s:\n%s", startLimit, p.stderr.String())
	}
}

// PID is the process id of the running server.
func (s *Site) PID() int { return s.process.cmd.Process.Pid }

// Stop asks the server to end, as an operator does, and requires that it ends
// well and that it never panicked.
func (s *Site) Stop(t testing.TB) {
	t.Helper()
	p := s.process
	s.process = nil
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which is told below
	select {
	case <-p.ended:
	case <-time.After(startLimit):
		_ = p.cmd.Process.Kill()
		<-p.ended
		t.Errorf("djauthy did not end within %s of SIGTERM", startLimit)
	}
	s.keep(t, p)
	if p.err != nil {
		t.Errorf("djauthy ended with: %v\n%s", p.err, last(p.stderr.String(), 2000))
	}
}

// Kill ends the server as a power failure does, if it has not ended itself,
// which is a fault.
func (s *Site) Kill(t testing.TB) {
	t.Helper()
	p := s.process
	s.process = nil
	select {
	case <-p.ended:
		t.Errorf("djauthy ended by itself: %v\n%s", p.err, last(p.stderr.String(), 2000))
	default:
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	s.keep(t, p)
}

func (s *Site) keep(t testing.TB, p *Process) {
	t.Helper()
	text := p.stderr.String()
	s.errors = append(s.errors, text)
	for _, bad := range []string{"panic:", "fatal error:", "DATA RACE", "goroutine "} {
		if strings.Contains(text, bad) {
			t.Errorf("djauthy wrote %q to standard error:\n%s", bad, last(text, 4000))
		}
	}
}

// Errors is what all processes of the site wrote to standard error so far.
func (s *Site) Errors() string {
	all := strings.Join(s.errors, "")
	if s.process != nil {
		all += s.process.stderr.String()
	}
	return all
}

// Run runs one command of djauthy beside the server and returns its outputs
// and exit code.
func (s *Site) Run(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := s.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Shell runs a script in the site's directory, in which djauthy is the program of the site, and
// returns all that it prints. It ends the test if a line of it fails.
func (s *Site) Shell(t testing.TB, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := s.command(ctx)
	at := cmd.Path
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-ec", `djauthy() { "$BINARY" "$@"; }` + "\n" + script}
	cmd.Env = append(cmd.Env, "BINARY="+at)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	return string(out)
}

func (s *Site) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, string(s.bin), args...)
	cmd.Dir, cmd.Env = s.Dir, s.environ
	return cmd
}

// Database is the path of the site's SQLite file.
func (s *Site) Database() string { return filepath.Join(s.Dir, "data", "djauthy.db") }

// Process is one running server.
type Process struct {
	cmd     *exec.Cmd
	stderr  safeBuffer
	answers chan struct{} // closed when the log says that it answers
	ended   chan struct{}
	err     error // how it ended, once ended is closed
}

func launch(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, answers: make(chan struct{}), ended: make(chan struct{})}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.follow(pipe)
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// follow keeps what the process says and looks for the line that it answers.
func (p *Process) follow(r io.Reader) {
	said := false
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		p.stderr.add(line)
		if !said && strings.Contains(line, `"msg":"djauthy answers"`) {
			said = true
			close(p.answers)
		}
		if err != nil {
			return
		}
	}
}

type safeBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuffer) add(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.WriteString(s)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
