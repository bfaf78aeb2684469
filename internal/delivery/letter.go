package delivery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/mail"

	gomail "github.com/wneessen/go-mail"
)

// letter puts a message into the form of RFC 5322.
func (s *smtpSender) letter(w Worded) (letter, error) {
	if !plainAddress(w.To) {
		return letter{}, errors.New("the address has characters that mail servers do not take")
	}
	// go-mail encodes bodies into buffers that grow line by line, which is half of its
	// work: it makes a message of two marks, and the bodies take their places.
	marked := bytes.NewBuffer(make([]byte, 0, headRoom))
	if _, err := s.form(w, textMark, htmlMark).WriteTo(marked); err != nil {
		return letter{}, fmt.Errorf("writing the message: %w", err)
	}
	data := bytes.NewBuffer(make([]byte, 0, headRoom+2*len(w.Text)+2*len(w.HTML)))
	if err := fill(data, marked.Bytes(), w); err != nil {
		return letter{}, fmt.Errorf("writing the message: %w", err)
	}
	dotted, err := dotStuffed(data.Bytes())
	return letter{
		from: s.from.Address, to: w.To, data: dotted,
		utf8: !ascii(w.To) || !ascii(s.from.Address), eight: !ascii(dotted),
	}, err
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
func fill(data *bytes.Buffer, marked []byte, w Worded) error {
	for _, body := range []struct{ mark, text string }{{textMark, w.Text}, {htmlMark, w.HTML}} {
		before, after, found := bytes.Cut(marked, []byte("\r\n\r\n"+body.mark+"\r\n"))
		if !found {
			return errors.New("a part has no place")
		}
		data.Write(before)
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
	data.Write(marked)
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
