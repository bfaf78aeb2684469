package delivery

import (
	"bufio"
	"io"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Hurry gives an SMTP sender another timeout, so that tests of servers that
// stall need not wait for the real one.
func Hurry(s Sender, d time.Duration) {
	if err := gomail.WithTimeout(d)(s.(*smtpSender).client); err != nil {
		panic(err)
	}
}

// Lease is how long a claim holds.
const Lease = lease

// Backlog is how many messages wait in memory.
const Backlog = backlog

// Clean is clean.
var Clean = clean

// ErrReplyTooLong is errReplyTooLong.
var ErrReplyTooLong = errReplyTooLong

// ReadReply reads one answer and returns its text.
func ReadReply(r io.Reader) (string, error) {
	got, err := readReply(bufio.NewReader(r))
	return got.text(), err
}
