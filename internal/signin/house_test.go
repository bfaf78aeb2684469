package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
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

// owner is the person in the browser, who acts on their own account.
func (b *browser) owner() directory.Owner {
	return directory.Owner{Session: b.by.Session, Client: b.by.Client}
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

// post is a channel to people that keeps the messages it gets, and learns when the outbox
// has recorded that they were sent.
type post struct {
	arrived  chan delivery.Worded
	recorded chan error
}

func newPost() *post { return &post{make(chan delivery.Worded, 4096), make(chan error, 4096)} }

func (p *post) Send(_ context.Context, w delivery.Worded) (string, error) {
	p.arrived <- w
	return "", nil
}
func (p *post) Check(context.Context) error { return nil }
func (p *post) Sent(string, time.Duration)  { p.recorded <- nil }
func (p *post) Failed(string, bool)         { p.recorded <- errors.New("message not sent") }

// mail is a message as its reader sees it.
type mail struct {
	to, code, text string
	link, notMe    seal.Token
}

var links = regexp.MustCompile(`/login/(link|not-me)/(\S+)`)

func read(t testing.TB, w delivery.Worded) mail {
	t.Helper()
	m := mail{to: w.To, text: w.Text}
	m.code, _, _ = strings.Cut(w.Text, "\n")
	for _, found := range links.FindAllStringSubmatch(w.Text, -1) {
		token, ok := seal.ParseToken(found[2])
		if !ok {
			t.Fatalf("%s is no token", found[2])
		}
		if found[1] == "link" {
			m.link = token
		} else {
			m.notMe = token
		}
	}
	return m
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

// browser is somebody at a browser: it keeps the cookies it is given.
type browser struct {
	h  *house
	by signin.Requester
}

// browser opens a fresh browser at a network address.
func (h *house) browser(network string) *browser {
	b, _ := h.s.ReadBrowser("")
	return &browser{h, signin.Requester{
		Browser: b, Network: network, Words: h.words.Get("en"), Client: audit.Client{Prefix: "192.0.2.0/24", Agent: "Firefox/Linux"},
	}}
}

// asks requests a code and keeps the attempt's cookie.
func (b *browser) asks(t testing.TB, ask signin.Request) signin.Started {
	t.Helper()
	asked, err := b.h.s.Start(t.Context(), ask, b.by)
	check(t, err)
	return b.take(asked)
}

func (b *browser) take(asked signin.Started) signin.Started {
	if asked.Attempt.ID != 0 {
		b.by.Attempt = asked.Attempt
	}
	return asked
}

// gets requests a code for id and reads the message.
func (b *browser) gets(t testing.TB, id accounts.ID) mail {
	t.Helper()
	if asked := b.asks(t, signin.Request{ID: id}); asked.Wait > 0 {
		t.Fatalf("refused for %v", asked.Wait)
	}
	return b.h.mail(t)
}

func (b *browser) resends(t testing.TB) signin.Started {
	t.Helper()
	asked, err := b.h.s.Resend(t.Context(), b.by)
	check(t, err)
	return b.take(asked)
}

// getsAgain requests another code and reads it.
func (b *browser) getsAgain(t testing.TB) mail {
	t.Helper()
	if asked := b.resends(t); asked.Wait > 0 || asked.Gone {
		t.Fatalf("not sent again: %+v", asked)
	}
	return b.h.mail(t)
}

func (b *browser) types(t testing.TB, code string) signin.Entered {
	t.Helper()
	return b.entered(t)(b.h.s.SubmitCode(t.Context(), code, b.by))
}

func (b *browser) clicks(t testing.TB, link seal.Token) signin.Entered {
	t.Helper()
	return b.entered(t)(b.h.s.SubmitLink(t.Context(), link, b.by))
}

func (b *browser) entered(t testing.TB) func(e signin.Entered, err error) signin.Entered {
	return func(e signin.Entered, err error) signin.Entered {
		t.Helper()
		check(t, err)
		if e.Verdict == signin.Accepted {
			b.by.Session = e.Session
			b.by.Browser, _ = b.h.s.ReadBrowser(e.Browser)
		}
		return e
	}
}

// signsIn requests a code, reads it and submits it.
func (b *browser) signsIn(t testing.TB, id accounts.ID) signin.Entered {
	t.Helper()
	e := b.types(t, b.gets(t, id).code)
	want(t, e.Verdict, signin.Accepted)
	return e
}

// isIn reports whether the browser's session is valid.
func (b *browser) isIn(t testing.TB) bool {
	t.Helper()
	_, err := b.h.s.Sessions.Check(t.Context(), b.by.Session)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func (b *browser) waiting(t testing.TB) signin.Waiting {
	t.Helper()
	w, err := b.h.s.Wait(t.Context(), b.by)
	check(t, err)
	return w
}

func addr(t testing.TB, text string) accounts.ID {
	t.Helper()
	id, refusal := accounts.Discovery{FoldLocalPart: true}.Find(text, "")
	if refusal != "" {
		t.Fatalf("%s is refused: %s", text, refusal)
	}
	return id
}

// wrong is a code of the same shape as those given that differs from all of them.
func wrong(codes ...string) string {
	for n := range 1_000_000 {
		if c := fmt.Sprintf("%06d", n); !slices.Contains(codes, c) {
			return c
		}
	}
	panic("no wrong code left")
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t testing.TB, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("got %v, want %v", got, wanted)
	}
}
