package signin

import (
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// UndoToken is the token that undoes a change, if the account's owner may.
func (s *Service) UndoToken(c db.ID, told accounts.AccountID) seal.Token {
	return s.Notices.UndoToken(c, told)
}
