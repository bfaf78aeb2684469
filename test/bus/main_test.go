package bus_test

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/totp"
	"github.com/djauthy/djauthy/test/broker"
	"github.com/djauthy/djauthy/test/program"
)

var (
	binary program.Binary
	rabbit broker.Broker
)

func TestMain(m *testing.M) {
	os.Exit(program.Main(&binary, func() int { return broker.Main(&rabbit, m.Run) }))
}

// limit is how long may take what nothing holds up, on a machine that has much
// to do.
const limit = 30 * time.Second

// place is a djauthy on the bus, under a service name of its own, with its apps.
type place struct {
	*program.Site
	name string
	shop app // trusted
	lab  app // not trusted
	door app // not trusted, and of another user
}

// prepare makes a place that is not started yet.
func prepare(t *testing.T, settings ...string) *place {
	t.Helper()
	name := "otp-" + strings.ToLower(rand.Text()[:10])
	return furnish(t, name, append([]string{"BUS_SERVICES=" + name}, settings...)...)
}

// furnish makes a place that answers to this name.
func furnish(t *testing.T, name string, settings ...string) *place {
	t.Helper()
	p := &place{name: name, Site: program.New(t, binary, "BUS_URL="+rabbit.URL(t))}
	p.Set(settings...)
	if _, stderr, code := p.Run(t, "migrate"); code != 0 {
		t.Fatalf("migrate: %d\n%s", code, stderr)
	}
	p.shop = p.addApp(t, "ann", "shop", "--trusted")
	p.lab = p.addApp(t, "ann", "lab")
	p.door = p.addApp(t, "ben", "door")
	return p
}

// open starts a place and waits until it is on the bus.
func open(t *testing.T, settings ...string) *place {
	t.Helper()
	p := prepare(t, settings...)
	p.Start(t)
	p.awaitReady(t, http.StatusOK)
	return p
}

// awaitReady waits until /readyz answers so, and until the counters say the same.
func (p *place) awaitReady(t *testing.T, status int) {
	t.Helper()
	connected := "djauthy_bus_connected 0"
	if status == http.StatusOK {
		connected = "djauthy_bus_connected 1"
	}
	await(t, "/readyz answers "+strconv.Itoa(status), func() bool {
		got, _ := p.get(t, "/readyz")
		_, counters := p.get(t, "/metrics")
		return got == status && strings.Contains(counters, connected)
	})
}

func (p *place) get(t *testing.T, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// counts are the messages so far by what became of them.
func (p *place) counts(t *testing.T) map[string]int {
	t.Helper()
	_, text := p.get(t, "/metrics")
	all := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^djauthy_bus_messages_total\{outcome="(\w+)"\} (\d+)$`).FindAllStringSubmatch(text, -1) {
		all[m[1]], _ = strconv.Atoi(m[2])
	}
	return all
}

// awaitCount waits until so many messages had an outcome.
func (p *place) awaitCount(t *testing.T, outcome string, n int) {
	t.Helper()
	await(t, strconv.Itoa(n)+" messages are "+outcome, func() bool { return p.counts(t)[outcome] >= n })
}

// app is what an app of the first generation holds.
type app struct {
	UUID string `json:"appuuid"`
	Seed string `json:"seed"`
}

func (p *place) addApp(t *testing.T, user, name string, more ...string) app {
	t.Helper()
	stdout, stderr, code := p.Run(t, append([]string{"services", "add-app", "--username", user, "--appname", name}, more...)...)
	var a app
	if err := json.Unmarshal([]byte(stdout), &a); code != 0 || err != nil || a.UUID == "" || a.Seed == "" {
		t.Fatalf("services add-app: %d, %v\n%s%s", code, err, stdout, stderr)
	}
	return a
}

// token is the app's of this moment.
func (a app) token(t testing.TB) string {
	t.Helper()
	seed, err := totp.ParseSeed(a.Seed)
	if err != nil {
		t.Fatal(err)
	}
	return totp.Code(seed, totp.Step(time.Now()))
}

// wrong is a token that the app does not have within ten minutes.
func (a app) wrong(t testing.TB) string {
	t.Helper()
	seed, err := totp.ParseSeed(a.Seed)
	if err != nil {
		t.Fatal(err)
	}
	for n := 123456; ; n++ {
		token := strconv.Itoa(n)
		if _, ok := totp.Match(seed, token, time.Now(), 20); !ok {
			return token
		}
	}
}

// await waits for what cannot be waited for otherwise.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !so(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
