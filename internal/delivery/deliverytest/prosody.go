package deliverytest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
)

// Prosody is a Jabber server of a test: the host localhost, its component
// login.localhost, and accounts.
type Prosody struct {
	CA              []byte // of its certificate
	dir             string
	port, component int
	cmd             *exec.Cmd
	out             *bytes.Buffer
}

// Secret is the password of all accounts and the component's.
const Secret = "hunter2-hunter2"

// OpenProsody starts a server with accounts of the given names, all with one password.
func OpenProsody(t *testing.T, accounts ...string) *Prosody {
	t.Helper()
	p := &Prosody{dir: t.TempDir(), port: freePort(t), component: freePort(t)}
	dbtest.Check(t, os.Chmod(p.dir, 0o755)) //nolint:gosec // a folder of a test
	key, cert := SelfSigned(t, "localhost")
	p.CA = cert
	dbtest.Check(t, os.WriteFile(filepath.Join(p.dir, "cert.pem"), cert, 0o600))
	dbtest.Check(t, os.WriteFile(filepath.Join(p.dir, "key.pem"), key, 0o600))
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

func awaitPort(t *testing.T, port int) {
	t.Helper()
	for deadline := time.Now().Add(Patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("prosody does not listen: %v", err)
		}
	}
}

// Stop ends it by a signal.
func (p *Prosody) Stop(with syscall.Signal) {
	_ = p.cmd.Process.Signal(with)
	_ = p.cmd.Wait()
}

// Client is how to reach it as login@localhost.
func (p *Prosody) Client() delivery.Jabber {
	return delivery.Jabber{ID: "login@localhost", Secret: Secret, Server: fmt.Sprintf("127.0.0.1:%d", p.port), CA: p.CA}
}

// AsComponent is how to reach it as its component.
func (p *Prosody) AsComponent() delivery.Jabber {
	return delivery.Jabber{ID: "login.localhost", Secret: Secret, Server: fmt.Sprintf("127.0.0.1:%d", p.component)}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	dbtest.Check(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// SelfSigned is a key and a certificate that vouches for itself.
func SelfSigned(t *testing.T, host string) (key, cert []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	dbtest.Check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	dbtest.Check(t, err)
	encoded, err := x509.MarshalECPrivateKey(private)
	dbtest.Check(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// receiver is ann@localhost in slixmpp, which prints each message that it gets.
const receiver = `
import asyncio, ssl, sys, json, slixmpp
class Ann(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__("ann@localhost", sys.argv[2])
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("message", self.got)
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
    async def begin(self, _):
        self.send_presence()
        await self.get_roster()
        print(json.dumps({"here": True}), flush=True)
    def got(self, m):
        print(json.dumps({"id": m["id"], "from": str(m["from"].bare), "type": m["type"], "subject": m["subject"], "body": m["body"]}), flush=True)
ann = Ann()
ann.connect(("127.0.0.1", int(sys.argv[1])))
ann.process(forever=True)
`

// Chat is a message as its receiver sees it.
type Chat struct {
	Here                          bool
	ID, From, Type, Subject, Body string
}

// Listen signs ann in and returns what arrives.
func (p *Prosody) Listen(t *testing.T) <-chan Chat {
	t.Helper()
	return Lines[Chat](t, exec.Command("/usr/bin/python3", "-c", receiver, fmt.Sprint(p.port), Secret))
}
