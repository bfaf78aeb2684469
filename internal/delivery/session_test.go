package delivery_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
	"github.com/djauthy/djauthy/internal/outbox"
)

// after replies correctly, but late.
func after(step string, d time.Duration) func(string, int) string {
	return func(s string, _ int) string {
		if s == step {
			<-time.After(d)
		}
		return ""
	}
}

// Each reply has its own time limit, so that a server may be slow at all of them.
func TestASlowServerHasItsTimeAtEachStage(t *testing.T) {
	const limit = 600 * time.Millisecond
	for _, step := range []string{"dial", "EHLO", "MAIL", "RCPT", "DATA", "sent"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := serve(t, after(step, limit/3))
			sender := s.sender(t)
			delivery.Hurry(sender, limit, limit)
			check(t, send(t.Context(), sender, worded))
			want(t, len(s.received()), 1)
		})
	}
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(string, int) string { <-time.After(limit / 3); return "" })
		sender := s.sender(t)
		delivery.Hurry(sender, limit, limit)
		check(t, send(t.Context(), sender, worded)) // longer than the limit in all
	})
	t.Run("the end of the data has more", func(t *testing.T) {
		t.Parallel()
		s := serve(t, after("sent", limit))
		sender := s.sender(t)
		delivery.Hurry(sender, limit/3, deliverytest.Patience)
		check(t, send(t.Context(), sender, worded))
	})
	t.Run("by default as RFC 5321 says", func(t *testing.T) {
		sender, err := delivery.NewSMTP(delivery.SMTP{Host: "localhost", Port: 25, TLS: "none", From: "a@example.org", Helo: "localhost"})
		check(t, err)
		answer, end := delivery.Limits(sender)
		want(t, answer, 5*time.Minute)
		want(t, end, 10*time.Minute)
	})
}

func TestTheOutcomeAfterTheDataIsUnknownOnlyWithoutAnAnswer(t *testing.T) {
	for _, c := range []struct {
		step, answer string
		unknown      bool
	}{
		{"sent", hangUp, true},
		{"sent", stall, true},
		{"sent", "what?", true},
		{"sent", "451 4.3.0 try later", false},
		{"sent", "421 4.3.2 going down", false},
		{"sent", "554 5.7.1 looks like spam", false},
		{"DATA", hangUp, false},
		{"RCPT", stall, false},
	} {
		t.Run(c.step+" "+c.answer, func(t *testing.T) {
			s := serve(t, at(c.step, c.answer))
			sender := s.sender(t)
			delivery.Hurry(sender, 300*time.Millisecond, 300*time.Millisecond)
			want(t, refusal(t, send(t.Context(), sender, worded)).Unknown, c.unknown)
		})
	}
}

func TestAKeptConnectionThatRefusesIsFollowedByAFreshOneAtOnce(t *testing.T) {
	for _, c := range []struct{ step, answer string }{
		{"MAIL", "450 4.7.0 too many messages in this session"},
		{"MAIL", "550 5.7.0 too many messages in this session"},
		{"MAIL", "421 4.7.0 too many messages"},
		{"MAIL", "503 5.5.1 nested MAIL command"},
		{"MAIL", "what?"},
		{"MAIL", hangUp},
		{"RCPT", "421 4.7.0 too many recipients"},
		{"RCPT", "452 4.5.3 too many recipients"},
		{"RCPT", hangUp},
		{"DATA", "421 4.3.2 going down"},
		{"DATA", hangUp},
		{"sent", "421 4.3.2 going down"},
	} {
		t.Run(c.step+" "+c.answer, func(t *testing.T) {
			s := serve(t, nil)
			sender := s.sender(t)
			check(t, send(t.Context(), sender, worded))
			s.answers(func(step string, n int) string {
				if step == c.step && n == 1 {
					return c.answer
				}
				return ""
			})
			check(t, send(t.Context(), sender, worded))
			want(t, s.dialled(), 2)
			want(t, len(s.received()), 2)
		})
	}
}

func TestTheServersEndOfASessionIsFollowedByOneFreshConnection(t *testing.T) {
	for _, step := range []string{"MAIL", "RCPT", "DATA", "sent"} {
		t.Run(step, func(t *testing.T) {
			s := serve(t, at(step, "421 4.3.2 going down"))
			refusal(t, send(t.Context(), s.sender(t), worded))
			want(t, s.dialled(), 2) // and not for ever
			s = serve(t, func(x string, n int) string {
				if x == step && n == 1 {
					return "421 4.3.2 going down"
				}
				return ""
			})
			check(t, send(t.Context(), s.sender(t), worded))
			want(t, len(s.received()), 1)
		})
	}
}

func TestARefusedRecipientIsAskedForOnce(t *testing.T) {
	s := serve(t, nil)
	sender := s.sender(t)
	check(t, send(t.Context(), sender, worded))
	s.answers(at("RCPT", "550 5.1.1 <ann@example.net>: no such user"))
	se := refusal(t, send(t.Context(), sender, worded))
	want(t, se.Permanent, true)
	want(t, se.Said, "550 5.1.1 <a***n@example.net>: no such user")
	want(t, s.said("RCPT"), 2)
}

