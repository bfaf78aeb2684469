package signin

import (
	"context"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// notMeBlock names the blocks of browsers whose attempts were disowned.
const notMeBlock = "not_me"

func blockKey(browser []byte, id accounts.ID) string {
	return string(browser) + id.Implementation + ":" + id.Identifier
}

// notMeToken is derived from the attempt's id (a MAC), so that nothing is stored for it.
func (s *Service) notMeToken(a db.ID) seal.Token {
	return seal.Token{ID: int64(a), Secret: [32]byte(s.notMe.Sum(db.Bytes(a)))}
}

// Disowned is what the pages behind "it was not me" show.
type Disowned struct {
	Found  bool
	Masked string
	Client audit.Client
	At     time.Time
	Life   time.Duration // how long the browser is blocked
}

// NotMe reads an attempt that the address's owner may disown. With confirmed set it stops
// the attempt: its codes are void, its session ends, and for the life of a code its browser
// gets no codes for this id.
func (s *Service) NotMe(ctx context.Context, t seal.Token, confirmed bool, by Requester) (d Disowned, err error) {
	if t.ID == 0 || !seal.Equal(t.Secret[:], s.notMe.Sum(db.Bytes(db.ID(t.ID)))) {
		return d, nil
	}
	run := s.DB.View
	if confirmed {
		run = s.DB.Update
	}
	err = run(ctx, func(tx *db.Tx) error {
		d = Disowned{}
		a, err := loadAttempt(tx, db.ID(t.ID), "")
		if errors.Is(err, db.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		d = Disowned{Found: true, Masked: a.addr.Masked(), Client: a.client, At: a.id.Time(), Life: s.Settings.life(a.addr.Implementation)}
		if confirmed {
			return s.disown(tx, a, by)
		}
		return nil
	})
	return d, err
}

func (s *Service) disown(tx *db.Tx, a attempt, by Requester) error {
	if !a.voided.IsZero() {
		return nil
	}
	if _, err := tx.Exec(`UPDATE attempts SET voided_at = $2 WHERE id = $1`, a.id, tx.Millis()); err != nil {
		return err
	}
	account, _, err := accounts.Get(tx, a.account)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	if err := accounts.ForgetBrowsers(tx, account.User); err != nil { // before sessions: the order of locks
		return err
	}
	if a.session != 0 {
		if err := session.EndByID(tx, a.session); err != nil {
			return err
		}
	}
	if err := limit.Block(tx, notMeBlock, blockKey(a.browser, a.addr), tx.Now.Add(s.Settings.life(a.addr.Implementation))); err != nil {
		return err
	}
	if account.User == 0 {
		return nil
	}
	return audit.Write(tx, db.ID(account.User), audit.Visitor, audit.NotMe, by.Client)
}
