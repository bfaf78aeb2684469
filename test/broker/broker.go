// Package broker runs a RabbitMQ for the tests of one package: the installed
// server with files, ports, a node name and a port mapper of its own, so that no
// other broker of the machine is touched. It knows nothing of djauthy.
package broker

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// startLimit is how long a start may take on a machine that has much to do, and
// endLimit an end.
const (
	startLimit = 4 * time.Minute
	endLimit   = 30 * time.Second
)

// Broker is a RabbitMQ, which is started when the first test asks for it.
type Broker struct {
	mu     sync.Mutex
	dir    string // "" until then
	port   int
	home   []string // the environment of all its programs
	mapper *process
	server *process // nil while stopped
}

// Main is for TestMain: it runs the tests, ends the broker if one of them has
// started it, and returns their exit code.
func Main(b *Broker, run func() int) int {
	code := run()
	if err := b.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "end RabbitMQ:", err)
		return 1
	}
	return code
}

// URL is where the broker is, which is started if it is not there yet. Without
// RabbitMQ the test ends: see program.Missing.
func (b *Broker) URL(t testing.TB) string {
	t.Helper()
	url, err := b.Open()
	if errors.Is(err, exec.ErrNotFound) {
		program.Missing(t, err.Error()+"; test/deps installs it")
	} else if err != nil {
		t.Fatal(err)
	}
	return url
}

// Open is URL for a program that is no test. Without RabbitMQ the error is
// exec.ErrNotFound.
func (b *Broker) Open() (url string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		err = b.furnish()
	}
	if err == nil && b.server == nil {
		err = b.start()
	}
	return fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", b.port), err
}

// Address is the host and port of the URL.
func (b *Broker) Address(t testing.TB) string {
	t.Helper()
	b.URL(t)
	return "127.0.0.1:" + strconv.Itoa(b.port)
}

// Stop stops the broker as an operator does; what is durable stays.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.server
	b.server = nil
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(endLimit):
		t.Errorf("RabbitMQ did not stop within %s", endLimit)
	}
	p.kill()
}

// Start starts the broker again where it was.
func (b *Broker) Start(t testing.TB) {
	t.Helper()
	b.URL(t)
}

// Ctl runs rabbitmqctl and returns what it prints, without headings.
func (b *Broker) Ctl(t testing.TB, args ...string) string {
	t.Helper()
	b.URL(t)
	ctl, err := script("rabbitmqctl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), ctl, append(args, "--quiet", "--no-table-headers")...)
	cmd.Env = b.home
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("rabbitmqctl %v: %v\n%s%s", args, err, &stdout, &stderr)
	}
	return stdout.String()
}

// script is the path of one of RabbitMQ's scripts. Debian's wrappers of the same
// name read and write in /var/lib/rabbitmq, as another user.
func script(name string) (string, error) {
	path := filepath.Join("/usr/lib/rabbitmq/bin", name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return exec.LookPath(name)
}

// furnish makes the broker's directory and starts its port mapper.
func (b *Broker) furnish() error {
	if _, err := script("rabbitmq-server"); err != nil {
		return err
	}
	mapper, err := exec.LookPath("epmd")
	if err != nil {
		return err
	}
	ports, err := program.Ports(3)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "djauthy-rabbitmq-")
	if err != nil {
		return err
	}
	b.dir, b.port = dir, ports[0]
	for name, text := range map[string]string{"rabbitmq.conf": conf, "advanced.config": "[].\n", "plugins": "[].\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	b.home = append(foreign(os.Environ()), b.environ(ports[1], ports[2])...)
	// Left to RabbitMQ, the mapper would be a daemon that outlives it.
	cmd := exec.Command(mapper)
	cmd.Env = b.home
	b.mapper, err = launch(cmd, "")
	return err
}

// conf lets the clients alone decide on heartbeats, and goes on when the disk of
// the machine is nearly full.
const conf = `heartbeat = 600
disk_free_limit.absolute = 1MB
num_acceptors.tcp = 2
`

// environ leads RabbitMQ's programs to the broker's own files and ports.
func (b *Broker) environ(mapper, peers int) []string {
	in := func(name string) string { return filepath.Join(b.dir, name) }
	return []string{
		"HOME=" + b.dir, // the cookie is made there
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_EPMD_PORT=" + strconv.Itoa(mapper),
		"RABBITMQ_NODENAME=" + filepath.Base(b.dir) + "@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		"RABBITMQ_NODE_PORT=" + strconv.Itoa(b.port),
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(peers),
		"RABBITMQ_MNESIA_BASE=" + in("data"),
		"RABBITMQ_LOG_BASE=" + in("log"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + in("plugins"),
		"RABBITMQ_CONFIG_FILE=" + in("rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + in("advanced.config"),
		"RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
	}
}

// foreign is an environment without what is meant for another broker.
func foreign(environ []string) (kept []string) {
	for _, pair := range environ {
		if !strings.HasPrefix(pair, "RABBITMQ_") && !strings.HasPrefix(pair, "ERL_") && !strings.HasPrefix(pair, "HOME=") {
			kept = append(kept, pair)
		}
	}
	return kept
}

func (b *Broker) start() error {
	server, err := script("rabbitmq-server")
	if err != nil {
		return err
	}
	cmd := exec.Command(server)
	cmd.Env, cmd.Dir = b.home, b.dir
	p, err := launch(cmd, "completed with")
	if err != nil {
		return err
	}
	select {
	case <-p.says:
		b.server = p
		return nil
	case <-p.ended:
	case <-time.After(startLimit):
	}
	p.kill()
	return fmt.Errorf("RabbitMQ does not start:\n%s", p.output())
}

// Close kills what runs, nobody needs the data any more, and removes the files.
func (b *Broker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		return nil
	}
	for _, p := range []*process{b.server, b.mapper} {
		if p != nil {
			p.kill()
		}
	}
	return errors.Join(b.clear(), os.RemoveAll(b.dir))
}

// clear waits until no program is left that was started with the broker's
// environment, and ends those that stay.
func (b *Broker) clear() error {
	for deadline := time.Now().Add(endLimit); ; {
		left := b.left()
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v are left", left)
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond) // of a stranger's end nobody is told
	}
}

// left are the processes whose environment names the broker's directory.
func (b *Broker) left() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		environ, _ := os.ReadFile(path) // it may have ended, or be another user's
		if pid, err := strconv.Atoi(strings.Split(path, "/")[2]); err == nil && bytes.Contains(environ, []byte("HOME="+b.dir+"\x00")) {
			pids = append(pids, pid)
		}
	}
	return pids
}
