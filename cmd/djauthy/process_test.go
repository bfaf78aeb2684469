package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is djauthy as a program of its own.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *book
	ended          chan struct{}
}

// launch runs the program with nothing in its environment but settings.
func launch(t testing.TB, dir string, environ []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{exec.CommandContext(context.Background(), self, args...), &book{}, &book{}, make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{asProgram + "=1", "PATH=" + os.Getenv("PATH")}, environ...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	return p
}

// exit waits for the end and returns the exit code, -1 if it came too late.
func (p *process) exit(within time.Duration) int {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		return -1
	}
}

// daemon is a server in a process of its own, with a site to speak to it.
func daemon(t testing.TB, settings ...string) (*process, *site) {
	t.Helper()
	dir, mail := t.TempDir(), openInbox()
	t.Cleanup(mail.close)
	environ, values := settle(dir, mail, settings)
	p := launch(t, dir, environ)
	return p, siteOf(t, p, values, environ, mail)
}

func siteOf(t testing.TB, p *process, values map[string]string, environ []string, mail *inbox) *site {
	t.Helper()
	s := &site{addr: values["DJAUTHY_LISTEN"], environ: environ, mail: mail, out: p.stderr, clock: &clock{}}
	_, port, _ := strings.Cut(s.addr, ":")
	s.public = mustURL("http://localhost:" + port)
	ended := make(chan int, 1)
	go func() { <-p.ended; ended <- p.cmd.ProcessState.ExitCode() }()
	if err := s.awake(ended); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSIGTERMAnswersWhatIsUnderWayAndExits0(t *testing.T) {
	t.Parallel()
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		p, s := daemon(t)
		idle := s.browser(t)
		idle.get("/login") // a kept connection that is idle
		s.raw(t)           // one on which nothing ever came
		half := s.raw(t)   // and one that stops within its header
		half.write("GET /login HTTP/1.1\r\nHost: lo")
		id := anID()
		body := form("id", id)
		r := s.raw(t)
		r.write(fmt.Sprintf("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", formKind, len(body)))
		r.write(body[:5])
		time.Sleep(200 * time.Millisecond) // until the server reads it
		begun := time.Now()
		if err := p.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		s.await(t, "the server takes no new request", func() bool {
			return strings.Contains(p.stderr.String(), "stopping")
		})
		time.Sleep(300 * time.Millisecond)
		r.write(body[5:])
		if statuses, _ := r.answers(5 * time.Second); len(statuses) != 1 || statuses[0] != http.StatusSeeOther {
			t.Errorf("%v: the request under way was answered %v, want 303", sig, statuses)
		} else {
			s.mail.next(t, id) // accepted, so it is sent
		}
		if code := p.exit(12*time.Second - time.Since(begun)); code != 0 {
			t.Errorf("%v: exit code %d after %s, want 0 within 12 s\n%s", sig, code, time.Since(begun), p.stderr)
		}
		t.Logf("%v: ended after %s", sig, time.Since(begun).Round(time.Millisecond))
	}
}

func TestSIGHUPAndABrokenPipeDoNotEndTheServer(t *testing.T) {
	t.Parallel()
	p, s := daemon(t)
	for range 3 {
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	s.await(t, "the log tells of it", func() bool { return strings.Contains(p.stderr.String(), "SIGHUP is ignored") })
	if err := p.cmd.Process.Signal(syscall.SIGPIPE); err != nil {
		t.Fatal(err)
	}
	s.browser(t).signIn(anID())
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(12 * time.Second); code != exitOK {
		t.Errorf("exit code %d\n%s", code, p.stderr)
	}
}

func TestWithNoSettingsItRunsOnSQLiteUnderDataWithTheLocalMailbox(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, dir, nil)
	mail := openInbox()
	defer mail.close()
	if strings.Contains(waitFor(p, "already listens"), "already listens") {
		t.Skip("port 8080 is taken on this machine")
	}
	s := siteOf(t, p, map[string]string{"DJAUTHY_LISTEN": "127.0.0.1:8080"}, nil, mail)
	b, id := s.browser(t), anID()
	b.post("/login", "id", id).want(t, http.StatusSeeOther, "/login/code")
	s.await(t, "the message is in the mailbox", func() bool { return strings.Contains(b.get("/mailbox").body, id) })
	s.await(t, "it is on the terminal", func() bool { return strings.Contains(p.stdout.String(), "To: "+id) })
	if !firstLine.MatchString(p.stderr.String()) {
		t.Errorf("no line for the first administrator:\n%s", p.stderr)
	}
	for name, mode := range map[string]os.FileMode{"data": 0o700, "data/djauthy.db": 0o600, "data/secret.key": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want %o", name, info, err, mode)
		}
	}
	// Beside it, with the same settings.
	for _, args := range [][]string{{"health"}, {"users", "list"}, {"check"}, {"sweep"}} {
		if q := launch(t, dir, nil, args...); q.exit(20*time.Second) != 0 {
			t.Errorf("djauthy %v: %s%s", args, q.stdout, q.stderr)
		}
	}
}

