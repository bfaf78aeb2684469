package mail_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// domain is where Postfix delivers, to these people.
const (
	domain = "people.example"
	people = "ann@people.example ann/\nben@people.example ben/\ncleo@people.example cleo/\n"
)

// postfix is a Postfix of this test alone: its settings, queue and mailboxes
// lie in one directory, and nothing in /etc/postfix is read or changed.
type postfix struct {
	maildirs
	dir                string
	starttls, implicit int // ports
}

// Every service runs without chroot, as the queue has no copy of /etc.
const master = `127.0.0.1:%d inet n - n - - smtpd
127.0.0.1:%d inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
`

// main.cf: mail is taken over TLS only, for one domain, and each address gets
// a maildir of its name.
const settings = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file_prefixes = %[1]s
maillog_file = %[1]s/log
myhostname = mail.people.example
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
alias_maps =
alias_database =
smtputf8_enable = yes
virtual_transport = virtual
virtual_mailbox_domains = %[2]s
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = texthash:%[1]s/etc/people
virtual_uid_maps = static:%[3]s
virtual_gid_maps = static:%[4]s
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = %[5]s
smtpd_tls_key_file = %[6]s
smtpd_relay_restrictions = reject_unauth_destination
default_transport = error:nothing leaves this test
`

// startPostfix starts Postfix with a certificate until the test ends.
func startPostfix(t *testing.T, cert, key string, more ...string) *postfix {
	t.Helper()
	command := program.Need(t, "postfix")
	if os.Getuid() != 0 {
		program.Missing(t, "Postfix starts as root only")
	}
	owner, err := user.Lookup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	// Postfix's own user has to reach it, which a t.TempDir does not allow.
	dir, err := os.MkdirTemp("", "djauthy-postfix-")
	if err != nil {
		t.Fatal(err)
	}
	p := &postfix{maildirs: maildirs(filepath.Join(dir, "mail")), dir: dir, starttls: program.Port(t), implicit: program.Port(t)}
	t.Cleanup(func() { p.stop(t) })
	p.furnish(t, owner, cert, key, more)
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	// It returns when the master process, which goes on in the background,
	// has told whether it runs.
	start := exec.Command(command, "-c", filepath.Join(dir, "etc"), "start")
	start.Stdout, start.Stderr = out, out
	if err := start.Run(); err != nil {
		t.Fatalf("Postfix does not start: %v\n%s", err, p.said())
	}
	awaitGreeting(t, p.starttls, p.said)
	return p
}

func (p *postfix) furnish(t *testing.T, owner *user.User, cert, key string, more []string) {
	t.Helper()
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		t.Fatal(err)
	}
	// Mail is delivered as its user; the uid must not be root's.
	for dir, who := range map[string]int{"": 0, "etc": 0, "queue": 0, "data": uid, "mail": uid} {
		path := filepath.Join(p.dir, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, who, -1); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"etc/main.cf":   fmt.Sprintf(settings, p.dir, domain, owner.Uid, owner.Gid, cert, key) + strings.Join(more, "\n") + "\n",
		"etc/master.cf": fmt.Sprintf(master, p.starttls, p.implicit),
		"etc/people":    people,
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *postfix) said() string {
	var all strings.Builder
	for _, name := range []string{"out", "log"} {
		if text, err := os.ReadFile(filepath.Join(p.dir, name)); err == nil {
			all.Write(text)
		}
	}
	return all.String()
}

// stop ends the master process by its id; the others end with it.
func (p *postfix) stop(t *testing.T) {
	if pid := p.pid(); pid != 0 {
		err := syscall.Kill(pid, syscall.SIGTERM)
		for deadline := time.Now().Add(10 * time.Second); err == nil; err = syscall.Kill(pid, 0) {
			if time.Now().After(deadline) {
				t.Error("Postfix did not end within ten seconds")
				_ = syscall.Kill(pid, syscall.SIGKILL)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if t.Failed() {
		t.Logf("Postfix said:\n%s", p.said())
	}
	if err := os.RemoveAll(p.dir); err != nil {
		t.Error(err)
	}
}

// pid is the master process's id, 0 if it never ran.
func (p *postfix) pid() int {
	text, err := os.ReadFile(filepath.Join(p.dir, "queue", "pid", "master.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// settings lead a site to this Postfix.
func (p *postfix) settings(how string) []string {
	port := p.starttls
	if how == "implicit" {
		port = p.implicit
	}
	return []string{"EMAIL_HOST=localhost", "EMAIL_PORT=" + strconv.Itoa(port), "EMAIL_TLS=" + how, "EMAIL_FROM=Example <noreply@site.example>"}
}
