package deliverytest

import (
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
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
)

// JabberHost is a Jabber server of a test: the host localhost, its component
// login.localhost, and accounts.
type JabberHost struct {
	CA              []byte // of its certificate
	dir             string
	port, component int
}

// Secret is the password of all accounts and the component's.
const Secret = "hunter2-hunter2"

// newJabberHost makes a folder with a certificate, cert.pem and key.pem, and finds ports.
func newJabberHost(t *testing.T) JabberHost {
	t.Helper()
	h := JabberHost{dir: t.TempDir(), port: freePort(t), component: freePort(t)}
	var key []byte
	key, h.CA = SelfSigned(t, "localhost")
	dbtest.Check(t, os.WriteFile(filepath.Join(h.dir, "cert.pem"), h.CA, 0o600))
	dbtest.Check(t, os.WriteFile(filepath.Join(h.dir, "key.pem"), key, 0o600))
	return h
}

// Client is how to reach it as login@localhost.
func (h *JabberHost) Client() delivery.Jabber {
	return delivery.Jabber{ID: "login@localhost", Secret: Secret, Server: fmt.Sprintf("127.0.0.1:%d", h.port), CA: h.CA}
}

// AsComponent is how to reach it as its component.
func (h *JabberHost) AsComponent() delivery.Jabber {
	return delivery.Jabber{ID: "login.localhost", Secret: Secret, Server: fmt.Sprintf("127.0.0.1:%d", h.component)}
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
        super().__init__(sys.argv[3], sys.argv[2])
        self.register_plugin("xep_0070")
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("message", self.got)
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
    async def begin(self, _):
        self.send_presence()
        await self.get_roster()
        print(json.dumps({"here": True}), flush=True)
    def got(self, m):
        asked = m["confirm"]["id"] # XEP-0070, as the library reads it
        print(json.dumps({"id": m["id"], "from": str(m["from"].bare), "type": m["type"], "subject": m["subject"], "body": m["body"], "full": str(m["from"]),
            "confirm": asked, "url": m["confirm"]["url"]}), flush=True)
        answer = "<message id='%s' to='%s' type='%%s'><confirm xmlns='http://jabber.org/protocol/http-auth' id='%s' method='GET' url='%s'/>%%s</message>" % (m["id"], m["from"], asked, m["confirm"]["url"])
        if asked and self.boundjid.resource == "yes":
            self.send_raw(answer % ("normal", ""))
        if asked and self.boundjid.resource == "no":
            self.send_raw(answer % ("error", "<error code='401' type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"))
        if self.boundjid.resource == "\u1100": # asks back, from an address that not everybody takes
            self.send_raw("<iq type='get' id='x' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % m["from"])
ann = Ann()
ann.connect(("127.0.0.1", int(sys.argv[1])))
ann.process(forever=True)
`

// Chat is a message as its receiver sees it.
type Chat struct {
	Here                          bool
	ID, From, Type, Subject, Body string
	Full                          string // From with its resource
	Confirm, URL                  string // of a question (XEP-0070)
}

// Listen signs ann in and returns what arrives.
func (h *JabberHost) Listen(t *testing.T) <-chan Chat {
	t.Helper()
	return h.ListenAs(t, "ann@localhost")
}

// ListenAs is Listen for somebody else. With the resource U+1100 they ask back at each
// message, with the resource yes or no they answer questions.
func (h *JabberHost) ListenAs(t *testing.T, id string) <-chan Chat {
	t.Helper()
	return Lines[Chat](t, exec.Command("/usr/bin/python3", "-c", receiver, fmt.Sprint(h.port), Secret, id))
}

// awaitPort waits until a server listens.
func awaitPort(t *testing.T, port int) {
	t.Helper()
	Until(t, "the Jabber server does not listen", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}