func TestOddServersAreUnderstood(t *testing.T) {
	for name, answer := range map[string]func(string, int) string{
		"many lines":    at("dial", "220-welcome\r\n220-to our\r\n220 server"),
		"no EHLO":       at("EHLO", "502 5.5.2 what?"),
		"no extensions": at("EHLO", "250 mx"),
		"a long answer": at("RCPT", "250-"+strings.Repeat("x", 50_000)+"\r\n250 ok"),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answer)
			check(t, send(t.Context(), s.sender(t), worded))
			want(t, len(s.received()), 1)
		})
	}
}

func TestAMessageAsksForTheExtensionsThatItNeedsAndNoOthers(t *testing.T) {
	for _, c := range []struct{ to, from, mail, rcpt string }{
		{"ann@example.net", "noreply@example.org", "FROM:<noreply@example.org>", "TO:<ann@example.net>"},
		{"ann@example.net", "Site <noreply@bücher.example>", "FROM:<noreply@xn--bcher-kva.example>", "TO:<ann@example.net>"},
		{"jörg@example.net", "noreply@example.org", "FROM:<noreply@example.org> BODY=8BITMIME SMTPUTF8", "TO:<jörg@example.net>"},
		{"ann@example.net", "jörg@example.org", "FROM:<jörg@example.org> BODY=8BITMIME SMTPUTF8", "TO:<ann@example.net>"},
	} {
		s := serve(t, nil)
		w := worded
		w.To, w.Text = c.to, "123456\n\nGrüße\n.\n"
		check(t, send(t.Context(), s.sender(t, func(x *delivery.SMTP) { x.From = c.from }), w))
		e := s.received()[0]
		want(t, e.from, c.mail)
		want(t, e.to[0], c.rcpt)
		if m := parse(t, e); !strings.Contains(c.from, "ö") && strings.ContainsFunc(m.Header.Get("From")+m.Header.Get("Message-Id"), func(r rune) bool { return r > 127 }) {
			t.Errorf("the header holds the domain as %q, %q", m.Header.Get("From"), m.Header.Get("Message-Id"))
		}
	}
}

func TestAnAddressBeyondASCIIIsRefusedWhereTheServerCannotTakeIt(t *testing.T) {
	s := start(t, &server{offers: []string{"8BITMIME"}})
	w := worded
	w.To = "jörg@example.net"
	se := refusal(t, send(t.Context(), s.sender(t), w))
	want(t, se.Permanent, true)
	want(t, se.Down, false)
	want(t, strings.Contains(se.Reason, "SMTPUTF8"), true)
	want(t, len(s.received()), 0)
	check(t, send(t.Context(), s.sender(t), worded))
}

func TestTheSenderIsIntroducedInASCII(t *testing.T) {
	for host, wanted := range map[string]string{
		"login.example.org": "login.example.org", "127.0.0.1": "[127.0.0.1]", "::1": "[IPv6:::1]", "bücher.example": "xn--bcher-kva.example",
	} {
		s := serve(t, nil)
		check(t, send(t.Context(), s.sender(t, func(x *delivery.SMTP) { x.Helo = host }), worded))
		want(t, s.received()[0].helo, wanted)
	}
}

func TestARefusalIsForTheMessageOrForAllOrForNow(t *testing.T) {
	for _, c := range []struct {
		step, answer    string
		permanent, down bool
		says            string
	}{
		{"MAIL", "530 5.7.0 Authentication required", false, true, "email.username"},
		{"MAIL", "530 5.7.0 Must issue a STARTTLS command first", false, true, "email.tls"},
		{"MAIL", "553 5.7.1 <noreply@example.org>: Sender address rejected", false, true, "email.from"},
		{"RCPT", "530 5.7.0 Authentication required", false, true, "email.username"},
		{"RCPT", "554 5.7.1 <ann@example.net>: Relay access denied", true, false, "email.username"},
		{"RCPT", "552 too many recipients", false, false, ""},
		{"RCPT", "552 5.2.2 mailbox full", true, false, ""},
		{"RCPT", "451 4.7.1 greylisted, come back in 5 minutes", false, false, ""},
		{"DATA", "503 5.5.1 no valid recipients", false, false, ""},
		{"sent", "554 5.6.0 subject 123456 is your code", true, false, ""},
	} {
		s := serve(t, at(c.step, c.answer))
		_, err := deliverytest.Channels(t, s.sender(t)).Send(t.Context(), deliverytest.Message(worded.To, "123456"), time.Now())
		se := refusal(t, err)
		if se.Permanent != c.permanent || se.Down != c.down || !strings.Contains(se.Reason, c.says) {
			t.Errorf("%s %s: permanent %v, down %v: %s", c.step, c.answer, se.Permanent, se.Down, se.Reason)
		}
		if !strings.HasPrefix(se.Said, c.answer[:3]) || strings.Contains(se.Said, "ann@") || strings.Contains(se.Said, "123456") {
			t.Errorf("the server's words become %q", se.Said)
		}
	}
}

