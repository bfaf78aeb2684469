package main

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Row 30. Whatever somebody types: they sign in as who can read the mailbox to
// which the message went, and as nobody else.
func TestRow30_NoSpellingSignsInAsAnotherMailbox(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_LIMITS_SEND_PER_ID=500/15m", "DJAUTHY_LIMITS_SEND_PER_ID_PREFIX=500/15m")
	const victim = "pascal@xn--bcher-kva.example"
	v := s.browser(t)
	v.signInAs("pascal@bücher.example", victim)
	name := s.userOf(t, v)
	const capitals, mixed = "PASCAL@xn--bcher-kva.example", "Pascal@xn--bcher-kva.example"
	for same, mailbox := range map[string]string{
		"PASCAL@BÜCHER.EXAMPLE": capitals, " Pascal@xn--bcher-kva.example ": mixed, "pascal@bu\u0308cher.example": victim, "pascal@BÜCHER.example.": victim,
		"pascal@bücher。example": victim, "pascal＠bücher.example": victim, "MAILTO:Pascal@bücher.example?subject=x": mixed,
		`"Bücher, Pascal" <pascal@bücher.example>;`: victim, "\u2066pascal@bücher.example\u2069": victim,
	} {
		s.clock.advance(time.Millisecond) // or its code would be as old as the last success
		b := s.browser(t)
		b.signInAs(same, mailbox)
		if s.userOf(t, b) != name {
			t.Errorf("%q is another person than %q", same, victim)
		}
	}
	for _, other := range []string{
		"pаscal@bücher.example", "pascal@bücher.еxample", "pascal\u200b@bücher.example", "pas\u200dcal@bücher.example", "pascal@bücher\u200b.example", "pascal@bucher.example",
		"pascal+x@bücher.example", "pas.cal@bücher.example", `"pascal"@bücher.example`, "pascal(x)@bücher.example", "(x)pascal@bücher.example", "pascal%bücher.example@people.example",
		"pascal@bücher.example@people.example", "people.example!pascal@bücher.example", "pascal@bücher.example.people.example", "ｐascal@bücher.example", "pasсal@bücher.example",
		"pascal\u00ad@bücher.example", "\u202epascal@bücher.example", "pascal@\u202ebücher.example", "ⓟascal@bücher.example", "𝐩ascal@bücher.example", "paſcal@bücher.example",
		"pascal@bücher.example\u3164", "pascal\ufe0f@bücher.example", "pascal@xn--bcher-kvа.example", "pascal @bücher.example", "pascal@ bücher.example", "páscal@bücher.example",
		"pascal@127.0.0.1", "pascal@[127.0.0.1]", "pascal@2130706433", "pascal@0x7f.1", "pascal@localhost", "pascal@bücher", "pascal@bücher..example", "pascal@-bücher.example", "pascal@bücher_x.example",
		"Pascal@gmail.com", "pascal@people.example#bücher.example", "pascal@people.example/bücher.example", "ﬁ@people.example", "pascal@bücher.example?x=1",
		"pascal@bücher.example <pascal@people.example>", "mailto:pascal%2540bücher.example@people.example", "pascal@bücher.example, pascal@people.example",
	} {
		b, before := s.browser(t), s.mail.size()
		a := b.post("/login", "id", other)
		if a.status == http.StatusUnprocessableEntity {
			continue
		}
		if a.status != http.StatusSeeOther {
			t.Errorf("%q answers %d", other, a.status)
			continue
		}
		s.sent(t)
		if s.mail.size() == before {
			t.Logf("%q is taken, and no message came", other)
			continue
		}
		if letters, _ := s.mail.to(victim); len(letters) > 0 {
			code := letters[len(letters)-1].code()
			if b.submit(code).status == http.StatusSeeOther {
				t.Errorf("%q reaches the victim's mailbox", other)
			}
		}
		if s.userOf(t, b) == name {
			t.Errorf("%q signed in as the victim", other)
		}
	}
}

// signInAs types an id and reads the message in the mailbox to which it goes.
func (b *browser) signInAs(typed, mailbox string) {
	b.t.Helper()
	b.post("/login", "id", typed).want(b.t, http.StatusSeeOther, "/login/code")
	b.submit(b.s.mail.next(b.t, mailbox).code()).want(b.t, http.StatusSeeOther, "/account")
}

