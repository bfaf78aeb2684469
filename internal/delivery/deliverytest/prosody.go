package deliverytest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// Prosody is the Jabber server prosody.
type Prosody struct {
	JabberHost
	cmd *exec.Cmd
	out *bytes.Buffer
}

// OpenProsody starts a server with accounts of the given names, all with one password.
func OpenProsody(t *testing.T, accounts ...string) *Prosody {
	t.Helper()
	p := &Prosody{JabberHost: newJabberHost(t)}
	settings := fmt.Sprintf(`
run_as_root = true
daemonize = false
pidfile = "%[1]s/pid"
data_path = "%[1]s"
interfaces = { "127.0.0.1" }
c2s_ports = { %[2]d }
component_ports = { %[3]d }
component_interfaces = { "127.0.0.1" }
s2s_ports = {}
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "offline" }
modules_disabled = { "s2s" }
authentication = "internal_hashed"
c2s_require_encryption = true
allow_registration = false
log = { { levels = { min = "info" }, to = "console" } }
VirtualHost "localhost"
	ssl = { key = "%[1]s/key.pem", certificate = "%[1]s/cert.pem" }
Component "login.localhost"
	component_secret = "%[4]s"
`, p.dir, p.port, p.component, Secret)
	dbtest.Check(t, os.WriteFile(filepath.Join(p.dir, "prosody.cfg.lua"), []byte(settings), 0o600))
	for _, name := range accounts {
		out, err := exec.Command("prosodyctl", "--config", p.file(), "register", name, "localhost", Secret).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	p.Start(t)
	t.Cleanup(func() { p.Stop(syscall.SIGKILL) })
	return p
}

func (p *Prosody) file() string { return filepath.Join(p.dir, "prosody.cfg.lua") }

// Start starts it and waits until it listens.
func (p *Prosody) Start(t *testing.T) {
	t.Helper()
	p.out = &bytes.Buffer{}
	p.cmd = exec.Command("prosody", "-F", "--config", p.file())
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	dbtest.Check(t, p.cmd.Start())
	for _, port := range []int{p.port, p.component} {
		awaitPort(t, port)
	}
}

// Stop ends it by a signal.
func (p *Prosody) Stop(with syscall.Signal) {
	_ = p.cmd.Process.Signal(with)
	_ = p.cmd.Wait()
}
