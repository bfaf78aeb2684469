package delivery

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/djauthy/djauthy/internal/words"
)

// letter puts a message into the form of RFC 5322.
func (s *smtpSender) letter(w Worded) (letter, error) {
	if !plainAddress(w.To) {
		return letter{}, errors.New("the address has characters that mail servers do not take")
	}
	marked, err := s.marked(w)
	if err != nil {
		return letter{}, fmt.Errorf("writing the message: %w", err)
	}
	data := bytes.NewBuffer(make([]byte, 0, headRoom+2*len(w.Text)+2*len(w.HTML)))
	if err := fill(data, marked, w); err != nil {
		return letter{}, fmt.Errorf("writing the message: %w", err)
	}
	dotted, err := dotStuffed(data.Bytes())
	return letter{
		from: s.from.Address, to: w.To, data: dotted,
		utf8: !ascii(w.To) || !ascii(s.from.Address), eight: !ascii(dotted),
	}, err
}

// marked is the message as go-mail makes it, with marks in place of the bodies: it encodes
// bodies into buffers that grow line by line, which is half of its work. The other half is
// the header, which comes from the letterhead where all of its values are plain.
func (s *smtpSender) marked(w Worded) (string, error) {
	if s.plainHeader(w) {
		date, boundary := w.Date.Format(time.RFC1123Z), rand.Text()
		return s.letterhead.Text(words.Values{&date, &w.ID, &w.Subject, &w.To, &boundary}), nil
	}
	var b strings.Builder
	_, err := s.form(w, textMark, htmlMark).WriteTo(&b)
	return b.String(), err
}

// newLetterhead is a message of go-mail with placeholders for the values that differ from
// one to the next.
func (s *smtpSender) newLetterhead() (words.Precompiled, error) {
	var date, id, subject, to, boundary string
	values := words.Values{&date, &id, &subject, &to, &boundary}
	values.Mark()
	// go-mail takes no placeholder for a date or an address.
	sample := Worded{ID: id, Subject: subject, To: "to@example.org", Date: time.Unix(0, 0)}
	m := s.form(sample, textMark, htmlMark)
	m.SetBoundary(boundary)
	var b strings.Builder
	if _, err := m.WriteTo(&b); err != nil {
		return words.Precompiled{}, err
	}
	text := strings.NewReplacer("\r\nDate: "+sample.Date.Format(time.RFC1123Z), "\r\nDate: "+date, "\r\nTo: <"+sample.To, "\r\nTo: <"+to).Replace("\r\n" + b.String())
	return words.Precompile(strings.TrimPrefix(text, "\r\n"), len(values)), nil
}

// plainHeader reports whether a message's header holds its values as they are, neither
// encoded (RFC 2047) nor quoted, each on one line.
func (s *smtpSender) plainHeader(w Worded) bool {
	const room = 60 // go-mail breaks lines of 76
	local, _, _ := strings.Cut(w.To, "@")
	return len(w.To) <= room && len(w.Subject) <= room && len(w.ID)+len(s.domain) <= room-len("Message-ID") &&
		!strings.ContainsFunc(w.To, func(r rune) bool { return !plainLetter(r) && r != '@' }) &&
		!strings.HasPrefix(local, ".") && !strings.HasSuffix(local, ".") && !strings.Contains(local, "..") && local != "" &&
		!strings.ContainsFunc(w.Subject, func(r rune) bool { return r < ' ' || r > '~' })
}

// plainLetter reports whether a letter needs no quotation marks in an address.
func plainLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._+", r)
}

// form is a message with the headers of w and the given bodies.
func (s *smtpSender) form(w Worded, text, html string) *gomail.Msg {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(s.from)
	m.SetAddrHeaderFromMailAddress(gomail.HeaderTo, &mail.Address{Address: w.To})
	m.Subject(w.Subject)
	m.SetDateWithValue(w.Date)
	m.SetMessageIDWithValue(w.ID + "@" + s.domain)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	m.SetBodyString(gomail.TypeTextPlain, text)
	m.AddAlternativeString(gomail.TypeTextHTML, html)
	return m
}

// Marks stand alone in the lines where the bodies are to be.
const (
	textMark = "text"
	htmlMark = "html"
)

// fill writes a message of marks with its bodies in their places, encoded as go-mail
// does by default (RFC 2045 6.7).
func fill(data *bytes.Buffer, marked string, w Worded) error {
	for _, body := range []struct{ mark, text string }{{textMark, w.Text}, {htmlMark, w.HTML}} {
		before, after, found := strings.Cut(marked, "\r\n\r\n"+body.mark+"\r\n")
		if !found {
			return errors.New("a part has no place")
		}
		data.WriteString(before)
		data.WriteString("\r\n\r\n")
		encoder := quotedprintable.NewWriter(data)
		if _, err := io.WriteString(encoder, body.text); err != nil {
			return err
		}
		if err := encoder.Close(); err != nil {
			return err
		}
		data.WriteString("\r\n")
		marked = after
	}
	data.WriteString(marked)
	return nil
}

// headRoom is for the header of a message and the lines between its parts, in bytes.
const headRoom = 1 << 10

// dotStuffed is a message as DATA takes it: the dot at the beginning of a line
// doubled, and a dot alone at the end (RFC 5321 4.5.2). A line that does not end with
// CRLF is refused, because servers differ in whether a dot after it is the end.
func dotStuffed(message []byte) ([]byte, error) {
	crlf := []byte("\r\n")
	lines := bytes.Count(message, crlf)
	if lines != bytes.Count(message, crlf[:1]) || lines != bytes.Count(message, crlf[1:]) || !bytes.HasSuffix(message, crlf) || message[0] == '.' {
		return nil, errors.New("writing the message: its lines do not end with CRLF")
	}
	if dot := []byte("\r\n."); bytes.Contains(message, dot) { // otherwise no copy is needed
		message = bytes.ReplaceAll(message, dot, []byte("\r\n.."))
	}
	return append(message, ".\r\n"...), nil
}
