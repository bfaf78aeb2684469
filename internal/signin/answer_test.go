package signin_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

var annsJabber = accounts.ID{Implementation: accounts.Jabber, Identifier: "ann@chat.example"}

// asked is a browser that has signed in by Jabber before and asks again, and the question of
// the message.
func asked(t *testing.T, h *house) (b *browser, m mail) {
	t.Helper()
	h.Freely()
	b = h.Browser("192.0.2.1")
	first := b.Gets(t, annsJabber)
	if first.Question != nil {
		t.Fatalf("a browser that is not known asks: %+v", first.Question)
	}
	e, err := h.Signin.SubmitCode(t.Context(), first.Code, b.By)
	check(t, err)
	want(t, e.Verdict, signin.Accepted)
	b.By.Browser, _ = h.Signin.ReadBrowser(e.Browser)
	m = b.Gets(t, annsJabber)
	if m.Question == nil {
		t.Fatal("nothing is asked")
	}
	return b, m
}

func answers(t *testing.T, h *house, q *delivery.Question, yes bool) {
	t.Helper()
	check(t, h.Signin.RecordAnswer(t.Context(), *q, yes))
}

// submits is what the button of the code page does.
func submits(t *testing.T, h *house, b *browser) signin.Entered {
	t.Helper()
	e, err := h.Signin.SubmitAnswer(t.Context(), b.By)
	check(t, err)
	return e
}

func waits(t *testing.T, h *house, b *browser) signin.Waiting {
	t.Helper()
	w, err := h.Signin.Wait(t.Context(), b.By)
	check(t, err)
	return w
}

func TestYesLetsTheBrowserInThatAsked(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, m := asked(t, h)
		want(t, waits(t, h, b).Question, m.Question.ID)
		want(t, waits(t, h, b).Answered, false)
		want(t, submits(t, h, b).Verdict, signin.Unanswered)
		answers(t, h, m.Question, true)
		want(t, waits(t, h, b).Answered, true)
		other := h.Browser("198.51.100.1")
		want(t, submits(t, h, other).Verdict, signin.Gone)
		e := submits(t, h, b)
		want(t, e.Verdict, signin.Accepted)
		all := h.Events(t, e.User)
		want(t, all[len(all)-1], audit.SignedInAnswer)
		b.By.Session = e.Session
		want(t, submits(t, h, b).Verdict, signin.Again) // a double click
		b.By.Session = other.By.Session
		want(t, submits(t, h, b).Verdict, signin.Used)
		answers(t, h, m.Question, true)
		want(t, submits(t, h, b).Verdict, signin.Used)
	})
}

// An answer is to the message that asked: the next one asks anew.
func TestAnotherMessageNeedsAnotherAnswer(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, m := asked(t, h)
		answers(t, h, m.Question, true)
		h.Clock.Advance(11 * time.Minute)
		b.Resends(t)
		again := h.Mail(t)
		want(t, waits(t, h, b).Answered, false)
		want(t, submits(t, h, b).Verdict, signin.Unanswered)
		answers(t, h, again.Question, true)
		want(t, submits(t, h, b).Verdict, signin.Accepted)
	})
}

// A browser that knows an id may be that of a former owner, or of a thief.
func TestABrowserIsTrustedUntilTheOwnerEndsThat(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, h *house, owner *browser, m mail){
		"everywhere else signed out": func(t *testing.T, h *house, owner *browser, _ mail) {
			check(t, h.Directory.EndOthers(t.Context(), directory.Owner{Session: owner.By.Session}))
		},
		"it was not me": func(t *testing.T, h *house, _ *browser, m mail) {
			_, err := h.Signin.NotMe(t.Context(), m.NotMe, true, h.Browser("198.51.100.7").By)
			check(t, err)
		},
		"the id is somebody else's": func(t *testing.T, h *house, owner *browser, _ mail) {
			h.Exec(t, `UPDATE accounts SET user_id = (SELECT max(id) FROM users) WHERE implementation = 'jabber'`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				b, m := asked(t, h)
				owner := h.Browser("198.51.100.1")
				owner.SignsIn(t, annsJabber)
				gains(t, h, owner, addr(t, "private@example.org"))
				h.Mail(t) // of the change
				want(t, len(waits(t, h, b).Others), 1)
				h.Browser("198.51.100.2").SignsIn(t, addr(t, "ben@example.org"))
				end(t, h, owner, m)
				b.By.Attempt = seal.Token{}
				if name == "it was not me" { // else nothing is sent to this browser
					h.Exec(t, `DELETE FROM budgets`)
				}
				if m := b.Gets(t, annsJabber); m.Question != nil {
					t.Error("it asks")
				}
				w := waits(t, h, b)
				want(t, len(w.Others), 0)
				want(t, w.Question, "")
			})
		})
	}
}

