package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// Row 62.
func TestRow62_ALockedDatabaseAnswers503AndRecovers(t *testing.T) {
	t.Parallel()
	dir, mail := t.TempDir(), openInbox()
	t.Cleanup(mail.close)
	s := startWith(t, dir, mail)
	person, _ := s.person(t)
	lock, err := sql.Open("sqlite", filepath.Join(dir, "d.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	lock.SetMaxOpenConns(1)
	if _, err := lock.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	b, id := s.browser(t), anID()
	a := b.post("/login", "id", id)
	down(t, "locked", a)
	s.await(t, "readyz says that nothing can be written", func() bool {
		return s.browser(t).get("/readyz").status == http.StatusServiceUnavailable
	})
	t.Logf("answered %d after %s", a.status, time.Since(before))
	if !person.in() {
		t.Error("a locked database cannot be read")
	}
	if _, err := lock.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	b.signIn(anID())
	s.await(t, "readyz says that all is well", func() bool { return s.browser(t).get("/readyz").status == http.StatusOK })
	if letters, _ := mail.to(id); len(letters) != 0 {
		t.Error("the refused ask sent a message")
	}
}

// down wants the page that says that a part does not answer.
func down(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "We are not ready") {
		t.Errorf("%s: answered %d, Retry-After %q, want 503: %s", what, a.status, a.header.Get("Retry-After"), seen(a.body))
	}
}

// Row 62.
func TestRow62_ADatabaseThatIsGoneAnswers503AndRecovers(t *testing.T) {
	t.Parallel()
	place := dbtest.URL(t, "postgres")
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	wire := newWire(t, u.Host)
	u.Host = wire.addr()
	s := start(t, "DJAUTHY_DATABASE="+u.String())
	person, _ := s.person(t)
	b := s.browser(t)
	l := b.ask(anID())
	s.sent(t)
	wire.cut()
	down(t, "session", person.get("/account"))
	down(t, "ask", s.browser(t).post("/login", "id", anID()))
	down(t, "code", b.submit(l.code()))
	down(t, "ready", b.get("/readyz"))
	b.get("/healthz").want(t, http.StatusOK, "")
	b.get("/login").want(t, http.StatusOK, "")
	if t.Failed() {
		t.Logf("the log:\n%s", s.out)
	}
	wire.mend()
	s.await(t, "the database answers", func() bool { return b.get("/readyz").status == http.StatusOK })
	b.submit(l.code()).want(t, http.StatusSeeOther, "/account")
	if !person.in() {
		t.Error("the session was lost")
	}
}

// wire passes bytes to a server until it is cut.
type wire struct {
	l     net.Listener
	to    string
	mu    sync.Mutex
	off   bool
	conns []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{l: l, to: to}
	t.Cleanup(func() { _ = l.Close(); w.cut() })
	go w.serve()
	return w
}

func (w *wire) addr() string { return w.l.Addr().String() }
func (w *wire) mend()        { w.mu.Lock(); defer w.mu.Unlock(); w.off = false }

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.off = true
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

func (w *wire) serve() {
	for {
		in, err := w.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", w.to)
		w.mu.Lock()
		if w.off || err != nil {
			_ = in.Close()
			w.mu.Unlock()
			continue
		}
		w.conns = append(w.conns, in, out)
		w.mu.Unlock()
		go pipe(in, out)
		go pipe(out, in)
	}
}

func pipe(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// smallDisk mounts a file system of a few MB, for root alone.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", megabytes), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small disk: %s", out)
	}
	t.Cleanup(func() { _ = exec.CommandContext(context.Background(), "umount", "-l", dir).Run() })
	return dir
}

// Row 62.
func TestRow62_AFullDiskAnswers503AndLosesNothing(t *testing.T) {
	t.Parallel()
	dir, mail := smallDisk(t, 16), openInbox()
	t.Cleanup(mail.close)
	s := startWith(t, dir, mail)
	person, id := s.person(t)
	person.get("/forward-auth").want(t, http.StatusOK, "") // which makes the signing key
	waiting := s.browser(t)
	l := waiting.ask(anID())
	s.sent(t)

	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for block := 1 << 16; block > 0; block /= 4 {
		for {
			if _, err := f.Write(make([]byte, block)); err != nil {
				break
			}
		}
	}
	_ = f.Close()
	// What the WAL has room for still goes; then it is 503 and stays so.
	var last answer
	accepted := map[string]bool{}
	for range 2000 {
		id := anID()
		last = s.browser(t).post("/login", "id", id)
		if last.status != http.StatusSeeOther {
			break
		}
		accepted[id] = true
	}
	down(t, "full disk", last)
	down(t, "full disk, again", s.browser(t).post("/login", "id", anID()))
	if !person.in() || person.get("/forward-auth").status != http.StatusOK {
		t.Error("a full disk ends sessions")
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err == nil {
		t.Logf("%d asks went before; %d blocks are free", len(accepted), stat.Bavail)
	}
	if out, errs, code := s.command("check"); code != exitFailed || !strings.Contains(out+errs, "full") {
		t.Errorf("check says of a full disk (exit %d): %s%s", code, out, errs)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	waiting.submit(l.code()).want(t, http.StatusSeeOther, "/account")
	for id := range accepted {
		s.mail.next(t, id)
	}
	s.browser(t).signIn(anID())
	if out := s.must(t, "users", "show", id); !strings.Contains(out, id) {
		t.Error("a user is gone")
	}
}
