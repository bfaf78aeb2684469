package ungleichotp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
	"github.com/djauthy/djauthy/internal/ungleichotp"
)

const site = "https://login.example.org"

// What clients of the wire know by heart.
const (
	statusOK       = `{"status":"OK"}`
	badCredentials = `{"detail":"Incorrect authentication credentials."}`
	notPermitted   = `{"detail":"You do not have permission to perform this action."}`
	notFound       = `{"detail":"Not found."}`
	notAcceptable  = `{"detail":"Could not satisfy the request Accept header."}`
	notUnique      = `{"non_field_errors":["The fields name, realm must make a unique set."]}`
	indexBody      = `{"ungleichotp":"` + site + `/ungleichotp/"}`
	page           = "a page for people"
)

const (
	verifyPath     = "/ungleichotp/verify/"
	collectionPath = "/ungleichotp/"
	rootPath       = "/"
)

const (
	jsonMedia = "application/json"
	formMedia = "application/x-www-form-urlencoded"
)

// rfcSeed is the key of RFC 6238's vectors, in base32.
const rfcSeed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// house is a server on a socket and what is below it.
type house struct {
	d       *db.DB
	clock   *dbtest.Clock
	s       *services.Service
	address string
	log     *journal
}

// run runs fn on every engine in a house with the settings' own defaults, or
// with those that are changed.
func run(t *testing.T, fn func(t *testing.T, h *house), change ...func(*services.Settings)) {
	t.Helper()
	t.Parallel()
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		cfg, _, err := config.Load("", nil, nil, os.ReadFile)
		check(t, err)
		settings := services.Settings{Window: cfg.OTP.Window, SingleUse: cfg.OTP.SingleUse}
		for _, f := range change {
			f(&settings)
		}
		h := &house{d: d, clock: c, log: &journal{}}
		h.furnish(t, settings)
		fn(t, h)
	})
}

// promise is a test that leaves a house as it was, but for a few wrong tokens.
type promise struct {
	name  string
	holds func(*testing.T, *house, cast)
}

// together runs promises in one house for each engine, since a house takes
// longer to build than most of them to keep.
func together(t *testing.T, all []promise) {
	t.Helper()
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		for _, p := range all {
			t.Run(p.name, func(t *testing.T) { p.holds(t, h, c) })
		}
	})
}

func (h *house) furnish(t testing.TB, settings services.Settings) {
	t.Helper()
	keys, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	check(t, err)
	log := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: timeless}))
	h.s = services.New(h.d, keys, settings, log)
	front, err := door.New(door.Options{
		PublicURL: site, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: log,
		Observe: func(string, string, int, time.Duration) {},
	})
	check(t, err)
	(&ungleichotp.Server{Services: h.s, PublicURL: site, Log: log}).Open(front)
	front.App.All("/", func(c *fiber.Ctx) error { return c.SendString(page) })
	h.open(t, front)
}

// timeless leaves out of the log what a clock writes, among whose digits there
// may be anything.
func timeless(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "took" {
		return slog.Attr{}
	}
	return a
}

// open lets the door answer on a socket until the test ends. By then nothing
// may have gone wrong behind it, unless the test said so.
func (h *house) open(t testing.TB, front *door.Door) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	h.address = l.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := front.Serve(l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		front.Shutdown(l, 10*time.Second)
		wg.Wait()
		if text := h.log.text(); !h.log.troubled && strings.Contains(text, `"level":"ERROR"`) {
			t.Errorf("something went wrong behind the door:\n%s", errorsIn(text))
		}
	})
}

