package main

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/directory"
)

// kind is an id in one of the states that no stranger may distinguish.
type kind struct {
	name string
	b    *browser
	id   string
}

// twin is an id that is masked like every other twin.
func twin(i int) string { return fmt.Sprintf("k%08d%sn@people.example", i, strings.Repeat("x", 4)) }

// kinds makes ids in every state, each with a browser that was used as much as
// the others.
func kinds(t *testing.T, s *site, names ...string) (all []kind) {
	t.Helper()
	for i, name := range names {
		k := kind{name, s.browser(t), twin(i)}
		switch name {
		case "known":
			s.must(t, "users", "add", k.id)
			s.browser(t).signIn(k.id)
		case "deactivated":
			s.must(t, "users", "add", k.id)
			s.browser(t).signIn(k.id)
			s.must(t, "users", "deactivate", k.id)
		}
		asked := anID()
		if name == "blocked" {
			asked = k.id
		}
		s.must(t, "users", "add", "warm"+asked) // the closed site sends to these
		k.b.post("/login", "id", asked).want(t, http.StatusSeeOther, "/login/code")
		if name == "blocked" {
			path := s.mail.next(t, asked).notMe()
			s.browser(t).post(path, "confirm", "yes").want(t, http.StatusOK, "")
		}
		all = append(all, k)
	}
	// One send of the blocked id comes back; the block still holds.
	s.clock.advance(6 * time.Minute)
	s.sent(t)
	return all
}

// told is all of a response that a stranger sees, with the cookies' values
// masked: they are random.
func told(a answer) string {
	var lines []string
	for name, values := range a.header {
		for _, v := range values {
			if name == "Set-Cookie" {
				pair, rest, _ := strings.Cut(v, ";")
				cookie, value, _ := strings.Cut(pair, "=")
				v = fmt.Sprintf("%s=(%d);%s", cookie, len(value), rest)
			}
			if name == "Date" {
				v = "masked"
			}
			lines = append(lines, name+": "+v)
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d\n%s\n\n%s", a.status, strings.Join(lines, "\n"), a.body)
}

// compare makes one request in every kind's browser and wants one answer.
func compare(t *testing.T, all []kind, what string, request func(k kind) answer) {
	t.Helper()
	var first string
	for i, k := range all {
		got := told(request(k))
		got = strings.ReplaceAll(got, k.id, "ID")
		if i == 0 {
			first = got
			continue
		}
		if got != first {
			t.Errorf("%s: %s and %s ids are told apart:\n%s", what, all[0].name, k.name, difference(first, got))
		}
	}
}

// difference shows the first lines in which two texts differ.
func difference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return "- " + x[i] + "\n+ " + y[i]
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

// walk asks every kind everything that a stranger can ask.
func walk(t *testing.T, s *site, all []kind) {
	t.Helper()
	same := func(what string, request func(k kind) answer) { t.Helper(); compare(t, all, what, request) }
	ask := func(k kind) answer { return k.b.post("/login", "id", k.id) }
	resend := func(k kind) answer { return k.b.post("/login/resend") }
	page := func(k kind) answer { return k.b.get("/login/code") }
	guess := func(k kind) answer { return k.b.submit("000000") }
	misshapen := func(k kind) answer { return k.b.submit("notacode") }
	same("ask", ask)
	same("code page", page)
	same("ask again at once", ask)
	same("resend at once", resend)
	same("a wrong code", guess)
	same("another shape", misshapen)
	s.clock.advance(31 * time.Second)
	same("resend", resend)
	same("code page after it", page)
	s.clock.advance(31 * time.Second)
	same("resend twice", resend)
	s.clock.advance(31 * time.Second)
	same("over the budget", resend) // three a network
	same("over the budget in the box", ask)
	for i := range 4 {
		same(fmt.Sprintf("wrong code %d", i+2), guess)
	}
	same("after the last try", guess)
	same("another shape after it", misshapen)
	same("its page", page)
	s.clock.advance(16 * time.Minute)
	same("ask later", ask)
	s.clock.advance(11 * time.Minute)
	same("expired page", page)
	same("expired code", guess)
	same("another shape of an expired code", misshapen)
	same("ask after it", ask)
	for _, k := range all {
		if k.b.in() {
			t.Errorf("%s: signed in by wrong codes", k.name)
		}
	}
}

// Rows 11 and 13.
func TestRow11_KnownUnknownBlockedAndDeactivatedIDsLookAlike(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		s.clock.freeze()
		walk(t, s, kinds(t, s, "known", "unknown", "blocked", "deactivated"))
	})
}

// Rows 11 and 13.
func TestRow11_IDsLookAlikeWhenSignUpIsClosed(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_OPEN_SIGNUP=false")
	s.clock.freeze()
	all := kinds(t, s, "known", "unknown", "deactivated")
	before := s.mail.size()
	walk(t, s, all)
	s.sent(t)
	for _, k := range all {
		if letters, _ := s.mail.to(k.id); k.name == "unknown" && len(letters) > 0 {
			t.Error("an unknown id was sent a message though sign-up is closed")
		}
	}
	if s.mail.size() == before {
		t.Error("the known id was sent no message")
	}
}

