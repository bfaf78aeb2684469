package directory

import (
	"context"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/signkeys"
)

// RotateKeys lets the next key sign tokens before its time, and returns it.
func (d *Directory) RotateKeys(ctx context.Context, by Actor) (k signkeys.Key, err error) {
	err = d.administer(ctx, by, func(tx *db.Tx) error {
		if k, err = d.Keys.Rotate(tx); err != nil {
			return err
		}
		return audit.WriteRight(tx, audit.AKey, audit.RightChanged, by.who, k.KID)
	})
	return k, err
}

// WithdrawKeys removes all keys that sign tokens, and makes others: nothing verifies any more of
// what was signed before. It returns the key that signs now, and those that were removed.
func (d *Directory) WithdrawKeys(ctx context.Context, by Actor) (k signkeys.Key, withdrawn []signkeys.Key, err error) {
	err = d.administer(ctx, by, func(tx *db.Tx) error {
		if k, withdrawn, err = d.Keys.Withdraw(tx); err != nil {
			return err
		}
		for _, gone := range withdrawn {
			if err := audit.WriteRight(tx, audit.AKey, audit.RightDeleted, by.who, gone.KID); err != nil {
				return err
			}
		}
		return audit.WriteRight(tx, audit.AKey, audit.RightChanged, by.who, k.KID)
	})
	return k, withdrawn, err
}