// userOf is the username of the signed-in person, "" if nobody is.
func (s *site) userOf(t testing.TB, b *browser) string {
	t.Helper()
	return b.get("/forward-auth").header.Get("Remote-User")
}

// Row 31.
func TestRow31_HostileBodiesGetA4xxAndAtMostOneMessage(t *testing.T) {
	t.Parallel()
	s := shared(t)
	many := strings.Repeat("a=1&", 100_000)
	multi := func(parts ...string) string {
		var b strings.Builder
		for i := 0; i+1 < len(parts); i += 2 {
			fmt.Fprintf(&b, "--x\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", parts[i], parts[i+1])
		}
		return b.String() + "--x--\r\n"
	}
	for name, c := range map[string]struct{ kind, body string }{
		"1 MB address":     {formKind, "id=" + strings.Repeat("a", 1<<20) + "@people.example"},
		"20 MB":            {formKind, "id=" + strings.Repeat("a", 20<<20)},
		"60 KB address":    {formKind, "id=" + strings.Repeat("a", 60<<10) + "@people.example"},
		"100k parameters":  {formKind, many + "id=x"},
		"10k parameters":   {formKind, many[:40_000]},
		"bad percent":      {formKind, "id=%zz%@people.example"},
		"bad UTF-8":        {formKind, "id=%ff%fe@people.example"},
		"overlong UTF-8":   {formKind, "id=a%c0%80@people.example"},
		"surrogate":        {formKind, "id=%ed%a0%80@people.example"},
		"JSON":             {"application/json", `{"id":"a@people.example"}`},
		"UTF-7":            {formKind + "; charset=utf-7", "id=a+AEA-people.example"},
		"array":            {formKind, "id[]=a@people.example&id[]=b@people.example"},
		"no body":          {formKind, ""},
		"no kind":          {"", "id=a@people.example"},
		"binary":           {"application/octet-stream", "\x00\x01\x02"},
		"bad multipart":    {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n"},
		"no boundary":      {"multipart/form-data", multi("id", "a@people.example")},
		"nested multipart": {"multipart/form-data; boundary=x", strings.Repeat("--x\r\n\r\n", 5000)},
	} {
		b := s.browser(t)
		a, _, err := b.try(http.MethodPost, "/login", c.kind, bytes.NewReader([]byte(c.body)), nil)
		if err == nil && (a.status < 400 || a.status > 499) {
			t.Errorf("%s answers %d, want 4xx or a closed connection", name, a.status)
		}
	}
	// Two addresses: one of them, at most.
	one, two := anID(), anID()
	b := s.browser(t)
	b.do(http.MethodPost, "/login", formKind, "id="+one+"&id="+two, nil)
	s.sent(t)
	x, _ := s.mail.to(one)
	y, _ := s.mail.to(two)
	if len(x)+len(y) > 1 {
		t.Error("one ask sent two messages")
	}
	if a := s.browser(t).get("/login"); a.status != http.StatusOK {
		t.Errorf("afterwards /login answers %d", a.status)
	}
}

// Row 59.
func TestRow59_ABodyOver64KiBIs413(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b := s.browser(t)
	body := func(n int) string { return "id=x&pad=" + strings.Repeat("a", n-len("id=x&pad=")) }
	b.do(http.MethodPost, "/login", formKind, body(64<<10), nil).want(t, http.StatusUnprocessableEntity, "")
	a, _, err := b.try(http.MethodPost, "/login", formKind, strings.NewReader(body(64<<10+1)), nil)
	if err != nil || a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("64 KiB and a byte: %d, %v, want 413", a.status, err)
	}
	for name, values := range map[string][]string{"page": a.header.Values("Content-Type")} {
		if len(values) != 1 || !strings.HasPrefix(values[0], "text/html") {
			t.Errorf("413 is no %s: %v", name, values)
		}
	}
}

// A body that is refused for its length is read on for a moment, so that the
// answer arrives, and no longer: who sends it byte by byte is cut off.
func TestRow38_ATooLongBodyHoldsNoConnection(t *testing.T) {
	t.Parallel()
	s := shared(t)
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	began := time.Now()
	if _, err := fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: %s\r\nOrigin: http://%[1]s\r\nContent-Length: 100000000\r\n\r\n", s.public.Host); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			if _, err := conn.Write([]byte("a")); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "413") {
		t.Errorf("after %s the answer is %q, %v, want 413", time.Since(began), line, err)
	}
	select {
	case <-over:
	case <-time.After(20 * time.Second):
		t.Error("the connection is still open")
	}
}