func TestAnAddressThatNobodyTypedIsMasked(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, _ := asked(t, h)
		owner := h.Browser("198.51.100.1")
		owner.SignsIn(t, annsJabber)
		gains(t, h, owner, addr(t, "private@example.org"))
		h.Mail(t)
		others := waits(t, h, b).Others
		want(t, len(others), 1)
		req, ok, err := h.Signin.Other(t.Context(), others[0].ID, b.By)
		check(t, err)
		want(t, ok, true)
		b.Asks(t, req)
		h.Mail(t)
		b.Resends(t)
		h.Mail(t)
		w := waits(t, h, b)
		want(t, w.Typed, w.Masked)
		b.Asks(t, signin.Request{ID: addr(t, "private@example.org"), Typed: "private@example.org"}) // who types it may see it
		want(t, waits(t, h, b).Typed, "private@example.org")
	})
}

func TestNoStopsTheAttempt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, m := asked(t, h)
		answers(t, h, m.Question, false)
		want(t, submits(t, h, b).Verdict, signin.Stopped)
		answers(t, h, m.Question, true) // too late
		want(t, submits(t, h, b).Verdict, signin.Stopped)
		e, err := h.Signin.SubmitCode(t.Context(), m.Code, b.By)
		check(t, err)
		want(t, e.Verdict, signin.Stopped)
	})
}

// An answer is worth what the code is worth.
func TestYesLetsNobodyInWhomTheCodeDoesNot(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, h *house, b *browser, m mail){
		"expired": func(_ *testing.T, h *house, _ *browser, _ mail) { h.Clock.Advance(11 * time.Minute) },
		"another success voids it": func(t *testing.T, h *house, _ *browser, _ mail) {
			h.Browser("198.51.100.9").SignsIn(t, annsJabber)
		},
		"deactivated": func(t *testing.T, h *house, b *browser, _ mail) {
			h.Exec(t, `UPDATE users SET deactivated_at = 1`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				b, m := asked(t, h)
				answers(t, h, m.Question, true)
				spoil(t, h, b, m)
				if v := submits(t, h, b).Verdict; v == signin.Accepted || v == signin.Unanswered {
					t.Errorf("verdict %v", v)
				}
			})
		})
	}
}

// Who cannot have the message cannot make up an answer to it.
func TestAnAnswerNeedsTheMessagesLink(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, m := asked(t, h)
		for _, link := range []string{"", "x", m.Question.NotMe, "https://login.example.org/login/link/" + h.Signin.UndoToken(1, 1).String()} {
			check(t, h.Signin.RecordAnswer(t.Context(), delivery.Question{ID: m.Question.ID, Link: link}, true))
		}
		want(t, submits(t, h, b).Verdict != signin.Accepted, true)
		check(t, h.Signin.RecordAnswer(t.Context(), delivery.Question{ID: m.Question.ID, NotMe: m.Question.Link}, false))
		want(t, waits(t, h, b).Verdict, signin.Accepted)
	})
}

func TestOnlyJabberAsksAndOnlyToSignIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		b := h.Browser("192.0.2.1")
		ann := addr(t, "ann@example.org")
		e, err := h.Signin.SubmitCode(t.Context(), b.Gets(t, ann).Code, b.By)
		check(t, err)
		b.By.Browser, _ = h.Signin.ReadBrowser(e.Browser)
		if m := b.Gets(t, ann); m.Question != nil {
			t.Errorf("mail asks %+v", m.Question)
		}
		want(t, waits(t, h, b).Question, "")
		want(t, submits(t, h, b).Verdict, signin.Unanswered)
		a, m := asked(t, h)
		want(t, m.Question.URL, "https://login.example.org/login")
		want(t, len(m.Question.ID), 6)
		a.By.Session = e.Session
		if m := adds(t, h, a, annsJabber); m.Question != nil {
			t.Errorf("adding asks %+v", m.Question)
		}
	})
}

func TestAnAnswerStandsSealedInTheDatabase(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		_, m := asked(t, h)
		answers(t, h, m.Question, true)
		for table, rows := range h.Dump(t) {
			for _, row := range rows {
				if strings.Contains(row, string(m.Link.Secret[:])) || strings.Contains(row, hex.EncodeToString(m.Link.Secret[:])) {
					t.Errorf("the link stands in %s", table)
				}
			}
		}
		if n := h.Count(t, `SELECT count(*) FROM attempts WHERE length(answer) > 0`); n != 1 {
			t.Errorf("%d answers are stored", n)
		}
	})
}
