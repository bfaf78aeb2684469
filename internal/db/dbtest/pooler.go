package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Pooler returns the address of an empty PostgreSQL database behind a pgbouncer that
// hands each transaction to one of two connections, until the test ends.
func Pooler(t testing.TB) string {
	t.Helper()
	base := os.Getenv("DJAUTHY_TEST_POSTGRES")
	if base == "" {
		return URL(t, "postgres") // which skips, or fails in CI
	}
	server, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	name := database(t, base)
	dir, err := os.MkdirTemp("", "djauthy-pooler-") // a test's own folder is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user has to read it
		t.Fatal(err)
	}
	port := freePort(t)
	ini := fmt.Sprintf("[databases]\n%s = host=%s port=%s user=%s\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nunix_socket_dir=\nauth_type=any\npool_mode=transaction\ndefault_pool_size=2\nmax_client_conn=200\n",
		name, server.Hostname(), server.Port(), server.User.Username(), port)
	path := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(path, []byte(ini), 0o644); err != nil { //nolint:gosec // another user has to read it
		t.Fatal(err)
	}
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	bouncer(t, path, at)
	return "postgres://" + server.User.Username() + "@" + at + "/" + name + "?sslmode=disable"
}

// database makes an empty database.
func database(t testing.TB, base string) string {
	t.Helper()
	root, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatal(err)
	}
	name := "d_" + strings.ToLower(rand.Text())
	if _, err := root.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := root.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		_ = root.Close()
	})
	return name
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// bouncer runs pgbouncer, which refuses to be root, and waits until it answers.
func bouncer(t testing.TB, ini, at string) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	c := exec.Command(program, ini)
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, "postgres")}
	}
	var log strings.Builder
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		t.Logf("pgbouncer: %v", <-ended)
	})
	for range 500 {
		if conn, err := net.DialTimeout("tcp", at, time.Second); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("pgbouncer ended: %v\n%s", err, log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("pgbouncer does not answer")
}

func credential(t testing.TB, name string) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
