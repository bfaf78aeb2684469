package access_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/session"
)

// Whoever asks the gate need not look at Known: a level that does not exist is held by nobody.
func TestALevelThatDoesNotExistAllowsNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		sessions := session.New(d, session.Settings{Idle: time.Hour, Absolute: time.Hour}, slog.New(slog.DiscardHandler))
		gate := access.New(d, sessions, multifactor.Server{})
		nix := multifactor.Thing{Kind: multifactor.ByName, Name: "nix"}
		once := multifactor.Thing{Kind: multifactor.ByName, Name: "once"}
		var opened session.Opened
		dbtest.Check(t, d.Update(t.Context(), func(tx *db.Tx) error {
			a, u, err := accounts.Ensure(tx, accounts.ID{Implementation: "email", Identifier: "x@example.org"})
			dbtest.Check(t, err)
			who, err := accounts.StatusForUpdate(tx, a.ID)
			dbtest.Check(t, err)
			dbtest.Check(t, accounts.RecordSuccess(tx, who, a.Addr, ""))
			opened, err = sessions.Open(tx, session.NewToken(tx), u.ID, session.Proof{Factor: "email", Account: a.ID}, audit.Client{})
			dbtest.Check(t, err)
			return multifactor.SetLevel(tx, multifactor.Level{Name: "once", Need: []multifactor.Need{{"email"}}})
		}))
		for _, c := range []struct {
			things  []multifactor.Thing
			allowed bool
		}{
			{[]multifactor.Thing{once}, true},
			{[]multifactor.Thing{nix}, false},
			{[]multifactor.Thing{once, nix}, false}, // beside one that is held
			{[]multifactor.Thing{nix, once}, false},
		} {
			a, err := gate.Access(t.Context(), opened.Token, c.things...)
			dbtest.Check(t, err)
			if a.Session.ID == 0 || a.Decision.Allowed != c.allowed || a.Known != c.allowed {
				t.Errorf("%v: %+v", c.things, a)
			}
		}
	})
}