// Row 11: the message must reveal nothing to the browser either.
func TestClosedSignUpAndDeactivatedUsersGetNoMessageAndNoSession(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_OPEN_SIGNUP=false")
	invited, gone := anID(), anID()
	s.must(t, "users", "add", invited)
	s.must(t, "users", "add", gone)
	s.browser(t).signIn(invited)
	b := s.browser(t)
	l := b.ask(gone)
	s.must(t, "users", "deactivate", gone)
	b.submit(l.code()).want(t, http.StatusUnprocessableEntity, "")
	b.get(l.link()).want(t, http.StatusSeeOther, "/login/link")
	if a := b.post("/login/link"); a.status != http.StatusGone && a.status != http.StatusForbidden {
		t.Errorf("the link of a deactivated user answers %d", a.status)
	}
	for _, id := range []string{gone, anID()} {
		s.browser(t).post("/login", "id", id).want(t, http.StatusSeeOther, "/login/code")
	}
	s.sent(t)
	if n := s.count(t, `SELECT count(*) FROM outbox WHERE state = 3`); n != 2 {
		t.Errorf("%d mute messages, want 2", n)
	}
	if b.in() {
		t.Error("a code revived a deactivated user")
	}
}

// median of some times.
func median(all []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(all))
	return s[len(s)/2]
}

// above is how often a time of a is above one of b: a half if neither tends to
// be slower (the Mann-Whitney U statistic as a share).
func above(a, b []time.Duration) float64 {
	u := 0.0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				u++
			case x == y:
				u += 0.5
			}
		}
	}
	return u / float64(len(a)*len(b))
}

// Row 12. Requests of the kinds take turns, so that a busy machine slows all of
// them alike. No message is sent: that begins when the answer has been written, on the
// processors that this browser needs to read it. Somebody elsewhere has their own.
func TestRow12_KnownAndUnknownIDsTakeTheSameTime(t *testing.T) {
	s := startUnsent(t, "DJAUTHY_OPEN_SIGNUP=false", "DJAUTHY_LIMITS_RESEND_EVERY=0")
	const rounds = 80
	names := []string{"known", "unknown", "deactivated"}
	browsers, ids := map[string][]*browser{}, map[string][]string{}
	for range rounds {
		for _, name := range names {
			b, id := s.browser(t), anID()
			if name != "unknown" {
				s.invite(t, id)
			}
			if name == "deactivated" {
				if _, err := s.house.directory.Deactivate(t.Context(), directory.Command(), id); err != nil {
					t.Fatal(err)
				}
			}
			b.get("/login") // the connection is not what is measured
			browsers[name], ids[name] = append(browsers[name], b), append(ids[name], id)
		}
	}
	steps := []struct {
		what    string
		request func(b *browser, id string) answer
	}{
		{"ask", func(b *browser, id string) answer { return b.post("/login", "id", id) }},
		{"page", func(b *browser, _ string) answer { return b.get("/login/code") }},
		{"wrong code", func(b *browser, _ string) answer { return b.submit("123456") }},
		{"resend", func(b *browser, _ string) answer { return b.post("/login/resend") }},
	}
	for _, step := range steps {
		took := map[string][]time.Duration{}
		for i := range rounds {
			for j := range names {
				name := names[(i+j)%len(names)]
				before := time.Now()
				step.request(browsers[name][i], ids[name][i])
				took[name] = append(took[name], time.Since(before))
			}
		}
		for _, name := range names[1:] {
			apart := (median(took[name]) - median(took["known"])).Abs()
			share := above(took[name], took["known"])
			t.Logf("%s: known %s, %s %s, slower than known in %.2f of pairs", step.what, median(took["known"]), name, median(took[name]), share)
			if apart > 15*time.Millisecond {
				t.Errorf("%s: medians of known and %s are %s apart", step.what, name, apart)
			}
			// By chance beyond 0.5 ± 0.045 a third of the time, ± 0.25 never.
			if math.Abs(share-0.5) > 0.25 {
				t.Errorf("%s: %s ids are slower than known ones in %.2f of pairs", step.what, name, share)
			}
		}
	}
}

// invite adds a user as the command does, without a program of its own for each.
func (s *site) invite(t *testing.T, id string) {
	t.Helper()
	found, refusal := s.house.discovery.Find(id, "")
	if refusal != "" {
		t.Fatalf("%s is refused: %s", id, refusal)
	}
	if _, err := s.house.directory.Invite(t.Context(), directory.Command(), found); err != nil {
		t.Fatal(err)
	}
}

// Row 14.
func TestRow14_OneMailboxGetsAtMostSixMessagesHoweverItIsAskedFor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		for _, spell := range []func(i int) string{
			func(int) string { return "victim@people.example" },
			func(i int) string {
				return []string{"Tagged@people.example", "tagged+%d@people.example", " TAGGED+x%d@PEOPLE.example", "tagged@people.example."}[i%4]
			},
			func(i int) string {
				return []string{"a.nn@gmail.com", "ann+%d@googlemail.com", "A.N.N@gmail.com", "an.n@googlemail.com"}[i%4]
			},
		} {
			before := s.mail.size()
			var mu sync.Mutex
			refused := 0
			together(60, func(i int) {
				id := spell(i)
				if strings.Contains(id, "%d") {
					id = fmt.Sprintf(id, i)
				}
				b := s.browser(t)
				a, _, err := b.try(http.MethodPost, "/login", formKind, strings.NewReader(form("id", id)), nil)
				if err != nil || a.status != http.StatusSeeOther && a.status != http.StatusTooManyRequests {
					t.Errorf("%q answered %d, %v", id, a.status, err)
				}
				if a.status == http.StatusTooManyRequests {
					mu.Lock()
					refused++
					mu.Unlock()
					if a.header.Get("Retry-After") == "" {
						t.Error("429 without Retry-After")
					}
				}
			})
			s.sent(t)
			if n := s.mail.size() - before; n > 6 || n+refused != 60 {
				t.Errorf("like %s: %d messages, %d refused, want at most 6 and the rest", spell(0), n, refused)
			}
		}
	})
}
