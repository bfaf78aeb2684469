package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
	"github.com/djauthy/djauthy/internal/mailbox"
	"github.com/djauthy/djauthy/internal/seal"
)

// sent sends a message through the wording and a mail server and returns what
// that got.
func sent(t *testing.T, m delivery.Message) envelope {
	t.Helper()
	s := serve(t, nil)
	said, err := deliverytest.Channels(t, s.sender(t)).Send(t.Context(), m, time.Now())
	check(t, err)
	want(t, said, "250 2.0.0 queued")
	all := s.received()
	want(t, len(all), 1)
	return all[0]
}

func parse(t *testing.T, e envelope) *mail.Message {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(e.data))
	check(t, err)
	return m
}

// parts are the bodies by content type, and their order.
func parts(t *testing.T, m *mail.Message) (bodies map[string]string, order []string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	check(t, err)
	want(t, kind, "multipart/alternative")
	bodies = map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return bodies, order
		}
		check(t, err)
		var body io.Reader = p
		if p.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(p)
		}
		b, err := io.ReadAll(body)
		check(t, err)
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		check(t, err)
		bodies[kind], order = strings.ReplaceAll(string(b), "\r\n", "\n"), append(order, kind)
	}
}

// link is a message's link with a token as they are.
func link(path string) string {
	return "https://login.example.org" + path + seal.NewToken(1234567890123456789).String()
}