// Row 32.
func TestRow32_HostileCodesGetA4xx(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, code := range []string{
		"", " ", strings.Repeat("1", 60_000), strings.Repeat("1", 257), "\x00", "12\x0034", "１２３４５６", "٣٤٥٦٧٨", "' OR '1'='1", "1' UNION SELECT 1--", "*", "%", "%25", "_____", "null", "true", "0",
		"-1", "1e6", "0x1e240", "123456\n", "\xff\xfe", "[object Object]", `{"$ne":""}`, "../../x", "<script>", "{{7*7}}", "123456;ls",
	} {
		b := s.browser(t)
		b.post("/login", "id", anID()).want(t, http.StatusSeeOther, "/login/code")
		if a := b.submit(code); a.status < 400 || a.status > 499 {
			t.Errorf("code %.40q answers %d, want 4xx", code, a.status)
		}
	}
	b := s.browser(t)
	code := b.ask(anID()).code()
	for _, body := range []string{"auth_code[]=" + code, "auth_code=" + wrong(code) + "&auth_code=" + code, "AUTH_CODE=" + code, "code=" + code} {
		if a := b.do(http.MethodPost, "/login/code", formKind, body, nil); a.status < 400 || a.status > 499 {
			t.Errorf("%s answers %d, want 4xx", strings.ReplaceAll(body, code, "CODE"), a.status)
		}
	}
}

func TestACodePastedWithBlanksOrHyphensIsRight(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, spell := range []string{" %s%s ", "%s %s", "%s-%s", "%s\u2013%s", "\u2066%s\u00a0%s\u2069", "%s\t%s\n"} {
		b := s.browser(t)
		code := b.ask(anID()).code()
		b.submit(fmt.Sprintf(spell, code[:3], code[3:])).want(t, http.StatusSeeOther, "/account")
	}
}

const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}<%= 7*7 %>#{7*7}`

// Rows 34 and 35.
func TestRow34_WhatPeopleTypeIsShownAsTextAndNeverRun(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, _ := s.person(t)
	pages := map[string]answer{
		"id":     b.post("/login", "id", hostile+"@people.example"),
		"next":   b.get("/login?" + form("next", "/"+hostile)),
		"done":   b.get("/login?" + form("done", hostile)),
		"404":    b.get("/" + url.PathEscape(hostile)),
		"query":  b.get("/account?" + form("done", hostile, "x", hostile)),
		"agent":  b.do(http.MethodGet, "/login", "", "", map[string]string{"User-Agent": hostile, "Referer": hostile, "Accept-Language": hostile}),
		"token":  b.get("/login/link/" + url.PathEscape(hostile)),
		"not me": b.get("/login/not-me/" + url.PathEscape(hostile)),
		"first":  b.get("/login/first/" + url.PathEscape(hostile)),
	}
	b.post("/account/settings", "first_name", hostile, "last_name", hostile, "language", "en").want(t, http.StatusSeeOther, "/account?done=saved")
	pages["name"] = b.get("/account")
	for where, a := range pages {
		if strings.Contains(a.body, "<script>alert") || strings.Contains(a.body, "<img src=x") || strings.Contains(a.body, `"'>`) {
			t.Errorf("%s: what was typed is not escaped", where)
		}
		if a.status >= 500 {
			t.Errorf("%s answers %d", where, a.status)
		}
		// Row 35.
		if strings.Contains(a.body, "49") && strings.Contains(seen(a.body), "&#34;&#39;&gt;49") {
			t.Errorf("%s: a template was evaluated", where)
		}
	}
	if !strings.Contains(pages["name"].body, "{{7*7}}") || !strings.Contains(html.UnescapeString(pages["name"].body), hostile+" "+hostile) {
		t.Error("the name is not shown as it was typed")
	}
	if a := b.get("/forward-auth"); a.status != http.StatusOK || !strings.Contains(a.header.Get("Remote-Name"), "{{7*7}}") {
		t.Errorf("Remote-Name is %q", a.header.Get("Remote-Name"))
	}
	for _, bad := range []string{"a\r\nX: 1", "a\x00", strings.Repeat("ä", 151), "\xff"} {
		b.post("/account/settings", "first_name", bad).want(t, http.StatusUnprocessableEntity, "")
	}
}
