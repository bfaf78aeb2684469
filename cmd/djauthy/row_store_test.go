package main

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// Row 60.
func TestRow60_TwoServersOnOneDatabaseShareEveryBudget(t *testing.T) {
	t.Parallel()
	place, mail := dbtest.URL(t, "postgres"), openInbox()
	t.Cleanup(mail.close)
	a := startWith(t, t.TempDir(), mail, "DJAUTHY_DATABASE="+place)
	b := startWith(t, t.TempDir(), mail, "DJAUTHY_DATABASE="+place)
	both := []*site{a, b}

	// Sends per id, per network and id, and per network.
	id := anID()
	taken := 0
	for i := range 12 {
		if both[i%2].browser(t).post("/login", "id", id).status == http.StatusSeeOther {
			taken++
		}
	}
	if taken != 6 { // five, and one that is kept for networks which have taken none
		t.Errorf("two servers sent %d messages to one id, want 6", taken)
	}
	at, one := anAddress(), anID()
	taken = 0
	for i := range 8 {
		if both[i%2].browserAt(t, at).post("/login", "id", one).status == http.StatusSeeOther {
			taken++
		}
	}
	if taken != 3 {
		t.Errorf("one network took %d messages of an id, want 3", taken)
	}
	at, taken = anAddress(), 0
	var mu sync.Mutex
	together(60, func(i int) {
		r, _, err := both[i%2].browserAt(t, at).try(http.MethodPost, "/login", formKind, strings.NewReader(form("id", anID())), nil)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
		} else if r.status == http.StatusSeeOther {
			taken++
		}
	})
	if taken != 30 {
		t.Errorf("one network took %d messages at two servers, want 30", taken)
	}

	// Tries of one attempt, at both in turn and at once.
	x := a.browser(t)
	code := x.ask(anID()).code()
	y := b.browserAt(t, x.from)
	for k, v := range x.cookies {
		y.cookies[k] = v
	}
	wrongs := 0
	together(20, func(i int) {
		at := []*browser{x, y}[i%2]
		r, _, err := at.try(http.MethodPost, "/login/code", formKind, strings.NewReader(form("auth_code", wrong(code))), nil)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && r.status == http.StatusUnprocessableEntity {
			wrongs++
		} else if err != nil || r.status != http.StatusGone {
			t.Errorf("answered %d, %v", r.status, err)
		}
	})
	if wrongs != 5 {
		t.Errorf("two servers took %d wrong tries of one attempt, want 5", wrongs)
	}

	// A session of one is a session of the other; signing out ends it at both.
	p, _ := a.person(t)
	q := b.browser(t)
	for k, v := range p.cookies {
		q.cookies[k] = v
	}
	if !q.in() {
		t.Error("the other server does not know the session")
	}
	q.post("/logout")
	if p.in() {
		t.Error("signed out at one server, still in at the other")
	}
}

// Row 60.
func TestRow60_ARestartResetsNoBudgetAndEndsNoSession(t *testing.T) {
	t.Parallel()
	dir, mail := t.TempDir(), openInbox()
	t.Cleanup(mail.close)
	id, person, tried := anID(), "", 0
	var cookies map[string]string
	var waiting map[string]string
	var code string
	for run := range 3 {
		s := startWith(t, dir, mail)
		if run == 0 {
			b, _ := s.person(t)
			cookies, person = b.cookies, s.userOf(t, b)
			w := s.browser(t)
			code = w.ask(anID()).code()
			waiting = w.cookies
		}
		b := s.browser(t)
		b.cookies = cookies
		if s.userOf(t, b) != person {
			t.Errorf("run %d: the session ended", run)
		}
		w := s.browser(t)
		w.cookies = waiting
		for range 3 {
			if w.submit(wrong(code)).status == http.StatusUnprocessableEntity {
				tried++
			}
		}
		for range 4 {
			s.browser(t).post("/login", "id", id)
		}
		s.sent(t)
		s.stop()
	}
	if letters, _ := mail.to(id); len(letters) != 6 { // one is kept
		t.Errorf("over two restarts an id was sent %d messages, want 6", len(letters))
	}
	if tried != 5 {
		t.Errorf("over two restarts an attempt took %d wrong tries, want 5", tried)
	}
}

// token32 is how tokens are written.
var token32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyzABCDEF").WithPadding(base32.NoPadding)

// dump is everything in a SQLite database and its WAL.
func dump(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	for _, name := range []string{"d.db", "d.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// Row 63.
func TestRow63_TheDatabaseWithoutTheKeyHoldsNoCodeTokenOrMessage(t *testing.T) {
	t.Parallel()
	dir, mail := t.TempDir(), openInbox()
	t.Cleanup(mail.close)
	// Long codes, so that none is found by chance.
	s := startWith(t, dir, mail, "DJAUTHY_CODE_ALPHABET=letters", "DJAUTHY_CODE_LENGTH=16")
	used, open := s.browser(t), s.browser(t)
	l := used.ask(anID())
	used.submit(l.code()).want(t, http.StatusSeeOther, "/account")
	waits := open.ask(anID())
	// One that cannot be sent stays in the outbox.
	stuck := s.browser(t)
	mail.close()
	stuck.post("/login", "id", "stuck@people.example").want(t, http.StatusSeeOther, "/login/code")
	first := firstLine.FindStringSubmatch(s.out.String())[2]
	recovery := strings.TrimSpace(s.must(t, "users", "link", anIDOf(t, s)))

	secrets := map[string]string{"secret key": testKey, "code in use": waits.code(), "used code": l.code()}
	for name, text := range map[string]string{
		"link": waits.link(), "used link": l.link(), "not-me link": waits.notMe(), "session": used.cookies["djauthy"], "attempt": open.cookies["djauthy_attempt"],
		"stuck attempt": stuck.cookies["djauthy_attempt"], "first administrator's token": first, "recovery link": recovery,
	} {
		secrets[name] = text[strings.LastIndex(text, ".")+1:]
	}
	all := dump(t, dir)
	for name, secret := range secrets {
		if secret == "" {
			t.Fatalf("there is no %s to look for", name)
		}
		forms := [][]byte{[]byte(secret), []byte(hex.EncodeToString([]byte(secret))), []byte(base64.StdEncoding.EncodeToString([]byte(secret)))}
		if b, err := token32.DecodeString(secret); err == nil {
			forms = append(forms, b, []byte(hex.EncodeToString(b)))
		}
		for _, f := range forms {
			if bytes.Contains(all, f) {
				t.Errorf("the database holds the %s", name)
			}
		}
	}
	if bytes.Contains(all, []byte("/login/link/")) || bytes.Contains(all, []byte("Type it in")) {
		t.Error("the outbox holds a message in the clear")
	}
	for _, name := range []string{"d.db", "d.db-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v, %v", name, info.Mode(), err)
		}
	}
}

// anIDOf is an id that the site knows.
func anIDOf(t *testing.T, s *site) string {
	t.Helper()
	id := anID()
	s.must(t, "users", "add", id)
	return id
}
