package crash_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the engines, to look into the databases
	_ "modernc.org/sqlite"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/test/program"
)

const browsers = 16

// drainLimit is how long promised messages may take after the last start: those
// of a killed process are taken up when its claim of 30 s ends.
const drainLimit = 45 * time.Second

func TestKilledOnSQLiteItKeepsItsPromises(t *testing.T) {
	t.Parallel()
	s := prepare(t, "DATABASE=sqlite:data/djauthy.db")
	d := open(t, "sqlite", "file:"+s.Database()+"?_pragma=busy_timeout(10000)")
	s.torment(t, d, 30)
	for _, pragma := range []string{"integrity_check", "foreign_key_check"} {
		rows := column(t, d, "PRAGMA "+pragma)
		if pragma == "integrity_check" && len(rows) == 1 && rows[0] == "ok" {
			rows = nil
		}
		if len(rows) > 0 {
			t.Errorf("PRAGMA %s: %v", pragma, rows)
		}
	}
	sound(t, d)
}

func TestKilledOnPostgreSQLItKeepsItsPromises(t *testing.T) {
	t.Parallel()
	if os.Getenv("DJAUTHY_TEST_POSTGRES") == "" {
		program.Missing(t, "DJAUTHY_TEST_POSTGRES is not set; `make test` sets it")
	}
	address := dbtest.URL(t, "postgres")
	s := prepare(t, "DATABASE="+address, "SECRET_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	d := open(t, "pgx", address)
	s.torment(t, d, 5)
	sound(t, d)
}

// house is a site under load with what it has promised.
type house struct {
	*program.Site
	mail *program.Sink
	*promises
}

func prepare(t *testing.T, settings ...string) *house {
	t.Helper()
	mail := program.OpenSink(t, program.SinkOptions{})
	// The limits are for strangers, and here all come from one address.
	settings = append(append(settings, mail.Settings()...), "LIMITS_SEND_PER_IP=1000000/15m", "BRAND_NAME=Example")
	return &house{program.New(t, binary, settings...), mail, &promises{sessions: map[string]string{}}}
}

// torment kills the server again and again while people sign in, and then
// calls in all it has promised. At the end the server is stopped.
func (h *house) torment(t *testing.T, d *sql.DB, kills int) {
	t.Helper()
	began := time.Now()
	h.Start(t)
	for range kills {
		h.live(t)
		h.Start(t)
	}
	lastStart := time.Now()

	h.mu.Lock()
	defer h.mu.Unlock()
	for i, fault := range h.faults {
		if t.Errorf("not explained by a crash: %s", fault); i == 20 {
			t.Fatalf("… and %d more", len(h.faults)-i)
		}
	}
	if len(h.sessions) < kills {
		t.Errorf("only %d sign-ins in all: that is no load", len(h.sessions))
	}
	v := newVisitor(h.URL)
	h.sessionsLive(t, v)
	late := h.messagesCame(t, lastStart.Add(drainLimit))
	h.lateCodesWork(t, v, late)
	awaitEmpty(t, d, lastStart.Add(drainLimit))
	if out, errs, code := h.Run(t, "check"); code != 0 {
		t.Errorf("after all that, check fails:\n%s%s", out, errs)
	}
	sent, _ := h.mail.Count()
	t.Logf("%d kills in %s: %d asks and %d sign-ins acknowledged, %d requests cut off, %d messages (%d late, %d doubled)",
		kills, time.Since(began).Round(time.Second), len(h.asks), len(h.sessions), h.broken, sent, len(late), h.doubled())
	h.Stop(t)
}

// lifeLimit bounds one life on a machine that has much else to do.
const lifeLimit = 3 * time.Second

// live lets people sign in until a random moment, at which it kills the server.
// The moment is counted in promises and not in seconds, so that a slow machine
// kills under the same load as a quick one.
func (h *house) live(t *testing.T) {
	t.Helper()
	life, end := context.WithCancel(t.Context())
	defer end()
	var all sync.WaitGroup
	for range browsers {
		all.Go(func() { load(life, h.URL, h.mail, h.promises) })
	}
	select {
	case <-h.after(1 + rand.IntN(120)):
	case <-time.After(lifeLimit):
	}
	time.Sleep(rand.N(10 * time.Millisecond))
	h.Kill(t)
	end()
	all.Wait()
}

// sessionsLive requires that whoever was told that they are in is in.
func (h *house) sessionsLive(t *testing.T, v *visitor) {
	t.Helper()
	lost := 0
	for session, address := range h.sessions {
		a, err := v.do(t.Context(), "GET", "/forward-auth", nil, map[string]string{"djauthy": session})
		if err != nil {
			t.Fatal(err)
		}
		if a.status != 200 || a.header.Get("Remote-Email") != address {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged sign-ins are lost", lost, len(h.sessions))
	}
}

// messagesCame requires that every promised message comes, and returns the asks
// whose message nobody had waited for.
func (h *house) messagesCame(t *testing.T, deadline time.Time) (late []ask) {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	lost := 0
	for _, a := range h.asks {
		if len(h.mail.All(a.address)) > 0 {
			continue
		}
		if _, ok := h.mail.Wait(ctx, a.address); !ok {
			lost++
			continue
		}
		late = append(late, a)
	}
	if lost > 0 {
		t.Errorf("%d of %d promised messages never came", lost, len(h.asks))
	}
	return late
}

// lateCodesWork requires that a code that came late opens a session all the
// same: the attempt it belongs to survived, too.
func (h *house) lateCodesWork(t *testing.T, v *visitor, late []ask) {
	t.Helper()
	for _, a := range late {
		code := h.mail.All(a.address)[0].Code()
		got, err := v.do(t.Context(), "POST", "/login/code", url.Values{"auth_code": {code}}, map[string]string{"djauthy_attempt": a.attempt})
		if err != nil {
			t.Fatal(err)
		}
		if got.status != 303 || got.cookies["djauthy"] == "" {
			t.Errorf("the late code of %s: %d to %q", a.address, got.status, got.to)
		}
	}
}

// awaitEmpty waits until the outbox has nothing more to send: messages that
// were sent, but not written down as sent when the server was killed, go again.
func awaitEmpty(t *testing.T, d *sql.DB, deadline time.Time) {
	t.Helper()
	for {
		waiting := column(t, d, `SELECT id FROM outbox WHERE state = 0`)
		if len(waiting) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d messages still wait in the outbox %s after the last start", len(waiting), drainLimit)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// doubled counts messages beyond one for each ask, which a crash may cause.
func (h *house) doubled() (n int) {
	for _, a := range h.asks {
		n += max(0, len(h.mail.All(a.address))-1)
	}
	return n
}

// sound requires that no row tells half a story.
func sound(t *testing.T, d *sql.DB) {
	t.Helper()
	for what, query := range map[string]string{
		"a user without an account":                  `SELECT id FROM users u WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = u.id)`,
		"an account without its user":                `SELECT id FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = a.user_id)`,
		"an active user with no active account":      `SELECT id FROM users u WHERE is_active = 1 AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = u.id AND a.is_active = 1)`,
		"an active account of an inactive user":      `SELECT a.id FROM accounts a JOIN users u ON u.id = a.user_id WHERE a.is_active = 1 AND u.is_active = 0 AND u.deactivated_at = 0`,
		"a session without an active user":           `SELECT id FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND u.is_active = 1)`,
		"a session without a proof":                  `SELECT id FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM proofs p WHERE p.session_id = s.id)`,
		"a proof without its session":                `SELECT session_id FROM proofs p WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = p.session_id)`,
		"a used attempt without its session":         `SELECT id FROM attempts a WHERE used_at > 0 AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = a.session_id)`,
		"a session that came of no attempt":          `SELECT id FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM attempts a WHERE a.session_id = s.id)`,
		"an attempt without a code":                  `SELECT id FROM attempts WHERE length(codes) = 0`,
		"a message that is not sent":                 `SELECT id FROM outbox WHERE state <> 1`,
		"a sent message that is still sealed inside": `SELECT id FROM outbox WHERE state = 1 AND length(sealed) > 0`,
	} {
		if rows := column(t, d, query); len(rows) > 0 {
			t.Errorf("%s: %d rows, such as %s", what, len(rows), rows[0])
		}
	}
	var attempts, messages int
	err := d.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM attempts), (SELECT count(*) FROM outbox)`).Scan(&attempts, &messages)
	if err != nil {
		t.Fatal(err)
	}
	if attempts != messages {
		t.Errorf("%d attempts with %d messages", attempts, messages)
	}
}

func open(t *testing.T, driver, address string) *sql.DB {
	t.Helper()
	d, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// column returns the first column of all rows.
func column(t *testing.T, d *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := d.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]any, len(names))
		var first sql.NullString
		values[0] = &first
		for i := 1; i < len(values); i++ {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		all = append(all, first.String)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