// certificate is one that nobody trusts.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestFaultsOfConfigurationAreNamedWithTheirSetting(t *testing.T) {
	cert := certificate(t)
	for name, c := range map[string]struct {
		server  *server
		setting func(*delivery.SMTP)
		says    string
	}{
		"TLS at once":                 {&server{tls: cert, implicit: true}, tlsIs("starttls"), "this port speaks TLS at once: set email.tls to implicit"},
		"TLS at once, none set":       {&server{tls: cert, implicit: true}, tlsIs("none"), "set email.tls to implicit"},
		"a TLS alert":                 {&server{answer: at("dial", "\x15\x03\x01\x00\x02\x02\x28")}, tlsIs("none"), "set email.tls to implicit"},
		"plain where TLS is expected": {&server{}, tlsIs("implicit"), "set email.tls to starttls"},
		"no STARTTLS":                 {&server{}, tlsIs("starttls"), "does not offer STARTTLS"},
		"untrusted":                   {&server{tls: cert, offers: []string{"STARTTLS"}}, tlsIs("starttls"), "certificate signed by unknown authority"},
		"untrusted at once":           {&server{tls: cert, implicit: true}, tlsIs("implicit"), "SSL_CERT_FILE"},
		"STARTTLS refused":            {&server{offers: []string{"STARTTLS"}, answer: at("STARTTLS", "454 4.7.0 TLS not available")}, tlsIs("starttls"), "454 4.7.0 TLS not available"},
		"injected before TLS":         {&server{offers: []string{"STARTTLS"}, answer: at("STARTTLS", "220 go on\r\n250 injected")}, tlsIs("starttls"), "spoke before TLS"},
		"a web server":                {&server{answer: at("dial", "HTTP/1.1 400 Bad Request")}, tlsIs("none"), "check email.port"},
		"hangs up":                    {&server{answer: at("dial", hangUp)}, tlsIs("none"), "the connection broke"},
		"busy":                        {&server{answer: at("dial", "421 4.3.2 too busy for <ann@example.net>")}, tlsIs("none"), "421 4.3.2 too busy for <a***n@example.net>"},
		"nobody there":                {&server{}, func(x *delivery.SMTP) { x.Port = 1 }, "connection refused, nothing listens there: check email.host and email.port"},
		"no such host":                {&server{}, func(x *delivery.SMTP) { x.Host = "nowhere.invalid" }, "email.host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c.server)
			sender := s.sender(t, func(x *delivery.SMTP) { x.Timeout = 2 * time.Second }, c.setting)
			err := sender.Check(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Check says %v, want %q", err, c.says)
			}
			se := refusal(t, send(t.Context(), sender, worded))
			if want(t, se.Down, true); !strings.Contains(se.Error(), c.says) {
				t.Errorf("Send says %v", se.Error())
			}
		})
	}
}

func tlsIs(how string) func(*delivery.SMTP) { return func(x *delivery.SMTP) { x.TLS = how } }

func TestCheckEndsWithItsContext(t *testing.T) {
	s := serve(t, at("dial", stall))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.sender(t).Check(ctx) }()
	if err := deliverytest.Next(t, done); err == nil {
		t.Error("a server that says nothing is found good")
	}
}

// The page of a person who waits says that mail does not work long before the
// time limit of the greeting.
func TestAServerThatLetsNobodyInIsDownBeforeItIsGivenUp(t *testing.T) {
	for _, step := range []string{"dial", "EHLO"} {
		t.Run(step, func(t *testing.T) {
			s := serve(t, at(step, stall))
			sender := s.sender(t)
			delivery.Hurry(sender, deliverytest.Patience, deliverytest.Patience)
			delivery.StuckAfter(sender, 50*time.Millisecond)
			p := deliverytest.NewPost()
			d := dbtest.Fresh(t, "sqlite")
			o := deliverytest.Queue(t, d, sender, p)
			o.FinishFor = time.Millisecond
			deliverytest.Runs(t, o)
			o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "123456"))[0])
			deliverytest.Until(t, "the channel is not down", func() bool { return o.Down("email") })
			want(t, len(p.Permanent), 0)
			s.answers(func(string, int) string { return "" })
			o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ben@example.org", "123456"))[0])
			deliverytest.Next(t, p.Took)
			want(t, o.Down("email"), false)
		})
	}
	// One slow message is nobody else's matter.
	var o *outbox.Outbox
	down := make(chan bool, 1)
	s := serve(t, func(step string, _ int) string {
		if step == "sent" {
			<-time.After(200 * time.Millisecond)
			down <- o.Down("email")
		}
		return ""
	})
	sender := s.sender(t)
	delivery.StuckAfter(sender, 50*time.Millisecond)
	p := deliverytest.NewPost()
	d := dbtest.Fresh(t, "sqlite")
	o = deliverytest.Queue(t, d, sender, p)
	deliverytest.Runs(t, o)
	o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "123456"))[0])
	want(t, deliverytest.Next(t, down), false)
	deliverytest.Next(t, p.Took)
}
