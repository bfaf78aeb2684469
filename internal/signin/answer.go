package signin

import (
	"context"
	"path"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/seal"
)

// asks reports an attempt whose messages carry a question beside the code. Only a browser
// that has signed in with the id before gets one: or strangers could ask people until one
// says "yes" by mistake.
func (t ticket) asks() bool {
	return t.known && t.addr.Implementation == accounts.Jabber && t.forSession == 0
}

// question is what an attempt asks by a message with this code's link.
func (s *Service) question(t ticket, text delivery.Text) *delivery.Question {
	if !t.asks() {
		return nil
	}
	return &delivery.Question{ID: s.questionID(t.id), URL: s.Settings.PublicURL + "/login", Link: text.Link, NotMe: text.NotMe}
}

// questionID is six letters that the page and the message show, so that the person sees that
// they belong together. It is no secret.
func (s *Service) questionID(attempt db.ID) string {
	const letters, length = "ABCDEFGHJKLMNPQRTUVWXY", 6
	id := make([]byte, length)
	for i, b := range s.asked.Sum(db.Bytes(attempt))[:length] {
		id[i] = letters[int(b)%len(letters)]
	}
	return string(id)
}

// Answer takes the answer to the question of a message. "Yes" lets the attempt's own browser
// in, as the message's link would; "no" disowns the attempt.
func (s *Service) Answer(ctx context.Context, q delivery.Question, yes bool) error {
	if !yes {
		notMe, _ := seal.ParseToken(path.Base(q.NotMe))
		_, err := s.NotMe(ctx, notMe, true, Requester{})
		return err
	}
	link, ok := seal.ParseToken(path.Base(q.Link))
	if !ok {
		return nil
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE attempts SET answer = $2 WHERE id = $1 AND used_at = 0 AND voided_at = 0`, link.ID, link.Secret[:])
		return err
	})
}

// Answered is Answer for a channel, which must not wait.
func (s *Service) Answered(q delivery.Question, yes bool) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), answeredFor)
		defer cancel()
		if err := s.Answer(ctx, q, yes); err != nil {
			s.log.Error("cannot take the answer to a message", "err", err)
		}
	}()
}

// answeredFor bounds how long Answered tries.
const answeredFor = 30 * time.Second

// SubmitAnswer submits that the question of the browser's attempt was answered.
func (s *Service) SubmitAnswer(ctx context.Context, by Requester) (Entered, error) {
	return (&submit{s: s, by: by, way: byAnswer}).run(ctx)
}

// decideAnswer opens the session for a "yes": the answer is the message's link.
func (sub *submit) decideAnswer(tx *db.Tx) error {
	a, found, err := attemptOf(tx, sub.by.Attempt, tx.ForUpdate())
	if err != nil || !found || !a.asks() {
		return err
	}
	if sub.a = a; !a.voided.IsZero() {
		sub.out.Verdict = Stopped
		return nil
	}
	if !a.used.IsZero() {
		return sub.s.repeatedIn(tx, a.ticket, sub.by, &sub.out)
	}
	var answer []byte
	if err := tx.Get(`SELECT answer FROM attempts WHERE id = $1`, a.id).Scan(&answer); err != nil {
		return err
	}
	if len(answer) == 0 {
		sub.out.Verdict = Unanswered
		return nil
	}
	sub.link = seal.Token{ID: int64(a.id), Secret: [32]byte(answer)}
	return sub.decideLink(tx, audit.SignedInAnswer)
}
