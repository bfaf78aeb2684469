package signin_test

import (
	"errors"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

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

// owner is the person in the browser, who acts on their own account.
func (b *browser) owner() directory.Owner {
	return directory.Owner{Session: b.by.Session, Client: b.by.Client}
}

func (b *browser) disowns(t *testing.T, token seal.Token, confirmed bool) signin.Disowned {
	t.Helper()
	d, err := b.h.s.NotMe(t.Context(), token, confirmed, b.by)
	check(t, err)
	return d
}

// at moves a browser to another machine; its cookies stay.
func (b *browser) at(h *house) *browser { return &browser{h, b.by} }
