package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// cluster is a PostgreSQL server and where a bench may work in it.
type cluster struct {
	url   string
	proc  *process // nil: not ours
	clean func() error
}

// openCluster uses the server of DJAUTHY_TEST_POSTGRES, or starts Debian's in
// a directory of its own, durable as shipped. It returns nil if there is
// neither.
func (b *bench) openCluster() (*cluster, error) {
	if given := os.Getenv("DJAUTHY_TEST_POSTGRES"); given != "" {
		c, err := schemaIn(given)
		if !errors.Is(err, errNotDurable) {
			return c, err
		}
		b.say("  %v", err)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return b.startCluster(found[len(found)-1])
}

var (
	errNotDurable = errors.New("the server of DJAUTHY_TEST_POSTGRES has fsync off and is not measured")
	errElsewhere  = errors.New("no process of PostgreSQL on this machine, so its CPU time cannot be counted")
)

// schemaIn makes a schema for this run in a server that is not ours.
func schemaIn(given string) (*cluster, error) {
	db, err := sql.Open("pgx", given)
	if err != nil {
		return nil, err
	}
	var fsync string
	if err := db.QueryRow("SHOW fsync").Scan(&fsync); err != nil {
		return nil, errors.Join(fmt.Errorf("reach DJAUTHY_TEST_POSTGRES: %w", err), db.Close())
	}
	if fsync != "on" {
		return nil, errors.Join(errNotDurable, db.Close())
	}
	name := "bench_" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	if _, err := db.Exec("CREATE SCHEMA " + name); err != nil {
		return nil, errors.Join(fmt.Errorf("make a schema in DJAUTHY_TEST_POSTGRES: %w", err), db.Close())
	}
	u, err := url.Parse(given)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return &cluster{url: u.String(), clean: func() error {
		_, err := db.Exec("DROP SCHEMA " + name + " CASCADE")
		return errors.Join(err, db.Close())
	}}, nil
}

func (b *bench) startCluster(bin string) (*cluster, error) {
	dir, err := b.subdir()
	if err != nil {
		return nil, err
	}
	owner, err := clusterOwner(b.dir, dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := owner(exec.CommandContext(b.ctx, filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"))
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	cmd := owner(exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-c", "listen_addresses="+host, "-c", "port="+port, "-c", "unix_socket_directories="+dir))
	proc, err := launch(b.serverCPU, filepath.Join(b.dir, "postgres.log"), cmd)
	if err != nil {
		return nil, err
	}
	c := &cluster{url: "postgres://postgres@" + addr + "/postgres?sslmode=disable", proc: proc, clean: proc.stop}
	if err := c.await(b.ctx); err != nil {
		return nil, errors.Join(err, c.clean())
	}
	return c, nil
}

// clusterOwner makes commands run as user postgres when we are root, for
// PostgreSQL refuses root; parent and dir become readable to it.
func clusterOwner(parent, dir string) (func(*exec.Cmd) *exec.Cmd, error) {
	if os.Getuid() != 0 {
		return func(cmd *exec.Cmd) *exec.Cmd { cmd.Dir = dir; return cmd }, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(parent, 0o711), os.Chown(dir, uid, gid)); err != nil {
		return nil, err
	}
	return func(cmd *exec.Cmd) *exec.Cmd {
		asUser(cmd, uid, gid)
		cmd.Dir = dir
		return cmd
	}, nil
}

func (c *cluster) await(ctx context.Context) error {
	db, err := sql.Open("pgx", c.url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	deadline := time.Now().Add(30 * time.Second)
	for err = db.PingContext(ctx); err != nil && time.Now().Before(deadline) && c.proc.running(); err = db.PingContext(ctx) {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("PostgreSQL does not answer: %w; it said: %s", err, c.proc.words())
	}
	return nil
}

// cpu is the CPU time of all PostgreSQL processes, those that have ended
// included. Of a server that is not ours all processes of that name count.
func (c *cluster) cpu() (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, file := range stats {
		p, ok := readStat(file)
		if !ok || p.name != "postgres" || c.proc != nil && p.pid != c.proc.pid() && p.parent != c.proc.pid() {
			continue
		}
		t, err := cpuTime(p.pid)
		if err != nil {
			continue // it has ended since
		}
		sum += t
		if c.proc != nil && p.pid == c.proc.pid() {
			sum += p.ended
		}
	}
	if sum == 0 {
		return 0, errElsewhere
	}
	return sum, nil
}

// stat is what the bench needs of /proc/PID/stat (proc(5)).
type stat struct {
	pid, parent int
	name        string
	ended       time.Duration // CPU time of children that were waited for
}

func readStat(file string) (s stat, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return s, false
	}
	// The name may hold blanks and parentheses.
	i, j := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	if i < 0 || j < i {
		return s, false
	}
	s.name = string(text[i+1 : j])
	fields := strings.Fields(string(text[j+1:]))
	if len(fields) < 15 {
		return s, false
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs
	s.pid, _ = strconv.Atoi(strings.TrimSpace(string(text[:i])))
	s.parent, _ = strconv.Atoi(fields[1])
	user, _ := strconv.Atoi(fields[13])
	system, _ := strconv.Atoi(fields[14])
	s.ended = time.Duration(user+system) * tick
	return s, true
}
