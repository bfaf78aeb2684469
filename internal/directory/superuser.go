package directory

import (
	"context"
	"errors"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

// Superuser is a superuser with the triple with which they administer micro services.
type Superuser struct {
	User    accounts.User
	Already bool // they were one before
	Triple  services.Entry
	Kept    bool // the triple existed before and was not changed
}

// CreateSuperuser makes the user of accounts.Named a superuser; id may be empty. It adds
// their triple in services.AdminRealm if there is none.
func (d *Directory) CreateSuperuser(ctx context.Context, by Actor, username string, id accounts.ID) (out Superuser, err error) {
	err = d.DB.Update(ctx, func(tx *db.Tx) error {
		out = Superuser{}
		u, err := accounts.Named(tx, username, id)
		if err != nil {
			return err
		}
		made, err := by.make(tx, u, superuser)
		if err != nil {
			return err
		}
		out.User, out.Already = u, made.Already
		out.Triple, err = d.Services.Find(tx, u.Username, services.AdminRealm)
		out.Kept = err == nil
		if errors.Is(err, db.ErrNotFound) {
			out.Triple, err = d.Services.Add(tx, services.Draft{Name: u.Username, Realm: services.AdminRealm}, audit.By{Actor: by.who})
		}
		return err
	})
	return out, err
}
