package main

import (
	"net"
	"os"
	"strings"
	"testing"
)

func TestCheckTellsOfASenderThatNobodyTakes(t *testing.T) {
	t.Parallel()
	mail := openInbox()
	t.Cleanup(mail.close)
	for from, ok := range map[string]bool{
		"": false, "x@localhost": false, "Site <x@LOCALHOST>": false, "x@mail.localhost": false, "x@box.local": false, "x@login.example.org": true, "x@local.example": true,
	} {
		settings := []string{"DJAUTHY_DATABASE=sqlite:" + t.TempDir() + "/d.db", "DJAUTHY_PUBLIC_URL=https://login.example.org", "DJAUTHY_EMAIL_HOST=127.0.0.1", "DJAUTHY_EMAIL_TLS=none", "DJAUTHY_EMAIL_PORT=" + mail.port()}
		if from != "" {
			settings = append(settings, "DJAUTHY_EMAIL_FROM="+from)
		}
		s := &site{environ: settings}
		s.must(t, "migrate")
		out, errs, code := s.command("check")
		if (code == exitOK) != ok || !ok && !strings.Contains(out, "email.from") {
			t.Errorf("a sender %q: exit %d\n%s%s", from, code, out, errs)
		}
	}
	s := &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + t.TempDir() + "/d.db"}} // a newcomer's
	s.must(t, "migrate")
	if out := s.must(t, "check"); !strings.Contains(out, "understood: defaults and the environment, no file") || !strings.Contains(out, "stay in the local mailbox") {
		t.Errorf("check prints\n%s", out)
	}
	file := t.TempDir() + "/djauthy.toml"
	if err := os.WriteFile(file, []byte(`trusted_proxies = ["127.0.0.1/32"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.must(t, "check", "--config", file); !strings.Contains(out, "understood: "+file) || !strings.Contains(out, "on no page while trusted_proxies is set") {
		t.Errorf("check prints\n%s", out)
	}
}

func TestCheckSendPrintsTheMailServersWords(t *testing.T) {
	t.Parallel()
	s := start(t)
	if out := s.must(t, "check", "--send", "ann@people.example"); !strings.Contains(out, "the mail server said: 250 ") {
		t.Errorf("check prints\n%s", out)
	}
	out, _, code := s.command("check", "--send", "refused.person@people.example")
	if code != exitFailed || !strings.Contains(out, "550") || !strings.Contains(out, "no such mailbox") {
		t.Errorf("check prints, with exit %d,\n%s", code, out)
	}
}

// Nobody waits for minutes to hear that the port is the wrong one.
func TestCheckFindsAServerThatWaitsForTLS(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // says nothing until it is spoken to, and then in TLS
				defer func() { _ = c.Close() }()
				if _, err := c.Read(make([]byte, 4096)); err == nil {
					_, _ = c.Write([]byte("\x15\x03\x01\x00\x02\x02\x28"))
				}
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s := &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + t.TempDir() + "/d.db", "DJAUTHY_EMAIL_HOST=127.0.0.1", "DJAUTHY_EMAIL_PORT=" + port}}
	s.must(t, "migrate")
	if out, _, code := s.command("check"); code != exitFailed || !strings.Contains(out, "this port speaks TLS at once: set email.tls to implicit") {
		t.Errorf("check prints, with exit %d,\n%s", code, out)
	}
}

// What is wrong is said once, and a server that takes a minute to refuse a log-in is
// asked once.
func TestCheckSendsNothingByAServerThatFails(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	s := &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + t.TempDir() + "/d.db", "DJAUTHY_EMAIL_HOST=127.0.0.1", "DJAUTHY_EMAIL_PORT=" + port}}
	s.must(t, "migrate")
	out, _, code := s.command("check", "--send", "ann@people.example")
	if code != exitFailed || strings.Count(out, "connection refused") != 1 || !strings.Contains(out, "not sent: see email") {
		t.Errorf("check prints, with exit %d,\n%s", code, out)
	}
}
