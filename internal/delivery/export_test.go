package delivery

import (
	"bufio"
	"errors"
	"io"
	"time"
)

// Hurry gives an SMTP sender other time limits, so that tests of servers that
// stall need not wait for the real ones.
func Hurry(s Sender, answer, end time.Duration) {
	s.(*smtpSender).Timeout, s.(*smtpSender).endTime = answer, end
}

// ErrReplyTooLong is errReplyTooLong.
var ErrReplyTooLong = errReplyTooLong

// ReadReply reads one reply and returns its text.
func ReadReply(r io.Reader) (string, error) {
	got, err := readReply(bufio.NewReader(r))
	return got.text(), err
}

// Far makes the server one beyond this machine as far as a password is concerned.
func Far(s Sender) { s.(*smtpSender).here = false }

// Limits are the time limits of an SMTP sender, for a reply and for the end of
// the data.
func Limits(s Sender) (answer, end time.Duration) {
	return s.(*smtpSender).Timeout, s.(*smtpSender).endTime
}

// StuckAfter changes when a server that lets nobody in counts as not working.
func StuckAfter(s Sender, d time.Duration) { s.(*smtpSender).stuckAfter = d }

// RoomLimit changes how long a message waits for room at the server.
func RoomLimit(s Sender, d time.Duration) { s.(*smtpSender).roomLimit = d }

// Made is the request that a hook makes of a message: its address and its body.
func Made(s Sender, to, code, text string) (address string, body []byte, err error) {
	h, v := s.(*hookSender), hookValues{To: to, Code: code, Text: text}
	if address, err = h.address(v); err != nil {
		return "", nil, err
	}
	body, err = h.content(v)
	return address, body, err
}

// MakeAll makes the text of every kind of message, and returns their names with the errors.
func MakeAll(c *Channels) map[string]error {
	all := map[string]error{}
	for key, made := range c.wording.kinds {
		_, err := made()
		all[key.kind] = errors.Join(all[key.kind], err)
	}
	return all
}
