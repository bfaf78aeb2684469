package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Row 56.
func TestRow56_TheLogHoldsNoSecretAndOneLineAnEvent(t *testing.T) {
	t.Parallel()
	p, s := daemon(t, "DJAUTHY_LOG_LEVEL=debug")
	const victim = "pleased.to.meet.you@people.example"
	secrets := map[string]string{"address": victim, "refused address": "refused.person@people.example", "secret key": testKey}
	b := s.browser(t)
	l := b.ask(victim)
	b.get("/login/code")
	b.submit(wrong(l.code()))
	b.get(l.link())
	b.get("/login/link")
	s.browser(t).get(l.notMe())
	b.submit(l.code()).want(t, http.StatusSeeOther, "/account")
	b.get("/account")
	b.get("/forward-auth")
	secrets["code"], secrets["link"], secrets["not-me token"] = " "+l.code(), l.link(), l.notMe()
	for name, v := range b.cookies {
		secrets["cookie "+name] = v
	}
	secrets["client address"] = b.from.String()
	other := s.browser(t)
	m := other.ask("disowned.person@people.example")
	secrets["disowned address"], secrets["disowned token"] = "disowned.person", m.notMe()
	s.browser(t).post(m.notMe(), "confirm", "yes").want(t, http.StatusOK, "")
	s.browser(t).post("/login", "id", "refused.person@people.example").want(t, http.StatusSeeOther, "/login/code")
	forged := `x@people.example` + "\r\n" + `{"level":"ERROR","msg":"forged"}`
	s.browser(t).post("/login", "id", forged).want(t, http.StatusUnprocessableEntity, "")
	b.get("/nowhere/%0d%0aforged")
	b.do(http.MethodGet, "/login", "", "", map[string]string{"User-Agent": `forged"}`, "X-Request-Id": "forged"})
	b.do("BREW", "/"+l.code(), "", "", nil)
	r := s.raw(t)
	r.write("GET /" + m.code() + " HTTP/1.1\r\nHost: a\r\nHost: b\r\nCookie: " + b.cookies["djauthy"] + "\r\n\r\n")
	r.answers(2 * time.Second)
	r = s.raw(t)
	r.write("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: x" + victim + "\r\n\r\n")
	r.answers(2 * time.Second)
	s.await(t, "the refused message is in the log", func() bool { return strings.Contains(p.stderr.String(), "given up") })
	s.mail.close() // and one that cannot be sent yet
	s.browser(t).post("/login", "id", victim).want(t, http.StatusSeeOther, "/login/code")
	s.await(t, "the late message is in the log", func() bool { return strings.Contains(p.stderr.String(), "will try again") })
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(12 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}

	log := p.stderr.String()
	for name, secret := range secrets {
		if secret == "" {
			t.Errorf("no %s to look for", name)
		} else if strings.Contains(log, secret) || strings.Contains(p.stdout.String(), secret) {
			t.Errorf("the %s is in what the server printed", name)
		}
	}
	if strings.Contains(log, l.code()+`"`) || strings.Contains(log, "forged") {
		t.Errorf("the log holds what a client sent")
	}
	lines := bufio.NewScanner(strings.NewReader(log))
	for lines.Scan() {
		if firstLine.MatchString(lines.Text()) {
			continue
		}
		var event map[string]any
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil || event["msg"] == nil || event["level"] == nil || event["time"] == nil {
			t.Errorf("no log line: %s", lines.Text())
		}
	}
	for _, want := range []string{"signed in", "it wasn't me", "stopping"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not tell of %q", want)
		}
	}
	if p.stdout.String() != "" {
		t.Errorf("with a mail server, messages are printed:\n%s", p.stdout)
	}
}
