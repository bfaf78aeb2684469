package mail_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// dovecotSettings: it checks passwords for Postfix and serves nothing else.
const dovecotSettings = `base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
auth_failure_delay = 0 secs
protocols =
ssl = no
auth_mechanisms = plain login scram-sha-1 scram-sha-256 cram-md5
passdb {
  driver = passwd-file
  args = %[1]s/people
}
service auth {
  unix_listener %[1]s/auth {
    mode = 0666
  }
}
`

// startDovecot starts a Dovecot of this test alone and returns where Postfix asks
// it about passwords.
func startDovecot(t *testing.T) (socket string) {
	t.Helper()
	command := program.Need(t, "dovecot")
	if os.Getuid() != 0 {
		program.Missing(t, "Dovecot starts as root only")
	}
	// Its users have to reach it, which a t.TempDir does not allow.
	dir, err := os.MkdirTemp("", "djauthy-dovecot-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"conf": fmt.Sprintf(dovecotSettings, dir), "people": "djauthy:{PLAIN}correct horse\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	daemon := exec.Command(command, "-F", "-c", filepath.Join(dir, "conf"))
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
		if text, err := os.ReadFile(filepath.Join(dir, "log")); t.Failed() {
			t.Logf("Dovecot said (%v):\n%s", err, text)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	socket = filepath.Join(dir, "auth")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return socket
		} else if time.Now().After(deadline) {
			t.Fatalf("Dovecot does not start: %v", err)
		}
	}
}

// By each way to log in that djauthy knows, against Dovecot's passwords.
func TestDovecotKnowsEachWayToLogIn(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.Files(t, "localhost")
	p := startPostfix(t, cert, key, "smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = dovecot", "smtpd_sasl_path = unix:"+startDovecot(t),
		"smtpd_tls_auth_only = yes", "smtpd_recipient_restrictions = permit_sasl_authenticated, reject")
	s := program.New(t, binary, append(p.settings("starttls"), "EMAIL_USERNAME=djauthy", "EMAIL_PASSWORD=correct horse")...)
	s.Env("SSL_CERT_FILE=" + a.File)
	s.Run(t, "migrate")
	for _, auth := range []string{"plain", "login", "scram-sha-1", "scram-sha-256", "cram-md5"} {
		s.Set("EMAIL_AUTH=" + auth)
		if text, ok := check(t, s, "--send", "ann@"+domain); !ok || !strings.Contains(text, "250 2.0.0 Ok: queued as ") {
			t.Errorf("%s:\n%s", auth, text)
		}
	}
	s.Set("EMAIL_PASSWORD=wrong", "EMAIL_AUTH=scram-sha-256")
	if text, ok := check(t, s); ok || !strings.Contains(text, "check email.username and email.password") || !strings.Contains(text, "535 5.7.8 Error: authentication failed") {
		t.Errorf("with a wrong password check prints\n%s", text)
	}
}
