package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/backup"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func TestARestoredBackupHoldsEveryRowOfEveryTable(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		source := full(t, from, 12)
		text, written := write(t, source)
		want := dbtest.Dump(t, source)
		if len(want) != len(written.Tables)+1 { // and the record of steps
			t.Errorf("%d tables have rows, the backup has %d", len(want), len(written.Tables))
		}
		checked, err := backup.Verify(t.Context(), bytes.NewReader(text), nil)
		if err := errors.Join(err, checked.Same(written)); err != nil {
			t.Error(err)
		}
		target := open(t, dbtest.URL(t, to))
		restored := restore(t, target, text)
		wantSame(t, dbtest.Dump(t, target), want)
		if restored.Version != "v1" || restored.Fingerprint != "f" || restored.Engine != from || restored.Rows != int64(12*len(written.Tables)) {
			t.Errorf("the header says %+v", restored.Header)
		}
		if pending, err := target.Pending(t.Context()); err != nil || len(pending) != 0 {
			t.Errorf("pending: %v, %v", pending, err)
		}
	})
}

func TestACopyHoldsEveryRowOfEveryTable(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		source, target := full(t, from, 12), open(t, dbtest.URL(t, to))
		if _, err := (backup.Target{DB: target}).Copy(t.Context(), source); err != nil {
			t.Fatal(err)
		}
		wantSame(t, dbtest.Dump(t, target), dbtest.Dump(t, source))
		// And back, over what a first start left in meta.
		back := dbtest.Fresh(t, from)
		if err := back.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('key_fingerprint', 'x')`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := (backup.Target{DB: back}).Copy(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		wantSame(t, dbtest.Dump(t, back), dbtest.Dump(t, source))
	})
}

func TestMoreRowsThanOneTransactionTakes(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		source := dbtest.Fresh(t, from)
		if err := source.Update(t.Context(), func(tx *db.Tx) error {
			tables, err := tx.Tables()
			for _, x := range tables {
				if x.Name != "meta" {
					continue
				}
				var rows [][]any
				for i := range 11_000 {
					rows = append(rows, []any{fmt.Sprint("k", i), strings.Repeat("v", i%1000)})
				}
				err = errors.Join(err, tx.InsertRows(x, rows))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		text, _ := write(t, source)
		target := open(t, dbtest.URL(t, to))
		if c := restore(t, target, text); c.Rows != 11_000 {
			t.Errorf("%d rows", c.Rows)
		}
		wantSame(t, dbtest.Dump(t, target), dbtest.Dump(t, source))
	})
}

func TestABackupOfAnOlderDjauthyIsRestoredAndMigrated(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		steps := []db.Step{{Name: "0001_start", Applied: 1}}
		old := open(t, dbtest.URL(t, from))
		l, err := old.BeginLoad(t.Context(), steps, false)
		if err := errors.Join(err, l.Finish(t.Context())); err != nil {
			t.Fatal(err)
		}
		fill(t, old, 5)
		text, _ := write(t, old)
		target := open(t, dbtest.URL(t, to))
		restore(t, target, text)
		wantSame(t, dbtest.Dump(t, target), dbtest.Dump(t, old))
		took, err := target.Migrate(t.Context())
		if err != nil || len(took) == 0 {
			t.Errorf("migrating took %v, %v", took, err)
		}
		if users := dbtest.Dump(t, target)["users"]; len(users) != 5 {
			t.Errorf("%d users after it, want 5", len(users))
		}
	})
}

// A backup is a snapshot: a transaction that commits meanwhile is in it whole or not at all.
func TestABackupOfADatabaseThatIsWrittenToIsOfOneMoment(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			d := dbtest.Fresh(t, engine)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			written, ended := make(chan struct{}, 1), make(chan error, 1)
			go func() {
				ended <- churn(ctx, d, written)
				close(written)
			}()
			for range 20 {
				<-written
			}
			text, _ := write(t, d)
			for range 3 { // the writer was not stopped by it
				<-written
			}
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			target := open(t, dbtest.URL(t, "sqlite"))
			restore(t, target, text)
			var users, accounts, both int64
			if err := target.View(t.Context(), func(tx *db.Tx) error {
				return tx.Get(`SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM accounts), (SELECT count(*) FROM users u JOIN accounts a ON a.user_id = u.id)`).
					Scan(&users, &accounts, &both)
			}); err != nil {
				t.Fatal(err)
			}
			if users == 0 || users != accounts || users != both {
				t.Errorf("%d users, %d accounts, %d of both", users, accounts, both)
			}
		})
	}
}

// churn adds a user with an account in each transaction, and removes the one before
// every third.
func churn(ctx context.Context, d *db.DB, written chan<- struct{}) error {
	for i := 1; ctx.Err() == nil; i++ {
		if err := d.Update(context.WithoutCancel(ctx), func(tx *db.Tx) error {
			for _, q := range []string{
				`INSERT INTO users (id, username, date_joined) VALUES ($1, $2, 0)`,
				`INSERT INTO accounts (id, user_id, implementation, identifier) VALUES ($1, $1, 'email', $2)`,
			} {
				if _, err := tx.Exec(q, int64(i), fmt.Sprint(i)); err != nil {
					return err
				}
			}
			if i%3 != 0 {
				return nil
			}
			_, err := tx.Exec(`DELETE FROM users WHERE id = $1`, int64(i-1)) // its account goes with it
			return err
		}); err != nil {
			return err
		}
		select {
		case written <- struct{}{}:
		case <-ctx.Done():
		}
	}
	return nil
}
