package main

import (
	"context"
	"fmt"
	"os"

	"github.com/wneessen/go-mail"
)

// mailer sends the stand-in's messages outside the requests, each worker over
// a connection of its own that it keeps.
type mailer struct {
	queue chan letter
	pages pages
}

type letter struct{ to, code string }

const mailConnections = 4

func startMailer(port int, p pages) (*mailer, error) {
	m := &mailer{queue: make(chan letter, 4096), pages: p}
	for range mailConnections {
		c, err := mail.NewClient("127.0.0.1", mail.WithPort(port), mail.WithTLSPolicy(mail.NoTLS), mail.WithoutNoop(), mail.WithHELO("localhost"))
		if err != nil {
			return nil, err
		}
		if err := c.DialWithContext(context.Background()); err != nil {
			return nil, fmt.Errorf("reach the SMTP sink: %w", err)
		}
		go m.work(c)
	}
	return m, nil
}

func (m *mailer) work(c *mail.Client) {
	for l := range m.queue {
		if err := m.send(c, l); err != nil {
			// The browser that waits for it counts the failure.
			fmt.Fprintln(os.Stderr, "send:", err)
		}
	}
}

func (m *mailer) send(c *mail.Client, l letter) error {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From("noreply@localhost"); err != nil {
		return err
	}
	if err := msg.To(l.to); err != nil {
		return err
	}
	msg.Subject(l.code + " is your code for djauthy")
	msg.SetMessageID()
	msg.SetDate()
	msg.SetBodyString(mail.TypeTextPlain, l.code+"\n"+m.pages.text)
	msg.AddAlternativeString(mail.TypeTextHTML, "<!doctype html><html lang=en><body><p><b>"+l.code+"</b></p>"+m.pages.html+"</body></html>")
	return c.Send(msg)
}
