package signin

import (
	"context"
	"errors"
	"slices"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// offer adds what only a trusted browser is shown: the other proved accounts of the person
// whom the attempt is for, as another way in, and the question of the message. Anybody else
// would learn who has an account.
func (s *Service) offer(tx *db.Tx, a attempt, by Requester, w *Waiting) error {
	if !a.known || a.forSession != 0 {
		return nil
	}
	account, u, err := accounts.Get(tx, a.account)
	if errors.Is(err, db.ErrNotFound) || err == nil && !s.browsers.Trusts(by.Browser, u.ID, u.BrowserEpoch) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.takesQuestions() {
		w.Question, w.Answered = s.questionID(a.id), len(a.answer) > 0
	}
	all, err := accounts.Of(tx, account.User)
	w.Others = slices.DeleteFunc(all, func(o accounts.Account) bool { return !o.Active || o.ID == a.account })
	return err
}

// Other returns the request to sign in by another account of the person whom the browser's
// attempt is for; ok is false if the browser may not choose it.
func (s *Service) Other(ctx context.Context, id accounts.AccountID, by Requester) (req Request, ok bool, err error) {
	w, err := s.Wait(ctx, by)
	at := slices.IndexFunc(w.Others, func(a accounts.Account) bool { return a.ID == id })
	if err != nil || at < 0 {
		return req, false, err
	}
	return Request{ID: w.Others[at].Addr, Next: w.Next, Masked: true}, true, nil
}
