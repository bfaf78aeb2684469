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
	URL string // of the page for which a "yes" is asked
	// Link and NotMe are those of the message: what "yes" and "no" stand for.
	Link, NotMe string
}

// maxQuestions bounds the questions that are kept. At the bound one is forgotten; its code
// still works.
const maxQuestions = 10_000

// questions are those that wait for an answer. They live in this process alone: an answer
// that comes after a restart is ignored, and the code still works. The zero value is ready.
type questions struct {
	mu  sync.Mutex
	all map[questionKey]openQuestion
}

// questionKey is who may answer a question, without a resource, and its ID.
type questionKey struct{ bare, id string }

type openQuestion struct {
	Question
	until time.Time
}

// keep adds a question. Each looks at one old one, which the map chooses at random, and
// removes it if it has expired or the map is full.
func (q *questions) keep(to jid.JID, one Question, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil {
		q.all = map[questionKey]openQuestion{}
	}
	for old, k := range q.all {
		if len(q.all) >= maxQuestions || time.Now().After(k.until) {
			delete(q.all, old)
		}
		break
	}
	q.all[questionKey{to.Bare().String(), one.ID}] = openQuestion{one, until}
}

// take returns a question that somebody answers, once.
func (q *questions) take(from jid.JID, id string) (one Question, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := questionKey{from.Bare().String(), id}
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

// handleAnswer handles the answer to a question (XEP-0070 4.2): a message with the same
// confirm element is "yes", an error not-authorized from a full JID is "no". Any other error
// was returned by a server. It reports whether the message was an answer.
func (s *jabberSender) handleAnswer(m stanza.Message, c *confirm, condition stanza.Condition) bool {
	no := m.Type == stanza.ErrorMessage
	if c == nil || no && (condition != stanza.NotAuthorized || m.From.Resourcepart() == "") {
		return false
	}
	if q, ok := s.questions.take(m.From, c.ID); ok && s.Answered != nil {
		s.Answered(q, !no)
	}
	return true
}
