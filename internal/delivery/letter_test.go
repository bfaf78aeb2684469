package delivery

import (
	"bufio"
	"bytes"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
	"time"
)

func smtpFor(t testing.TB) *smtpSender {
	t.Helper()
	s, err := NewSMTP(SMTP{Host: "mail.example.org", From: "Dj. Auth <noreply@example.org>"})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*smtpSender)
}

// hard are texts that a message could come out of otherwise than it went in.
func hard() []string {
	texts := []string{
		"", ".", "..", "\n", "\n.\n", "\r\n.\r\n", "\r.\r", ".\n.", "a\n.b\n\n..c\n", "\x00\n.", "x \n.\t\n", "x ", "é\n.é", "=", "=\n=3D\n",
		textMark, htmlMark, "\r\n\r\n" + textMark + "\r\n", "\n\n" + htmlMark + "\n", "--x\nA: b\n\nc", "\xff\xfe", "👩🏽‍🚀 " + strings.Repeat("日本", 60),
		strings.Repeat(".", 300), strings.Repeat("x.", 200) + "\n.", strings.Repeat("<p style=\"margin:0\">é</p>\n", 30),
	}
	for n := range 80 { // a dot at every place of a line that is broken for its length
		texts = append(texts, strings.Repeat("a", n)+strings.Repeat(".", 80)+"\n.\n")
	}
	return texts
}

var boundaryOf = regexp.MustCompile(`boundary=(\w+)`)

// asByGoMail compares the letter of a message with what go-mail alone makes of it.
func asByGoMail(t *testing.T, s *smtpSender, w Worded) {
	t.Helper()
	l, err := s.letter(w)
	if err != nil {
		t.Fatalf("%q, %q: %v", w.To, w.Subject, err)
	}
	var whole bytes.Buffer
	if _, err := s.form(w, w.Text, w.HTML).WriteTo(&whole); err != nil {
		t.Fatal(err)
	}
	ours, theirs := boundaryOf.FindSubmatch(l.data), boundaryOf.FindSubmatch(whole.Bytes())
	want, err := dotStuffed(bytes.ReplaceAll(whole.Bytes(), theirs[1], ours[1]))
	if err != nil || !bytes.Equal(l.data, want) {
		t.Errorf("%q, %q became\n%s\ninstead of\n%s\n%v", w.To, w.Subject, l.data, want, err)
	}
}

func TestALetterIsWhatGoMailMakesOfTheWholeMessage(t *testing.T) {
	s := smtpFor(t)
	for i, text := range hard() {
		for _, html := range []string{"", text, hard()[i/2], "<p>A page.</p>\n"} {
			asByGoMail(t, s, Worded{ID: "a1", To: "ann@example.org", Subject: text, Text: text, HTML: html, Date: time.UnixMilli(0)})
		}
	}
}

func TestALetterHasGoMailsHeaderWhateverItsValues(t *testing.T) {
	s := smtpFor(t)
	plain := Worded{ID: "a1.2", To: "ann@example.org", Subject: "123456 is your code", Text: "123456\n", HTML: "<p>123456</p>", Date: time.UnixMilli(1e12)}
	if !s.plainHeader(plain) {
		t.Fatal("a usual message does not come from the letterhead")
	}
	asByGoMail(t, s, plain)
	for n := range 90 { // go-mail breaks long lines
		w, many := plain, strings.Repeat("a", n)
		w.Subject = many
		asByGoMail(t, s, w)
		w.Subject = strings.Repeat("a ", n/2)
		asByGoMail(t, s, w)
		w.Subject, w.ID = plain.Subject, "x"+many
		asByGoMail(t, s, w)
		w.ID, w.To = plain.ID, "x"+many+"@example.org"
		asByGoMail(t, s, w)
	}
	for c := range 0x100 {
		w, char := plain, string(rune(c))
		w.Subject = "a" + char + "b"
		asByGoMail(t, s, w)
		w.Subject = char
		asByGoMail(t, s, w)
		w.Subject = plain.Subject
		for _, to := range []string{"a" + char + "b@example.org", char + "@example.org", "ab" + char + "@example.org", "ab@exa" + char + "mple.org"} {
			if w.To = to; plainAddress(to) {
				asByGoMail(t, s, w)
			}
		}
	}
	for _, to := range []string{"a..b@example.org", ".ab@example.org", "xqMarkOfValue0qx@example.org", "to@example.org", s.from.Address, "a@b", "日本@example.org"} {
		w := plain
		w.To, w.Subject, w.Date = to, to, time.Date(2030, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3*3600))
		asByGoMail(t, s, w)
	}
}

func TestNoTwoLettersHaveOneBoundary(t *testing.T) {
	s := smtpFor(t)
	seen := map[string]bool{}
	for range 100 {
		l, err := s.letter(Worded{ID: "a1", To: "ann@example.org", Subject: "123456", Text: "123456\n", HTML: "<p>123456</p>"})
		if err != nil {
			t.Fatal(err)
		}
		seen[string(boundaryOf.FindSubmatch(l.data)[1])] = true
	}
	if len(seen) != 100 { // whoever knows it could end the part in a name
		t.Errorf("%d boundaries of 100 letters", len(seen))
	}
}

func TestDotsOfALetterAreDoubledWhateverItSays(t *testing.T) {
	s := smtpFor(t)
	for _, text := range hard() {
		l, err := s.letter(Worded{ID: "a1", To: "ann@example.org", Subject: text, Text: text, HTML: "<p>" + text, Date: time.UnixMilli(0)})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		message, ended := bytes.CutSuffix(l.data, []byte("\r\n.\r\n"))
		if !ended || bytes.Contains(message, []byte("\r\n.\r\n")) {
			t.Fatalf("%q ends elsewhere than at its end", text)
		}
		message = append(bytes.ReplaceAll(message, []byte("\r\n.."), []byte("\r\n.")), "\r\n"...)
		var want bytes.Buffer
		out := bufio.NewWriter(&want)
		dots := textproto.NewWriter(out).DotWriter()
		if _, err := dots.Write(message); err != nil {
			t.Fatal(err)
		}
		if err := dots.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(l.data, want.Bytes()) {
			t.Errorf("%q is not written as by net/textproto", text)
		}
	}
}

func TestLinesWithoutCRLFAreRefused(t *testing.T) {
	for message, want := range map[string]string{
		"A: b\r\n\r\nc\r\n":           "A: b\r\n\r\nc\r\n.\r\n",
		"A: b\r\n\r\n.\r\n..\r\n":     "A: b\r\n\r\n..\r\n...\r\n.\r\n",
		"A: b\r\n\r\nc":               "",
		"A: b\r\n\r\nc\n.\r\n":        "",
		"A: b\r\n\r\nc\r.\r\n":        "",
		"A: b\r\n\r\nc\n\r.\r\nd\r\n": "",
		".\r\n":                       "",
	} {
		got, err := dotStuffed([]byte(message))
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%q became %q, %v", message, got, err)
		}
	}
}

func BenchmarkLetter(b *testing.B) {
	s := smtpFor(b)
	w := Worded{
		ID: "a1", To: "ann@example.org", Subject: "123456 is your code", Date: time.UnixMilli(0),
		Text: strings.Repeat("A line of a message in plain text, of usual length.\n", 20),
		HTML: strings.Repeat("<p style=\"margin:0\">A line of a message.</p>\n", 50),
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.letter(w); err != nil {
			b.Fatal(err)
		}
	}
}
