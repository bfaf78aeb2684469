package delivery

import (
	"bufio"
	"bytes"
	"net/textproto"
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

func TestDotsOfALetterAreDoubledWhateverItSays(t *testing.T) {
	s := smtpFor(t)
	texts := []string{"", ".", "..", "\n.\n", "\r\n.\r\n", "\r.\r", ".\n.", "a\n.b\n\n..c\n", "\x00\n.", "x \n.\t\n", "é\n.é", strings.Repeat(".", 300), strings.Repeat("x.", 200) + "\n."}
	for n := range 80 { // a dot at every place of a line that is broken for its length
		texts = append(texts, strings.Repeat("a", n)+strings.Repeat(".", 80)+"\n.\n")
	}
	for _, text := range texts {
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
