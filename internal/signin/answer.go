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

// takesQuestions reports whether an attempt's messages may carry a question beside the code.
func (t ticket) takesQuestions() bool {
	return t.known && t.addr.Implementation == accounts.Jabber && t.forSession == 0
}

// question is what an attempt asks by a message with this code's link. Only trusted browsers
// ask, against push bombing (MFA fatigue).
func (st *starting) question(t ticket, text delivery.Text) *delivery.Question {
	s := st.s
	if !t.takesQuestions() || !s.browsers.Trusts(st.by.Browser, st.who.User, st.who.BrowserEpoch) {
		return nil
	}
	return &delivery.Question{ID: s.questionID(t.id), URL: s.Settings.PublicURL + "/login", Link: text.Link, NotMe: text.NotMe}
}

// questionID is six letters that the page and the message show, so that the person sees that
// they belong together. It is no secret.
func (s *Service) questionID(attempt db.ID) string {
	const letters, length = "ABCDEFGHJKLMNPQRTUVWXY", 6
	id := make([]byte, length)
	for i, b := range s.questions.Sum(db.Bytes(attempt))[:length] {
		id[i] = letters[int(b)%len(letters)]
	}
	return string(id)
}

// RecordAnswer stores the "yes" to the question of a message: it lets the attempt's own
// browser in, as the message's link would. "No" disowns the attempt.
func (s *Service) RecordAnswer(ctx context.Context, q delivery.Question, yes bool) error {
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
		sealed := s.answers.Seal(link.Secret[:], db.Bytes(db.ID(link.ID)))
		_, err := tx.Exec(`UPDATE attempts SET answer = $2 WHERE id = $1 AND used_at = 0 AND voided_at = 0`, link.ID, sealed)
		return err
	})
}

// RecordAnswerLater runs RecordAnswer beside the caller, which reads a stream and must not
// wait. An error is logged; the code still works.
func (s *Service) RecordAnswerLater(q delivery.Question, yes bool) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
		defer cancel()
		if err := s.RecordAnswer(ctx, q, yes); err != nil {
			s.log.Error("cannot take the answer to a message", "err", err)
		}
	}()
}

// recordTimeout bounds RecordAnswerLater.
const recordTimeout = 30 * time.Second

// SubmitAnswer submits that the question of the browser's attempt was answered.
func (s *Service) SubmitAnswer(ctx context.Context, by Requester) (Entered, error) {
	return (&submit{s: s, by: by, proof: byAnswer}).run(ctx)
}

// decideAnswer opens the session for a "yes". The stored answer is the secret of the message's
// link, so decideLink verifies it.
func (sub *submit) decideAnswer(tx *db.Tx) error {
	a, found, err := attemptOf(tx, sub.by.Attempt, tx.ForUpdate())
	if err != nil || !found {
		return err
	}
	sub.a = a
	switch {
	case !a.voided.IsZero():
		sub.out.Verdict = Stopped
		return nil
	case !a.used.IsZero():
		return sub.s.repeatedIn(tx, a.ticket, sub.by, &sub.out)
	case len(a.answer) == 0:
		sub.out.Verdict = Unanswered
		return nil
	}
	secret, err := sub.s.answers.Open(a.answer, db.Bytes(a.id))
	if err != nil {
		return err
	}
	sub.link = seal.Token{ID: int64(a.id), Secret: [32]byte(secret)}
	return sub.decideLink(tx, audit.SignedInAnswer)
}
