package proxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// proxied is a proxy as docs/sites.md configures it, with djauthy and two apps behind it.
type proxied struct {
	site          *program.Site
	mail          *program.Sink
	grafana, wiki *app
	kind          string // nginx, caddy or traefik
	port          string // of the proxy
	listen        string // of djauthy
}

// eachProxied runs a test with each of the documented proxies.
func eachProxied(t *testing.T, test func(t *testing.T, f *proxied), settings ...string) {
	for _, kind := range []string{"nginx", "caddy", "traefik"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, openProxied(t, kind, settings...))
		})
	}
}

// openProxied opens a proxy with all that the page says: the settings, the commands, the
// proxy's configuration.
func openProxied(t *testing.T, kind string, settings ...string) *proxied {
	t.Helper()
	ports, err := program.Ports(2)
	must(t, err)
	f := &proxied{
		mail: program.OpenSink(t, program.SinkOptions{}), grafana: openApp(t), wiki: openApp(t), kind: kind,
		port: fmt.Sprint(ports[0]), listen: fmt.Sprintf("127.0.0.1:%d", ports[1]),
	}
	dir := t.TempDir()
	f.site = program.New(t, binary, append(f.mail.Settings(), "LISTEN="+f.listen, "CONFIG="+f.write(t, dir, "djauthy.toml", f.example(t, "toml", "public_url")))...)
	f.site.Set(append([]string{"LIMITS_SEND_PER_ID=1000/1h", "LIMITS_SEND_PER_IP=1000/1h", "LIMITS_SEND_PER_ID_PREFIX=1000/1h"}, settings...)...)
	f.site.Start(t)
	for _, command := range f.commands(t) {
		out, errs, code := f.site.Run(t, command...)
		if asksForMore := strings.Contains(out, `"passkey"`); code != 0 || asksForMore != strings.HasSuffix(command[len(command)-1], "/admin") {
			t.Fatalf("djauthy %v: exit %d\n%s%s", command, code, out, errs)
		}
	}
	f.configure(t, dir)
	f.await(t)
	return f
}

// app is the app of a site.
func (f *proxied) app(name string) *app {
	return map[string]*app{"grafana": f.grafana, "wiki": f.wiki}[name]
}

// host is the host of a site, or of djauthy, with the proxy's port.
func (f *proxied) host(name string) string { return name + ".test:" + f.port }

// example is the example of docs/sites.md in a language that has a word in it, with the
// addresses of this test.
func (f *proxied) example(t *testing.T, language, word string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/sites.md"))
	must(t, err)
	var all []string
	for _, block := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(text, -1) {
		if strings.Contains(string(block[1]), word) {
			all = append(all, string(block[1]))
		}
	}
	if len(all) != 1 {
		t.Fatalf("docs/sites.md has %d examples in %s with %s, want 1", len(all), language, word)
	}
	return strings.NewReplacer(
		".example.org:443", ".test:"+f.port, "https://login.example.org", "https://"+f.host("login"), "https://grafana.example.org", "https://"+f.host("grafana"), "https://wiki.example.org", "https://"+f.host("wiki"),
		"127.0.0.1:8080", f.listen, "127.0.0.1:3000", strings.TrimPrefix(f.grafana.url, "http://"), "127.0.0.1:4000", strings.TrimPrefix(f.wiki.url, "http://"),
		"listen 443 ssl;", "listen 127.0.0.1:"+f.port+" ssl;", "ann@example.org", ann,
	).Replace(all[0])
}

// ann is the person of the example.
const ann = "ann@people.example"

func (f *proxied) write(t *testing.T, dir, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// commands are the commands of the page, without djauthy at their beginning.
func (f *proxied) commands(t *testing.T) (all [][]string) {
	t.Helper()
	for line := range strings.Lines(f.example(t, "sh", "levels set") + f.example(t, "sh", "levels explain")) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "djauthy "); ok {
			all = append(all, strings.Fields(rest))
		}
	}
	return all
}

// configure starts the proxy.
func (f *proxied) configure(t *testing.T, dir string) {
	t.Helper()
	certificate, key := certificates(t)
	pem, keyFile := f.write(t, dir, "site.pem", certificate), f.write(t, dir, "site.key", key)
	hosts := strings.NewReplacer(".example.org {", ".test:"+f.port+" {\n\tbind 127.0.0.1\n\ttls "+pem+" "+keyFile, ".example.org;", ".test;", ".example.org`", ".test`",
		"/etc/ssl/example.org.pem", pem, "/etc/ssl/example.org.key", keyFile, "/etc/nginx/djauthy-site.conf;", filepath.Join(dir, "djauthy-site.conf")+";")
	switch f.kind {
	case "nginx":
		f.write(t, dir, "djauthy-site.conf", f.example(t, "nginx", "# /etc/nginx/djauthy-site.conf"))
		startNginx(t, hosts.Replace(f.example(t, "nginx", "# /etc/nginx/conf.d/djauthy.conf")))
	case "caddy":
		startCaddy(t, hosts.Replace(f.example(t, "caddy", "(djauthy)")))
	case "traefik":
		startTraefik(t, "127.0.0.1:"+f.port, hosts.Replace(f.example(t, "toml", "forwardAuth")), pem, keyFile)
	}
}

// await waits until djauthy answers through the proxy.
func (f *proxied) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	p := f.person(t)
	for {
		if a, err := p.try(ctx, http.MethodGet, "login", "/healthz", ""); err == nil && a.status == http.StatusOK {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("djauthy does not answer through the proxy within 30 s")
		}
	}
}

// certificates are a certificate for all hosts of the tests and its key, in PEM.
func certificates(t *testing.T) (certificate, key string) {
	t.Helper()
	made, err := makeCertificates()
	must(t, err)
	return made[0], made[1]
}

var makeCertificates = sync.OnceValues(func() (out [2]string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return out, err
	}
	names := []string{"login.test", "grafana.test", "wiki.test"}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return out, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	out[0] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	out[1] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return out, err
})
