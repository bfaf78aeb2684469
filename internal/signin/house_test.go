package signin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/words"
	"github.com/djauthy/djauthy/templates"
)

const site = "https://login.example.org"

// house is everything below the doors, with the settings' own defaults.
type house struct {
	dir   *directory.Directory
	d     *db.DB
	clock *dbtest.Clock
	keys  *seal.Keys
	words *words.Catalogue
	post  *post
	s     *signin.Service
}

// run runs fn on every engine in a house whose outbox works.
func run(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		h := furnish(t, d, c)
		h.deliver(t)
		fn(t, h)
	})
}

func furnish(t testing.TB, d *db.DB, c *dbtest.Clock) *house {
	t.Helper()
	h := &house{d: d, clock: c, post: newPost()}
	cfg, _, err := config.Load("", nil, nil, os.ReadFile)
	check(t, err)
	h.keys, err = seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	check(t, err)
	h.words, err = words.Load()
	check(t, err)
	log := slog.New(slog.DiscardHandler)
	channels, err := delivery.New(templates.FS, h.words, map[string]delivery.Sender{accounts.Email: h.post})
	check(t, err)
	queue := outbox.New(d, h.keys, channels.Handlers(), h.post, log)
	codes, err := multifactor.NewCodes(h.keys, cfg.Code.Alphabet, cfg.Code.Length, cfg.ExpiryTime.Email)
	check(t, err)
	sessions := session.New(d, session.Settings{Idle: cfg.Session.Idle, Absolute: cfg.Session.Absolute}, log)
	h.s = signin.New(d, queue, codes, sessions, h.keys, signin.Settings{
		OpenSignup: true, Admins: map[accounts.ID]bool{}, Tries: cfg.Code.Tries,
		SendPerID: cfg.Limits.SendPerID, SendPerIP: cfg.Limits.SendPerIP, SendPerIDPrefix: cfg.Limits.SendPerIDPrefix,
		TriesPerID: cfg.Limits.TriesPerID, ResendEvery: cfg.Limits.ResendEvery, KeptSends: signin.KeptSends(), GivesBack: signin.GivesBack(), Site: "Example", PublicURL: site,
	}, log)
	h.dir = &directory.Directory{DB: d, Sessions: sessions, Log: log}
	return h
}

// deletes deletes a user as an administrator does.
func (h *house) deletes(ctx context.Context, user accounts.UserID) error {
	_, err := h.dir.Delete(ctx, directory.Command(), fmt.Sprint(user))
	return err
}

// exports exports a user as an administrator does.
func (h *house) exports(ctx context.Context, user accounts.UserID) (directory.Export, error) {
	return h.dir.Export(ctx, directory.Command(), fmt.Sprint(user))
}

// deliver runs the outbox until the test ends.
func (h *house) deliver(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.s.Outbox.Run(ctx) })
	t.Cleanup(func() { stop(); wg.Wait() })
}

// nothingKept leaves the ordinary budgets alone, for tests that are about these.
func (h *house) nothingKept() { h.s.Settings.KeptSends = nil }

// freely lifts the limits on messages, for tests that are about others.
func (h *house) freely() {
	many := config.Rates{{N: 1000, Per: time.Minute}}
	h.s.Settings.SendPerID, h.s.Settings.SendPerIP, h.s.Settings.SendPerIDPrefix, h.s.Settings.ResendEvery = many, many, many, 0
}

// mail waits for the next message.
func (h *house) mail(t testing.TB) mail {
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
		check(t, err)
	case <-patience:
		t.Fatal("the message was not recorded")
	}
	return read(t, w)
}

// messages is how many messages were ever queued to be sent.
func (h *house) messages(t testing.TB) int {
	t.Helper()
	return h.count(t, `SELECT count(*) FROM outbox WHERE state <> 3`)
}

// muteCode is the code of the last message that is never sent. It takes the secret key and
// the database to know it.
func (h *house) muteCode(t testing.TB) string {
	t.Helper()
	var id db.ID
	var sealed []byte
	check(t, h.d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get(`SELECT id, sealed FROM outbox WHERE state = 3 ORDER BY id DESC LIMIT 1`).Scan(&id, &sealed)
	}))
	plain, err := h.keys.Box("outbox").Open(sealed, db.Bytes(id))
	check(t, err)
	var m struct{ Text delivery.Text }
	check(t, json.Unmarshal(plain, &m))
	return m.Text.Code
}

func (h *house) update(t testing.TB, fn func(tx *db.Tx) error) {
	t.Helper()
	check(t, h.d.Update(t.Context(), fn))
}

func (h *house) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	h.update(t, func(tx *db.Tx) error { _, err := tx.Exec(query, args...); return err })
}

func (h *house) count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	check(t, h.d.View(t.Context(), func(tx *db.Tx) error { return tx.Get(query, args...).Scan(&n) }))
	return n
}

// account returns an id's account and user.
func (h *house) account(t testing.TB, id accounts.ID) (a accounts.Account, u accounts.User) {
	t.Helper()
	check(t, h.d.View(t.Context(), func(tx *db.Tx) (err error) {
		a, u, err = accounts.Find(tx, id)
		return err
	}))
	return a, u
}

// events are what happened to a user, oldest first.
func (h *house) events(t testing.TB, u accounts.UserID) (all []audit.Event) {
	t.Helper()
	lines, _, err := h.dir.History(t.Context(), u, 0, 1000)
	check(t, err)
	for _, l := range slices.Backward(lines) {
		all = append(all, l.Event)
	}
	return all
}

// dump is every row of every table as text.
func (h *house) dump(t testing.TB) map[string][]string {
	t.Helper()
	return dbtest.Dump(t, h.d)
}

// makesFirst makes the first administrator's token as a start does.
func (h *house) makesFirst(t *testing.T) string {
	t.Helper()
	token, needed, err := h.s.MakeAdminToken(t.Context())
	check(t, err)
	want(t, needed, true)
	return token.String()
}

func (h *house) user(t *testing.T, b *browser) accounts.UserID {
	t.Helper()
	s, err := h.s.Sessions.Check(t.Context(), b.by.Session)
	check(t, err)
	return s.User.ID
}

func addr(t testing.TB, text string) accounts.ID {
	t.Helper()
	id, refusal := accounts.Discovery{FoldLocalPart: true}.Find(text, "")
	if refusal != "" {
		t.Fatalf("%s is refused: %s", text, refusal)
	}
	return id
}