// A text is made at its first message, so that a start does not wait for all of them: here each is.
func TestEveryTextCanBeMade(t *testing.T) {
	all := delivery.MakeAll(deliverytest.Channels(t, serve(t, nil).sender(t)))
	want(t, len(all) > 5, true)
	for kind, err := range all {
		if err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestAMessageHasOneReaderAndTellsNothingOfUs(t *testing.T) {
	e := sent(t, deliverytest.Message("ann@example.net", "123456"))
	want(t, e.helo, "login.example.org")
	want(t, len(e.to), 1)
	want(t, e.to[0], "TO:<ann@example.net>")
	if !strings.HasPrefix(e.from, "FROM:<noreply@example.org>") {
		t.Errorf("MAIL %s", e.from)
	}
	m := parse(t, e)
	for name, values := range m.Header {
		switch name {
		case "User-Agent", "X-Mailer", "Bcc", "Cc", "Received":
			t.Errorf("%s: %v", name, values)
		}
		want(t, len(values), 1)
	}
	want(t, m.Header.Get("To"), "<ann@example.net>")
	want(t, m.Header.Get("From"), `"Example" <noreply@example.org>`)
	want(t, m.Header.Get("Auto-Submitted"), "auto-generated")
	if at, err := m.Header.Date(); err != nil || time.Since(at).Abs() > time.Hour {
		t.Errorf("Date is %v, %v", at, err)
	}
	if id := m.Header.Get("Message-ID"); !regexp.MustCompile(`^<[a-z0-9.]+@example\.org>$`).MatchString(id) {
		t.Errorf("Message-ID is %s", id)
	}
	if host, err := os.Hostname(); err == nil && len(host) > 3 && strings.Contains(e.data, host) {
		t.Error("it names this machine")
	}
}

var digits = regexp.MustCompile(`[0-9]{6,8}`)

func TestTheTextOpensWithTheCodeAndEndsWithTheOrigin(t *testing.T) {
	for _, lang := range []string{"en", "de", "xx"} {
		for _, code := range []string{"123456", "12345678", "abcdefghjk"} {
			t.Run(lang+" "+code, func(t *testing.T) {
				m := deliverytest.Message("ann@example.net", code)
				m.Lang, m.Text.Link, m.Text.NotMe = lang, link("/login/link/"), link("/login/not-me/")
				got := parse(t, sent(t, m))
				bodies, order := parts(t, got)
				want(t, strings.Join(order, " "), "text/plain text/html")
				text := bodies["text/plain"]
				lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
				want(t, lines[0], code)
				want(t, lines[len(lines)-1], "@login.example.org #"+code)
				for _, run := range digits.FindAllString(text, -1) {
					want(t, run, code)
				}
				for _, part := range []string{"Firefox on Linux", "192.0.2.0/24", "03:04 UTC", "Example", "10", m.Text.Link, m.Text.NotMe} {
					if !strings.Contains(text, part) {
						t.Errorf("%q is missing in the text:\n%s", part, text)
					}
					if !strings.Contains(bodies["text/html"], part) {
						t.Errorf("%q is missing in the HTML", part)
					}
				}
				if strings.Contains(text, "&#") || strings.Contains(text, "mail.code.") || strings.Contains(bodies["text/html"], "mail.code.") {
					t.Errorf("escapes or keys in the text:\n%s", text)
				}
				subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
				check(t, err)
				if !strings.Contains(subject, code) || !strings.Contains(subject, "Example") {
					t.Errorf("the subject is %q", subject)
				}
			})
		}
	}
}

func TestAMessageIsSmallAndInItsLanguage(t *testing.T) {
	seen := map[string]bool{}
	for _, lang := range []string{"en", "de"} {
		m := deliverytest.Message("ann@example.net", "123456")
		m.Lang, m.Text.Link, m.Text.NotMe = lang, link("/login/link/"), link("/login/not-me/")
		e := sent(t, m)
		if len(e.data) > 10_000 {
			t.Errorf("%s: %d bytes", lang, len(e.data))
		}
		for line := range strings.SplitSeq(e.data, "\r\n") {
			if len(line) > 998 { // RFC 5322 2.1.1
				t.Errorf("%s: a line of %d bytes", lang, len(line))
			}
		}
		bodies, _ := parts(t, parse(t, e))
		if !strings.Contains(bodies["text/html"], `lang="`+lang+`"`) {
			t.Errorf("%s: the HTML is in another language", lang)
		}
		seen[strings.ReplaceAll(bodies["text/plain"], m.Text.Link, "")] = true
	}
	want(t, len(seen), 2)
}

func TestAHostileBrandNameStaysText(t *testing.T) {
	for _, name := range []string{
		`A <b>"bold"</b> & Söhne`, "{{.Code}}", "日本語の店", "a@b.example, c@d.example", "x" + strings.Repeat("y", 300), "123456",
	} {
		t.Run(name[:min(len(name), 20)], func(t *testing.T) {
			m := deliverytest.Message("ann@example.net", "987654")
			m.Text.Site = name
			e := sent(t, m)
			want(t, len(e.to), 1)
			got := parse(t, e)
			want(t, len(got.Header["To"]), 1)
			subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			check(t, err)
			if !strings.Contains(subject, name) {
				t.Errorf("the subject is %q", subject)
			}
			bodies, _ := parts(t, got)
			if !strings.Contains(bodies["text/plain"], name) {
				t.Errorf("the text is %q", bodies["text/plain"])
			}
			if html := bodies["text/html"]; strings.Contains(html, "<b>") || strings.Contains(html, `"bold"`) {
				t.Errorf("the HTML is %q", html)
			}
		})
	}
}

func TestABrandNameOfTwoLinesIsNoSetting(t *testing.T) {
	for _, name := range []string{"A\r\nBcc: eve@example.org", "A\nB", "A\x00B"} {
		if _, _, err := config.Load("", nil, []string{"DJAUTHY_BRAND_NAME=" + name}, os.ReadFile); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestAHostileAddressReachesOneMailboxOrNone(t *testing.T) {
	for _, to := range []string{
		"ann@example.net\r\nRCPT TO:<eve@example.org>", "ann@example.net, eve@example.org", "ann@example.net; eve@example.org",
		"<ann@example.net> <eve@example.org>", "ann@example.net>\r\nDATA", "\"a\r\nBcc: eve@example.org\"@example.net", "ann\u2028@example.net", "a\x00@example.net",
		"ann@example.net ORCPT=rfc822;eve@example.org",
	} {
		if _, refused := (accounts.Discovery{FoldLocalPart: true}).Find(to, ""); refused == "" {
			t.Errorf("%q is an id", to)
		}
		// And if one came this far all the same:
		s := serve(t, nil)
		w := worded
		w.To = to
		_, err := s.sender(t).Send(context.Background(), w)
		for _, e := range s.received() {
			if len(e.to) != 1 || strings.Contains(fmt.Sprint(e.to), "eve@example.org>") || strings.Contains(e.data, "\nBcc:") || strings.Contains(e.data, "\nRCPT") {
				t.Errorf("%q: sent to %q", to, e.to)
			}
		}
		if s.said("RCPT") > 1 {
			t.Errorf("%q: %d RCPT, %v", to, s.said("RCPT"), err)
		}
	}
}

func TestAnAddressBeyondASCIIIsReached(t *testing.T) {
	arrived := make(chan mailbox.Message, 1)
	box, err := mailbox.Listen(func(m mailbox.Message) { arrived <- m }) // go-smtp with SMTPUTF8
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx) }()
	sender, err := delivery.NewSMTP(delivery.SMTP{Host: "127.0.0.1", Port: box.Port(), TLS: "none", From: "noreply@example.org", Helo: "login.example.org"})
	check(t, err)
	id, refused := accounts.Discovery{FoldLocalPart: true}.Find("Jörg@Bücher.example", "")
	want(t, refused, "")
	w := worded
	w.To = id.Identifier
	_, err = sender.Send(t.Context(), w)
	check(t, err)
	m := deliverytest.Next(t, arrived)
	want(t, m.To, "jörg@xn--bcher-kva.example")
	want(t, m.Subject, worded.Subject)
	stop()
	check(t, deliverytest.Next(t, ended))
}

func TestAChangeIsUndoneByALinkElsewhereOrByTheAdministrator(t *testing.T) {
	all := map[string][]string{
		"link":      {"undo it, within seven days", "Machen Sie es rückgängig"},
		"elsewhere": {"open the message that we sent to your oldest address here", "Öffnen Sie die Nachricht an Ihre älteste Adresse hier"},
		"nowhere":   {"not you: ask the administrator of this site", "nicht waren: Fragen Sie die Administration dieser Seite"},
	}
	for way, says := range all {
		for i, lang := range []string{"en", "de"} {
			text := delivery.Text{Site: "Example", Address: "b…b@example.org", Elsewhere: way == "elsewhere"}
			if way == "link" {
				text.NotMe = link("/account/undo/")
			}
			m := delivery.Message{To: accounts.ID{Implementation: accounts.Email, Identifier: "ann@example.net"}, Kind: "removed", Lang: lang, Text: text}
			bodies, _ := parts(t, parse(t, sent(t, m)))
			for kind, body := range bodies {
				plain := strings.NewReplacer("<strong>", "", "</strong>", "").Replace(body)
				if !strings.Contains(plain, says[i]) || strings.Contains(body, "/account/undo/") != (way == "link") || strings.Contains(body, `href=""`) {
					t.Errorf("%s %s, %s:\n%s", lang, kind, way, body)
				}
				for other, texts := range all {
					if other != way && strings.Contains(plain, texts[i]) {
						t.Errorf("%s %s, %s says %q", lang, kind, way, texts[i])
					}
				}
			}
		}
	}
}
