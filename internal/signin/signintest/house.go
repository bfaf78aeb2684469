// Package signintest is the house of the tests below the doors: all that a sign-in needs,
// wired as djauthy wires it, with a clock that the test moves, a channel whose messages it
// reads, and browsers. It is for tests of any package that needs somebody to sign in.
package signintest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/words"
	"github.com/djauthy/djauthy/templates"
)

const site = "https://login.example.org"

// House is everything below the doors, with the settings' own defaults.
type House struct {
	DB        *db.DB
	Clock     *dbtest.Clock
	Words     *words.Catalogue
	Signin    *signin.Service
	Access    *access.Service
	Directory *directory.Directory

	keys *seal.Keys
	post *post
}

// Run runs fn on every engine in a house whose outbox works.
func Run(t *testing.T, fn func(t *testing.T, h *House)) {
	t.Helper()
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		h := Furnish(t, d, c)
		h.Deliver(t)
		fn(t, h)
	})
}

// Furnish wires a house on a migrated database. Its outbox does not work yet.
func Furnish(t testing.TB, d *db.DB, c *dbtest.Clock) *House {
	t.Helper()
	h := &House{DB: d, Clock: c, post: newPost()}
	cfg, _, err := config.Load("", nil, nil, os.ReadFile)
	dbtest.Check(t, err)
	h.keys, err = seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	dbtest.Check(t, err)
	h.Words, err = words.Load()
	dbtest.Check(t, err)
	log := slog.New(slog.DiscardHandler)
	channels, err := delivery.New(templates.FS, h.Words, map[string]delivery.Sender{accounts.Email: h.post, accounts.Jabber: h.post})
	dbtest.Check(t, err)
	queue := outbox.New(d, h.keys, channels.Handlers(), h.post, log)
	queue.Linger = 0 // Mail waits for each to be recorded
	codes, err := multifactor.NewCodes(h.keys, cfg.Code.Alphabet, cfg.Code.Length)
	dbtest.Check(t, err)
	sessions := session.New(d, session.Settings{Idle: cfg.Session.Idle, Absolute: cfg.Session.Absolute}, log)
	led, err := federation.New(federation.Settings{PublicURL: site}, d, h.keys, log)
	dbtest.Check(t, err)
	h.Signin = signin.New(d, queue, codes, sessions, led, h.keys, signin.Settings{
		OpenSignup: true, Admins: map[accounts.ID]bool{}, Tries: cfg.Code.Tries, Lives: cfg.Lives(),
		SendPerID: cfg.Limits.SendPerID, SendPerIP: cfg.Limits.SendPerIP, SendPerIDPrefix: cfg.Limits.SendPerIDPrefix,
		FetchPerIP: cfg.Limits.FetchPerIP,
		TriesPerID: cfg.Limits.TriesPerID, ResendEvery: cfg.Limits.ResendEvery, KeptSends: signin.KeptSends(), GivesBack: signin.GivesBack(), Site: "Example", PublicURL: site,
		Discovery: accounts.Discovery{FoldLocalPart: true},
	}, log)
	factors := multifactor.Server{Has: map[multifactor.Factor]bool{
		accounts.Email: true, accounts.Jabber: true, accounts.OpenID: true, accounts.OAuth: true, multifactor.AnyCode: true, multifactor.TOTP: true,
		multifactor.Passkey: true, multifactor.VerifiedPasskey: true, multifactor.Recovery: true,
	}}
	h.Access = access.New(d, sessions, factors)
	h.Signin.Gate = h.Access.Decide
	h.Signin.Enrolled, err = multifactor.NewEnrolled(h.keys, multifactor.Relying{Name: "Example", ID: "login.example.org", Origin: site})
	dbtest.Check(t, err)
	h.Directory = &directory.Directory{
		Enrolled: h.Signin.Enrolled, Notices: h.Signin.Notices, Outbox: queue, TriesPerID: cfg.Limits.TriesPerID,
		DB: d, Sessions: sessions, Gate: h.Access.Decide, Factors: factors, Log: log,
	}
	return h
}

// SignsOut ends the session of a browser.
func (h *House) SignsOut(ctx context.Context, by signin.Requester) error {
	return h.Directory.SignOut(ctx, directory.Owner{Session: by.Session, Client: by.Client})
}

// Leads makes the house lead people to providers, and to issuers at loopback addresses.
func (h *House) Leads(t testing.TB, providers ...federation.Provider) {
	h.LeadsBy(t, nil, providers...)
}

// LeadsBy is Leads with a client for addresses that ids name.
func (h *House) LeadsBy(t testing.TB, strangers *http.Client, providers ...federation.Provider) {
	t.Helper()
	var err error
	h.Signin.Settings.Discovery.AnyIssuer = true
	h.Signin.Federation, err = federation.New(federation.Settings{
		Providers: providers, PublicURL: site, Client: "Example", Strangers: strangers, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Discovery: accounts.Discovery{FoldLocalPart: true},
	}, h.DB, h.keys, slog.New(slog.DiscardHandler))
	dbtest.Check(t, err)
}

