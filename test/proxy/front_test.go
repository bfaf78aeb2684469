package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// root is the module's, as seen from here.
const root = "../.."

// documented are the configurations to be tried: the page, the language of its
// example, and the paths to the app: for who is signed in and, if it has one, for
// everybody.
var documented = []struct {
	page, language string
	paths          []string
}{
	{"docs/proxies.md", "nginx", []string{"/app/", "/public/"}},
	{"docs/proxies.md", "caddy", []string{"/app/", "/public/"}},
	{"README.md", "caddy", []string{"/app/"}},
}

// front is a proxy with djauthy and an app behind it.
type front struct {
	site *program.Site
	mail *program.Sink
	app  *app
	host string // of the proxy: localhost and its port

	paths []string
}

// eachFront runs a test with each documented configuration.
func eachFront(t *testing.T, test func(t *testing.T, f *front), settings ...string) {
	for _, d := range documented {
		t.Run(d.page+" "+d.language, func(t *testing.T) {
			t.Parallel()
			f := openFront(t, d.page, d.language, settings...)
			f.paths = d.paths
			test(t, f)
		})
	}
}

func openFront(t *testing.T, page, language string, settings ...string) *front {
	t.Helper()
	ports, err := program.Ports(2)
	must(t, err)
	f := &front{mail: program.OpenSink(t, program.SinkOptions{}), app: openApp(t), host: fmt.Sprintf("localhost:%d", ports[0])}
	f.site = program.New(t, binary, append(f.mail.Settings(), "PUBLIC_URL=http://"+f.host, "TRUSTED_PROXIES=127.0.0.1/32", fmt.Sprintf("LISTEN=127.0.0.1:%d", ports[1]))...)
	f.site.Set(settings...)
	f.site.Start(t)
	config := example(t, page, language,
		"http://127.0.0.1:8080", fmt.Sprintf("http://127.0.0.1:%d", ports[1]), "http://127.0.0.1:9000", f.app.url,
		" 127.0.0.1:8080", fmt.Sprintf(" 127.0.0.1:%d", ports[1]), " 127.0.0.1:9000", " "+strings.TrimPrefix(f.app.url, "http://"),
		"listen 443 ssl;", fmt.Sprintf("listen 127.0.0.1:%d;", ports[0]), "server_name login.example.org;", "server_name localhost;",
		"login.example.org {", "http://"+f.host+" {\n\tbind 127.0.0.1")
	if language == "nginx" {
		startNginx(t, config)
	} else {
		startCaddy(t, config)
	}
	f.await(t)
	return f
}

// example is the one example of a page in a language, with some of its text
// replaced. Where it is, nothing of the originals stays.
func example(t *testing.T, page, language string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	must(t, err)
	found := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(text, -1)
	if len(found) != 1 {
		t.Fatalf("%s has %d examples in %s, want 1", page, len(found), language)
	}
	out := strings.NewReplacer(replace...).Replace(string(found[0][1]))
	if left := original.FindString(out); left != "" {
		t.Fatalf("%s, %s: %s is not replaced:\n%s", page, language, left, out)
	}
	return out
}

// original matches what examples have in place of a test's own. Ports count whole: one of a
// test may be 44371.
var original = regexp.MustCompile(`\b(8080|9000|443)\b|example\.org`)

func startNginx(t *testing.T, config string) {
	t.Helper()
	dir := t.TempDir()
	var temp strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	// One process, so that it needs no other user and ends when it is told to.
	text := fmt.Sprintf("daemon off;\nmaster_process off;\npid %s/pid;\nerror_log stderr;\nevents { }\nhttp {\naccess_log off;\n%s%s}\n", dir, temp.String(), config)
	path := filepath.Join(dir, "nginx.conf")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	run(t, dir, program.Need(t, "nginx"), "-c", path, "-e", "stderr")
}

func startCaddy(t *testing.T, config string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "Caddyfile")
	must(t, os.WriteFile(path, []byte("{\n\tadmin off\n\tauto_https off\n}\n"+config), 0o600))
	run(t, dir, program.Need(t, "caddy"), "run", "--config", path, "--adapter", "caddyfile")
}

// run runs a program until the test ends. What it writes is shown if the test
// fails.
func run(t *testing.T, dir, path string, args ...string) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var out book
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which its output tells
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(path), out.String())
		}
	})
}

// book keeps what a program writes.
type book struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await waits until djauthy answers through the proxy.
func (f *front) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.host+"/healthz", nil)
		must(t, err)
		r.Close = true
		if answer, err := http.DefaultClient.Do(r); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("djauthy does not answer through the proxy within 30 s")
		}
	}
}

// app is what stands behind the proxy. It keeps what it was sent.
type app struct {
	url  string
	away string // where /app/away redirects to, another origin

	mu   sync.Mutex
	last request
}

// request is what the app was sent, as it came over the wire.
type request struct {
	target string
	header http.Header
	body   string
}

func openApp(t *testing.T) *app {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	a := &app{url: "http://" + l.Addr().String()}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		header := r.Header.Clone()
		header.Set("Host", r.Host)
		body, _ := io.ReadAll(r.Body) // of a visitor who went away: what there is
		a.last = request{r.RequestURI, header, string(body)}
		switch {
		case r.URL.Path == "/app/away":
			http.Redirect(w, r, a.away, http.StatusFound)
		case r.Header.Get("Upgrade") != "" && strings.EqualFold(r.Header.Get("Connection"), "Upgrade") && r.ProtoAtLeast(1, 1): // RFC 6455 4.2.1
			echo(w, r.Header.Get("Upgrade"))
		}
	})}
	go func() { _ = server.Serve(l) }() // it ends with the test
	t.Cleanup(func() { _ = server.Close() })
	return a
}

// echo speaks another protocol from here on, and says back what it is told.
func echo(w http.ResponseWriter, protocol string) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", protocol)
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	go func() {
		defer func() { _ = conn.Close() }()
		_, _ = io.Copy(conn, buf) // until the visitor ends it
	}()
}

// taken returns the last request and forgets it; ok is false if there was none.
func (a *app) taken() (r request, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, a.last = a.last, request{}
	return r, r.target != ""
}
