package delivery

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/smtp"
)

// mechanisms are the supported SASL mechanisms, in the order in which they are tried. PLAIN
// is first because every server implements it correctly.
func mechanisms() []string {
	return []string{"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"}
}

// readable reports whether a mechanism reveals the password to anybody who can read the
// connection.
func readable(mechanism string) bool { return mechanism == "PLAIN" || mechanism == "LOGIN" }

// credentials are a username and password for one mechanism.
type credentials struct{ mechanism, username, password string }

// initialResponse is sent with the AUTH command (RFC 4954 4): all of it for PLAIN (RFC
// 4616), nothing for the others.
func (c credentials) initialResponse() string {
	if c.mechanism != "PLAIN" {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte("\x00" + c.username + "\x00" + c.password))
}

// answers returns a function that answers one challenge after the other.
func (c credentials) answers() func(challenge []byte) ([]byte, error) {
	switch c.mechanism {
	case "PLAIN": // for a server that ignored the initial response
		return c.queue([]byte("\x00" + c.username + "\x00" + c.password))
	case "LOGIN": // the prompts differ from server to server; their order does not
		return c.queue([]byte(c.username), []byte(c.password))
	case "CRAM-MD5":
		return more(smtp.CRAMMD5Auth(c.username, c.password))
	case "SCRAM-SHA-1":
		return more(smtp.ScramSHA1Auth(c.username, c.password))
	}
	return more(smtp.ScramSHA256Auth(c.username, c.password))
}

var errAsksMore = errors.New("the server asks for more than the mechanism has")

func (c credentials) queue(all ...[]byte) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) {
		if len(all) == 0 {
			return nil, errAsksMore
		}
		answer := all[0]
		all = all[1:]
		return answer, nil
	}
}

// iterations finds the iteration count of a SCRAM server (RFC 5802 5.1).
var iterations = regexp.MustCompile(`(?:^|,)i=([0-9]+)`)

// maxIterations is ten times what careful servers require; a hostile one could require
// hours of work.
const maxIterations = 1_000_000

func more(a smtp.Auth) func([]byte) ([]byte, error) {
	return func(challenge []byte) ([]byte, error) {
		if work := iterations.FindSubmatch(challenge); work != nil {
			if n, err := strconv.Atoi(string(work[1])); err != nil || n > maxIterations {
				return nil, errors.New("the server asks for too much work")
			}
		}
		return a.Next(challenge, true)
	}
}

// maxRounds bounds the challenges of one log-in; SCRAM has three.
const maxRounds = 5

// authenticate logs in by one mechanism (RFC 4954). If the connection stays open after a
// refusal, another mechanism may be tried.
func (s *session) authenticate(c credentials) *failure {
	r, f := s.command(atAuth, strings.TrimSpace("AUTH "+c.mechanism+" "+c.initialResponse()), 0)
	next := c.answers()
	for round := 1; f == nil && r.code == 334; round++ {
		challenge, _ := base64.StdEncoding.DecodeString(strings.Join(r.lines, "")) // some servers do not encode it
		answer, err := next(challenge)
		if err != nil || round > maxRounds {
			if _, f = s.command(atAuth, "*", 0); f != nil { // RFC 4954 4: this cancels
				return f
			}
			return &failure{stage: atAuth, err: cmp.Or(err, errAsksMore)}
		}
		r, f = s.command(atAuth, base64.StdEncoding.EncodeToString(answer), 0)
	}
	if f == nil && r.code != 235 {
		f = &failure{stage: atAuth, reply: r}
	}
	return f
}

// offered lists the mechanisms to try on this connection: the chosen one, whether the
// server offers it or not, or with "auto" those that both sides know. Unless the connection
// is private, mechanisms that reveal the password are left out.
func (s *session) offered(chosen string, private bool) ([]string, error) {
	common := []string{strings.ToUpper(chosen)}
	if chosen == "" || strings.EqualFold(chosen, "auto") {
		theirs := strings.Fields(s.ext["AUTH"])
		if len(theirs) == 0 {
			return nil, errNoAuth
		}
		common = slices.DeleteFunc(mechanisms(), func(m string) bool { return !slices.Contains(theirs, m) })
		if len(common) == 0 {
			return nil, fmt.Errorf("%w: it offers %.200q, djauthy knows %s", errNoMechanism, strings.Join(theirs, " "), strings.Join(mechanisms(), ", "))
		}
	}
	if !private {
		common = slices.DeleteFunc(common, readable)
		if len(common) == 0 {
			return nil, errNotPrivate
		}
	}
	return common, nil
}

var (
	errNoAuth      = errors.New("the server offers no log-in here")
	errNoMechanism = errors.New("no log-in that both sides know")
	errNotPrivate  = errors.New("the password would be readable on the way")
)