func errorsIn(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"level":"ERROR"`) && b.Len() < 4000 {
			b.WriteString(line)
		}
	}
	return b.String()
}

// journal keeps the log.
type journal struct {
	troubled bool // the test makes something go wrong

	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(p)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

// setClock moves the clock to a moment, in steps where that is further away than
// a duration is long.
func (h *house) setClock(at time.Time) {
	for !h.clock.Now().Equal(at) {
		h.clock.Advance(at.Sub(h.clock.Now()))
	}
}

func (h *house) update(t testing.TB, fn func(tx *db.Tx) error) {
	t.Helper()
	check(t, h.d.Update(t.Context(), fn))
}

func (h *house) count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	check(t, h.d.View(t.Context(), func(tx *db.Tx) error { return tx.Get(query, args...).Scan(&n) }))
	return n
}

// who is a micro service.
type who struct {
	services.Entry
	h *house
}

// add makes an entry with a random seed.
func (h *house) add(t testing.TB, name, realm string) who {
	t.Helper()
	return h.draft(t, services.Draft{Name: name, Realm: realm})
}

func (h *house) draft(t testing.TB, d services.Draft) who {
	t.Helper()
	w := who{h: h}
	h.update(t, func(tx *db.Tx) (err error) {
		w.Entry, err = h.s.Add(tx, d, noClient())
		return err
	})
	return w
}

// noClient is who works at the server itself.
func noClient() audit.By { return audit.By{Actor: audit.Command} }

// cast is one service of each kind of realm.
type cast struct{ admin, auth, shop who }

func (h *house) cast(t testing.TB) cast {
	t.Helper()
	return cast{h.add(t, "root", services.AdminRealm), h.add(t, "gate", services.AuthRealm), h.add(t, "till", "shop")}
}

// token is the service's token so many steps from now.
func (w who) token(steps int) string {
	seed, err := totp.ParseSeed(w.Seed)
	if err != nil {
		panic(err)
	}
	return totp.Code(seed, totp.Step(w.h.clock.Now())+int64(steps))
}

// wrong is a token that is not the service's at any step near now.
func (w who) wrong() string {
	near := map[string]bool{}
	for steps := -10; steps <= 10; steps++ {
		near[w.token(steps)] = true
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !near[code] {
			return code
		}
	}
}

func (w who) path() string { return fmt.Sprintf("/ungleichotp/%d/", w.ID) }

// shown is the service as the wire shows it.
func (w who) shown() string { return shown(w.ID, w.Name, w.Realm, w.Seed) }

func shown(id services.ID, name, realm, seed string) string {
	return fmt.Sprintf(`{"id":%d,"name":"%s","realm":"%s","seed":"%s"}`, id, name, realm, seed)
}

// fields are a body. A value is a string, or literal for any JSON.
type fields map[string]any

type literal = json.RawMessage

// with returns the fields and more, which win.
func (f fields) with(more ...fields) fields {
	all := maps.Clone(f)
	for _, m := range more {
		maps.Copy(all, m)
	}
	return all
}

func (f fields) without(names ...string) fields {
	all := maps.Clone(f)
	for _, name := range names {
		delete(all, name)
	}
	return all
}

func triple(prefix string, name, realm, token string) fields {
	return fields{prefix + "name": name, prefix + "realm": realm, prefix + "token": token}
}

// g2 and g4 are the service as the caller; verifying and claim the service as
// the one that is verified, in the same two generations.
func (w who) g2() fields        { return triple("", w.Name, w.Realm, w.token(0)) }
func (w who) g4() fields        { return triple("auth_", w.Name, w.Realm, w.token(0)) }
func (w who) verifying() fields { return triple("verify", w.Name, w.Realm, w.token(0)) }
func (w who) claim() fields     { return triple("", w.Name, w.Realm, w.token(0)) }

// shape is one of the two ways to write a request down.
type shape struct {
	name           string
	caller, claim  func(who) fields
	ours, theirs   string // what their keys begin with
	changesEntries bool
}

func shapes() []shape {
	return []shape{
		{"G2", who.g2, who.verifying, "", "verify", false},
		{"G4", who.g4, who.claim, "auth_", "", true},
	}
}

// verify asks by a caller about another.
func (s shape) verify(by, of who) fields { return s.caller(by).with(s.claim(of)) }

func check(t testing.TB, err error) {
	t.Helper()
	dbtest.Check(t, err)
}