// waitFor waits a moment for a word on stderr or for the server's answer.
func waitFor(p *process, word string) string {
	for range 100 {
		if text := p.stderr.String(); strings.Contains(text, word) || strings.Contains(text, "answers") {
			return text
		}
		time.Sleep(20 * time.Millisecond)
	}
	return p.stderr.String()
}

func TestTheMailboxIsForWhoSitsAtThisMachineAlone(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_EMAIL_HOST=")
	b := s.browser(t)
	b.get("/mailbox").want(t, http.StatusOK, "")
	_, port, _ := strings.Cut(s.addr, ":")
	for _, host := range []string{"127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port} {
		b.do(http.MethodGet, "/mailbox", "", "", map[string]string{"Host": host}).want(t, http.StatusOK, "")
	}
	for _, host := range []string{"evil.example", "localhost.evil.example", "127.0.0.1.evil.example:" + port, "192.0.2.1", "evil.example:localhost", "0.0.0.0"} {
		if a := b.do(http.MethodGet, "/mailbox", "", "", map[string]string{"Host": host}); a.status != http.StatusNotFound && a.status != http.StatusBadRequest {
			t.Errorf("/mailbox answers %d to the host %s, want 404", a.status, host)
		}
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via", "X-Forwarded-Prefix", "X-Forwarded-Scheme"} {
		if a := b.do(http.MethodGet, "/mailbox", "", "", map[string]string{name: "localhost"}); a.status != http.StatusNotFound {
			t.Errorf("/mailbox answers %d through a proxy that sends %s, want 404", a.status, name)
		}
	}
	// An empty one is a header, too.
	r := s.raw(t)
	r.write("GET /mailbox HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For:\r\nConnection: close\r\n\r\n")
	if statuses, _ := r.answers(5 * time.Second); len(statuses) != 1 || statuses[0] != http.StatusNotFound {
		t.Errorf("/mailbox answers %v to an empty X-Forwarded-For, want 404", statuses)
	}
	for _, setting := range []string{"DJAUTHY_TRUSTED_PROXIES=127.0.0.1/32"} {
		other := start(t, "DJAUTHY_EMAIL_HOST=", setting)
		other.browser(t).get("/mailbox").want(t, http.StatusNotFound, "")
	}
	shared(t).browser(t).get("/mailbox").want(t, http.StatusNotFound, "")
}

// Row 62: kill at any moment; what was acknowledged is there.
func TestAKilledServerComesBackWithEverythingItAcknowledged(t *testing.T) {
	t.Parallel()
	dir, mail := t.TempDir(), openInbox()
	t.Cleanup(mail.close)
	environ, values := settle(dir, mail, nil)
	for range 3 {
		p := launch(t, dir, environ)
		s := siteOf(t, p, values, environ, mail)
		b, _ := s.person(t)
		w := s.browser(t)
		w.post("/login", "id", anID()).want(t, http.StatusSeeOther, "/login/code")
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-p.ended
		p = launch(t, dir, environ)
		s2 := siteOf(t, p, values, environ, mail)
		b2, w2 := s2.browser(t), s2.browser(t)
		b2.cookies, w2.cookies = b.cookies, w.cookies
		if !b2.in() {
			t.Fatal("an acknowledged sign-in was lost")
		}
		w2.get("/login/code").want(t, http.StatusOK, "")
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		if code := p.exit(12 * time.Second); code != 0 {
			t.Fatalf("exit code %d\n%s", code, p.stderr)
		}
	}
}
