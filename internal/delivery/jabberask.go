package delivery

import (
	"encoding/xml"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// Question is a yes-or-no question that a message has beside its code, for clients that know
// "Verifying HTTP Requests via XMPP" (XEP-0070 4.2). Others show the body and ignore it.
type Question struct {
	// ID is the transaction: the page shows it too, so that a person can compare.
	ID  string
	URL string // that "yes" lets somebody open
	// Link and NotMe are those of the message: what "yes" and "no" stand for.
	Link, NotMe string
}

// maxQuestions bounds the questions that are kept. At the bound one is forgotten; its code
// works on.
const maxQuestions = 10_000

// questions are those that wait for an answer. They live in this process alone: an answer
// that comes after a restart is ignored, and the code works on. The zero value is ready.
type questions struct {
	mu  sync.Mutex
	all map[asked]openQuestion
}

// asked is whom a question was put to.
type asked struct{ bare, id string }

type openQuestion struct {
	Question
	until time.Time
}

func (q *questions) keep(to jid.JID, one Question, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil {
		q.all = map[asked]openQuestion{}
	}
	for old, k := range q.all {
		if len(q.all) >= maxQuestions || time.Now().After(k.until) {
			delete(q.all, old)
		}
		if len(q.all) < maxQuestions {
			break
		}
	}
	q.all[asked{to.Bare().String(), one.ID}] = openQuestion{one, until}
}

// take returns a question that somebody answers, once.
func (q *questions) take(from jid.JID, id string) (one Question, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := asked{from.Bare().String(), id}
	k, ok := q.all[key]
	delete(q.all, key)
	return k.Question, ok && time.Now().Before(k.until)
}

// confirm is a question on the wire, and in its answer.
type confirm struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/http-auth confirm"`
	ID      string   `xml:"id,attr"`
	Method  string   `xml:"method,attr"`
	URL     string   `xml:"url,attr"`
}

func (q *Question) onWire() *confirm {
	if q == nil {
		return nil
	}
	return &confirm{ID: q.ID, Method: "GET", URL: q.URL}
}

// answered takes the answer to a question: "yes" repeats it, "no" is an error that only the
// client itself sends, so that a message that a server returns is none. It reports whether
// the message was an answer.
func (s *jabberSender) answered(m stanza.Message, c *confirm, condition stanza.Condition) bool {
	no := m.Type == stanza.ErrorMessage
	if c == nil || no && (condition != stanza.NotAuthorized || m.From.Resourcepart() == "") {
		return false
	}
	if q, ok := s.questions.take(m.From, c.ID); ok && s.Answered != nil {
		s.Answered(q, !no)
	}
	return true
}
