package signin

import (
	"context"
	"errors"
	"slices"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// others are the other proved accounts of the person whom an attempt is for, as another way
// in. Only a browser that has signed in with the attempt's id before gets them: everybody
// else would learn who has an account.
func (t ticket) others(tx *db.Tx) ([]accounts.Account, error) {
	if !t.known || t.forSession != 0 {
		return nil, nil
	}
	a, _, err := accounts.Get(tx, t.account)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := accounts.Of(tx, a.User)
	return slices.DeleteFunc(all, func(a accounts.Account) bool { return !a.Active || a.ID == t.account }), err
}

// Other returns another account of the person whom the browser's attempt is for, and where
// they want to go; ok is false if the browser may not choose it.
func (s *Service) Other(ctx context.Context, id accounts.AccountID, by Requester) (addr accounts.ID, next string, ok bool, err error) {
	w, err := s.Wait(ctx, by)
	at := slices.IndexFunc(w.Others, func(a accounts.Account) bool { return a.ID == id })
	if err != nil || at < 0 {
		return addr, "", false, err
	}
	return w.Others[at].Addr, w.Next, true, nil
}