// Deletes deletes a user as an administrator does.
func (h *House) Deletes(ctx context.Context, user accounts.UserID) error {
	_, err := h.Directory.Delete(ctx, directory.Command(), fmt.Sprint(user))
	return err
}

// Exports exports a user as an administrator does.
func (h *House) Exports(ctx context.Context, user accounts.UserID) (directory.Export, error) {
	return h.Directory.Export(ctx, directory.Command(), fmt.Sprint(user))
}

// Deliver runs the outbox until the test ends.
func (h *House) Deliver(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.Signin.Outbox.Run(ctx) })
	t.Cleanup(func() { stop(); wg.Wait() })
}

// NothingKept leaves the ordinary budgets alone, for tests that are about these.
func (h *House) NothingKept() { h.Signin.Settings.KeptSends = nil }

// Freely lifts the limits on messages, for tests that are about others.
func (h *House) Freely() {
	many := config.Rates{{N: 1000, Per: time.Minute}}
	h.Signin.Settings.SendPerID, h.Signin.Settings.SendPerIP, h.Signin.Settings.SendPerIDPrefix, h.Signin.Settings.ResendEvery = many, many, many, 0
}

// Mail waits for the next message.
func (h *House) Mail(t testing.TB) Mail {
	t.Helper()
	patience := time.After(30 * time.Second)
	var w delivery.Worded
	select {
	case w = <-h.post.arrived:
	case <-patience:
		t.Fatal("no message came")
	}
	select {
	case err := <-h.post.recorded:
		dbtest.Check(t, err)
	case <-patience:
		t.Fatal("the message was not recorded")
	}
	return read(t, w)
}

// Messages is how many messages were ever queued to be sent.
func (h *House) Messages(t testing.TB) int {
	t.Helper()
	return h.Count(t, `SELECT count(*) FROM outbox WHERE state <> 3`)
}

// MuteCode is the code of the last message that is never sent. It takes the secret key and
// the database to know it.
func (h *House) MuteCode(t testing.TB) string {
	t.Helper()
	var id db.ID
	var sealed []byte
	dbtest.Check(t, h.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get(`SELECT id, sealed FROM outbox WHERE state = 3 ORDER BY id DESC LIMIT 1`).Scan(&id, &sealed)
	}))
	plain, err := h.keys.Box("outbox").Open(sealed, db.Bytes(id))
	dbtest.Check(t, err)
	var m struct{ Text delivery.Text }
	dbtest.Check(t, json.Unmarshal(plain, &m))
	return m.Text.Code
}

// Update runs fn in a transaction of its own.
func (h *House) Update(t testing.TB, fn func(tx *db.Tx) error) {
	t.Helper()
	dbtest.Check(t, h.DB.Update(t.Context(), fn))
}

// Exec runs one statement in a transaction of its own.
func (h *House) Exec(t testing.TB, query string, args ...any) {
	t.Helper()
	h.Update(t, func(tx *db.Tx) error { _, err := tx.Exec(query, args...); return err })
}

// Count is the number that a query answers with.
func (h *House) Count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	dbtest.Check(t, h.DB.View(t.Context(), func(tx *db.Tx) error { return tx.Get(query, args...).Scan(&n) }))
	return n
}

// Account returns an id's account and user.
func (h *House) Account(t testing.TB, id accounts.ID) (a accounts.Account, u accounts.User) {
	t.Helper()
	dbtest.Check(t, h.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		a, u, err = accounts.Find(tx, id)
		return err
	}))
	return a, u
}

// Events are what happened to a user, oldest first.
func (h *House) Events(t testing.TB, u accounts.UserID) (all []audit.Event) {
	t.Helper()
	lines, _, err := h.Directory.History(t.Context(), u, 0, 1000)
	dbtest.Check(t, err)
	for _, l := range slices.Backward(lines) {
		all = append(all, l.Event)
	}
	return all
}

// Dump is every row of every table as text.
func (h *House) Dump(t testing.TB) map[string][]string {
	t.Helper()
	return dbtest.Dump(t, h.DB)
}

// MakesFirst makes the first administrator's token as a start does.
func (h *House) MakesFirst(t *testing.T) string {
	t.Helper()
	token, needed, err := h.Signin.MakeAdminToken(t.Context())
	dbtest.Check(t, err)
	if !needed {
		t.Fatal("there is an administrator")
	}
	return token.String()
}

// User is who is signed in in a browser.
func (h *House) User(t *testing.T, b *Browser) accounts.UserID {
	t.Helper()
	s, err := h.Signin.Sessions.Check(t.Context(), b.By.Session)
	dbtest.Check(t, err)
	return s.User.ID
}

// Addr is the account's id of an address as somebody types it.
func Addr(t testing.TB, text string) accounts.ID {
	t.Helper()
	id, refusal := accounts.Discovery{FoldLocalPart: true}.Find(text, "")
	if refusal != "" {
		t.Fatalf("%s is refused: %s", text, refusal)
	}
	return id
}
