package signintest

import (
	"errors"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

// Browser is somebody at a browser: it keeps the cookies it is given.
type Browser struct {
	House *House
	By    signin.Requester // with the cookies that it has
}

// Browser opens a fresh browser at a network address.
func (h *House) Browser(network string) *Browser {
	b, _ := h.Signin.ReadBrowser("")
	return &Browser{h, signin.Requester{
		Browser: b, Network: network, Words: h.Words.Get("en"), Client: audit.Client{Prefix: "192.0.2.0/24", Agent: "Firefox/Linux"},
	}}
}

// Asks requests a code and keeps the attempt's cookie.
func (b *Browser) Asks(t testing.TB, ask signin.Request) signin.Started {
	t.Helper()
	asked, err := b.House.Signin.Start(t.Context(), ask, b.By)
	dbtest.Check(t, err)
	return b.take(asked)
}

func (b *Browser) take(asked signin.Started) signin.Started {
	if asked.Attempt.ID != 0 {
		b.By.Attempt = asked.Attempt
	}
	return asked
}

// Gets requests a code for id and reads the message.
func (b *Browser) Gets(t testing.TB, id accounts.ID) Mail {
	t.Helper()
	if asked := b.Asks(t, signin.Request{ID: id}); asked.Wait > 0 {
		t.Fatalf("refused for %v", asked.Wait)
	}
	return b.House.Mail(t)
}

// Resends has one more code sent.
func (b *Browser) Resends(t testing.TB) signin.Started {
	t.Helper()
	asked, err := b.House.Signin.Resend(t.Context(), b.By)
	dbtest.Check(t, err)
	return b.take(asked)
}

// GetsAgain requests another code and reads it.
func (b *Browser) GetsAgain(t testing.TB) Mail {
	t.Helper()
	if asked := b.Resends(t); asked.Wait > 0 || asked.Gone {
		t.Fatalf("not sent again: %+v", asked)
	}
	return b.House.Mail(t)
}

// Types submits a code, and takes the cookies if that signs in.
func (b *Browser) Types(t testing.TB, code string) signin.Entered {
	t.Helper()
	return b.entered(t)(b.House.Signin.SubmitCode(t.Context(), code, b.By))
}

// Clicks submits a link, and takes the cookies if that signs in.
func (b *Browser) Clicks(t testing.TB, link seal.Token) signin.Entered {
	t.Helper()
	return b.entered(t)(b.House.Signin.SubmitLink(t.Context(), link, b.By))
}

func (b *Browser) entered(t testing.TB) func(e signin.Entered, err error) signin.Entered {
	return func(e signin.Entered, err error) signin.Entered {
		t.Helper()
		dbtest.Check(t, err)
		if e.Verdict == signin.Accepted {
			b.By.Session = e.Session
			b.By.Browser, _ = b.House.Signin.ReadBrowser(e.Browser)
		}
		return e
	}
}

// SignsIn requests a code, reads it and submits it.
func (b *Browser) SignsIn(t testing.TB, id accounts.ID) signin.Entered {
	t.Helper()
	e := b.Types(t, b.Gets(t, id).Code)
	if e.Verdict != signin.Accepted {
		t.Fatalf("%s: verdict %v", id.Identifier, e.Verdict)
	}
	return e
}

// IsIn reports whether the browser's session is valid.
func (b *Browser) IsIn(t testing.TB) bool {
	t.Helper()
	_, err := b.House.Signin.Sessions.Check(t.Context(), b.By.Session)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// Waiting is what the code page shows.
func (b *Browser) Waiting(t testing.TB) signin.Waiting {
	t.Helper()
	w, err := b.House.Signin.Wait(t.Context(), b.By)
	dbtest.Check(t, err)
	return w
}

// Owner is the person in the browser, who acts on their own account.
func (b *Browser) Owner() directory.Owner {
	return directory.Owner{Session: b.By.Session, Client: b.By.Client}
}

// Disowns opens the link of "it was not me", and presses its button if confirmed.
func (b *Browser) Disowns(t *testing.T, token seal.Token, confirmed bool) signin.Disowned {
	t.Helper()
	d, err := b.House.Signin.NotMe(t.Context(), token, confirmed, b.By)
	dbtest.Check(t, err)
	return d
}

// At moves a browser to another machine; its cookies stay.
func (b *Browser) At(h *House) *Browser { return &Browser{h, b.By} }

// Keeps is the browser after it was given another browser cookie.
func (b *Browser) Keeps(cookie string) { b.By.Browser, _ = b.House.Signin.ReadBrowser(cookie) }
