package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
)

// jabberSettings are how to reach a Jabber server of a test as a client.
func jabberSettings(t *testing.T, p *deliverytest.Prosody) []string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, p.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	j := p.Client()
	return []string{"DJAUTHY_JABBER_JID=" + j.ID, "DJAUTHY_JABBER_PASSWORD=" + j.Secret, "DJAUTHY_JABBER_SERVER=" + j.Server, "DJAUTHY_JABBER_CA=" + ca, "DJAUTHY_JABBER_DOMAINS=localhost"}
}

// codeIn is the code in a message that came by Jabber.
func codeIn(m deliverytest.Chat) string {
	code, _, _ := strings.Cut(m.Body, "\n")
	return code
}

func TestACodeByJabberSignsIn(t *testing.T) {
	t.Parallel()
	p := deliverytest.OpenProsody(t, "login", "ann")
	arrived := p.Listen(t)
	if !deliverytest.Next(t, arrived).Here {
		t.Fatal("ann is not there")
	}
	component := p.AsComponent()
	for from, settings := range map[string][]string{
		"login@localhost":       jabberSettings(t, p),
		"codes@login.localhost": {"DJAUTHY_JABBER_JID=" + component.ID, "DJAUTHY_JABBER_PASSWORD=" + component.Secret, "DJAUTHY_JABBER_SERVER=" + component.Server},
	} {
		s := start(t, settings...)
		b := s.browser(t)
		b.post("/login", "id", "xmpp:Ann@localhost/phone").want(t, http.StatusSeeOther, "/login/code")
		m := deliverytest.Next(t, arrived)
		if m.From != from || !sixDigits.MatchString(codeIn(m)) || !strings.HasPrefix(m.Subject, codeIn(m)) {
			t.Errorf("%+v", m)
		}
		b.submit(codeIn(m)).want(t, http.StatusSeeOther, "/account")
		if page := b.get("/account").body; !strings.Contains(page, "ann@localhost") || !strings.Contains(page, "Jabber") {
			t.Errorf("the account page does not show the id:\n%s", seen(page))
		}
		s.must(t, "check") // beside the running stream, also of a component
		want := "handed over"
		if from != "login@localhost" { // which has one connection
			want = "handed over by the server that runs"
		}
		if out := s.must(t, "check", "--send", "xmpp:ann@localhost"); !strings.Contains(out, want) {
			t.Errorf("check prints\n%s", out)
		}
		if m := deliverytest.Next(t, arrived); !strings.HasPrefix(m.Body, "This is a test message") {
			t.Errorf("%+v", m)
		}
		b = s.browser(t)
		b.post("/login", "id", "xmpp:ann@localhost").want(t, http.StatusSeeOther, "/login/code")
		b.submit(codeIn(deliverytest.Next(t, arrived))).want(t, http.StatusSeeOther, "/account")
	}
}

func TestARestartOfTheJabberServerMakesACodeLate(t *testing.T) {
	t.Parallel()
	p := deliverytest.OpenProsody(t, "login", "ann")
	s := start(t, jabberSettings(t, p)...)
	p.Stop(syscall.SIGKILL)
	b := s.browser(t)
	b.post("/login", "id", "ann@localhost").want(t, http.StatusSeeOther, "/login/code")
	deliverytest.Until(t, "the first try has not failed", func() bool {
		return strings.Contains(s.must(t, "messages", "list", "--json"), "Jabber server")
	})
	p.Start(t)
	arrived := p.Listen(t)
	deliverytest.Next(t, arrived)
	b.submit(codeIn(deliverytest.Next(t, arrived))).want(t, http.StatusSeeOther, "/account")
}

// What comes back is for the administrator; the visitor sees the same as everybody.
func TestAMessageThatComesBackIsShownToTheAdministratorAlone(t *testing.T) {
	t.Parallel()
	p := deliverytest.OpenProsody(t, "login", "ann")
	s := start(t, jabberSettings(t, p)...)
	b := s.browser(t)
	b.post("/login", "id", "xmpp:nobody@localhost").want(t, http.StatusSeeOther, "/login/code")
	deliverytest.Until(t, "it does not come back", func() bool {
		return strings.Contains(s.must(t, "messages", "list", "--state", "bounced", "--json"), "service-unavailable")
	})
	page := seen(b.get("/login/code").body)
	if strings.Contains(page, "service-unavailable") || strings.Contains(page, "back") {
		t.Errorf("the visitor is told:\n%s", page)
	}
	if s.house.outbox.Closed("jabber") {
		t.Error("one id that does not exist closes the channel")
	}
}
