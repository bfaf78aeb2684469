package docs_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/totp"
	"github.com/djauthy/djauthy/test/broker"
	"github.com/djauthy/djauthy/test/program"
)

// root is the module's, as seen from here.
const root = "../.."

var (
	binary program.Binary
	rabbit broker.Broker
)

func TestMain(m *testing.M) {
	os.Exit(program.Main(&binary, func() int { return broker.Main(&rabbit, m.Run) }))
}

// must ends a test that cannot go on.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seed makes tokens.
type seed string

func (s seed) token(t *testing.T) string {
	t.Helper()
	raw, err := totp.ParseSeed(string(s))
	must(t, err)
	return totp.Code(raw, totp.Step(time.Now()))
}

// wrong is the token of ten minutes ago, which no window reaches.
func (s seed) wrong(t *testing.T) string {
	t.Helper()
	raw, err := totp.ParseSeed(string(s))
	must(t, err)
	for step := totp.Step(time.Now()) - 20; ; step-- {
		token := totp.Code(raw, step)
		if _, right := totp.Match(raw, token, time.Now(), 10); !right {
			return token
		}
	}
}

// add runs a command that prints what it made as JSON.
func add(t *testing.T, s *program.Site, made any, args ...string) {
	t.Helper()
	stdout, stderr, code := s.Run(t, args...)
	if err := json.Unmarshal([]byte(stdout), made); code != 0 || err != nil {
		t.Fatalf("djauthy %v: %d, %v\n%s%s", args, code, err, stdout, stderr)
	}
}

// awaitReady waits until the site is on the bus.
func awaitReady(t *testing.T, s *program.Site) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/readyz", nil)
		must(t, err)
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("djauthy is not ready within 30 s")
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
