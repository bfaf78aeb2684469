package delivery

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits on a server's reply, so that no server fills the memory. RFC 5321 4.5.3.1.5 allows
// 512 bytes for a line.
const (
	lineLimit  = 2 << 10   // what is kept of a line; the rest of it is read and dropped
	linesLimit = 64        // how many lines of a reply are kept
	replyLimit = 256 << 10 // a longer reply is an error
)

var errReplyTooLong = errors.New("the reply has no end")

// notSMTP is a line that is not a reply of SMTP.
type notSMTP struct{ line string }

func (e notSMTP) Error() string { return fmt.Sprintf("%.80q is no answer of a mail server", e.line) }

// reply is a server's reply (RFC 5321 4.2); the zero value stands for none.
type reply struct {
	code  int
	lines []string // without the code
}

// text is the reply on one line: "550 5.1.1 no such user". The enhanced code (RFC 2034)
// stands only once: further lines repeat it.
func (r reply) text() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(r.code))
	for i, line := range r.lines {
		if i > 0 {
			line = strings.TrimPrefix(line, r.enhanced())
		}
		b.WriteString(" " + strings.TrimSpace(line))
	}
	return b.String()
}

// enhanced is the enhanced code that the text begins with ("5.1.1"), or "".
func (r reply) enhanced() string {
	if len(r.lines) == 0 {
		return ""
	}
	word, _, _ := strings.Cut(r.lines[0], " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || parts[0] != strconv.Itoa(r.code/100) {
		return ""
	}
	return word
}

// readReply reads a reply of one or more lines.
func readReply(in *bufio.Reader) (r reply, err error) {
	for left := replyLimit; ; {
		line, n, err := readLine(in, left)
		if err != nil {
			return reply{}, err
		}
		left -= n
		code, text, more, ok := parseLine(line)
		if !ok || r.code != 0 && code != r.code {
			return reply{}, notSMTP{line}
		}
		r.code = code
		if len(r.lines) < linesLimit {
			r.lines = append(r.lines, text)
		}
		if !more {
			return r, nil
		}
	}
}

// readLine reads a line of at most limit bytes and returns its beginning without
// the line end, and how many bytes it had.
func readLine(in *bufio.Reader, limit int) (line string, n int, err error) {
	for {
		part, err := in.ReadSlice('\n')
		n += len(part)
		if room := lineLimit - len(line); room > 0 {
			line += string(part[:min(len(part), room)])
		}
		switch {
		case n > limit:
			return "", n, errReplyTooLong
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && n > 0:
			return "", n, notSMTP{line}
		case err != nil:
			return "", n, err
		default:
			return strings.TrimRight(line, "\r\n"), n, nil
		}
	}
}

// parseLine splits "250-text"; more means that another line follows.
func parseLine(line string) (code int, text string, more, ok bool) {
	if len(line) < 3 {
		return 0, "", false, false
	}
	code, err := strconv.Atoi(line[:3])
	if err != nil || code < 200 || code > 599 {
		return 0, "", false, false
	}
	if len(line) == 3 {
		return code, "", false, true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, "", false, false
	}
	return code, line[4:], line[3] == '-', true
}
