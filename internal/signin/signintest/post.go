package signintest

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/seal"
)

// post is a channel to people that keeps the messages it gets, and learns when the outbox
// has recorded that they were sent.
type post struct {
	arrived  chan delivery.Worded
	recorded chan error
}

func newPost() *post { return &post{make(chan delivery.Worded, 4096), make(chan error, 4096)} }

func (p *post) Send(_ context.Context, w delivery.Worded) (string, error) {
	p.arrived <- w
	return "", nil
}
func (p *post) Check(context.Context) error { return nil }
func (p *post) Sent(string, time.Duration)  { p.recorded <- nil }
func (p *post) Failed(string, bool)         { p.recorded <- errors.New("message not sent") }

// Mail is a message as its reader sees it.
type Mail struct {
	To, Subject, Code string
	Link, NotMe, Undo seal.Token
	Question          *delivery.Question // nil: none
}

var links = regexp.MustCompile(`/(login/link|login/not-me|account/undo)/(\S+)`)

func read(t testing.TB, w delivery.Worded) Mail {
	t.Helper()
	m := Mail{To: w.To, Subject: w.Subject, Question: w.Question}
	m.Code, _, _ = strings.Cut(w.Text, "\n")
	for _, found := range links.FindAllStringSubmatch(w.Text, -1) {
		token, ok := seal.ParseToken(found[2])
		if !ok {
			t.Fatalf("%s is no token", found[2])
		}
		switch found[1] {
		case "login/link":
			m.Link = token
		case "login/not-me":
			m.NotMe = token
		default:
			m.Undo = token
		}
	}
	return m
}
