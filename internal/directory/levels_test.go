package directory_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// known is what the server of these tests has: no Jabber.
var known = multifactor.Server{
	Has: map[multifactor.Factor]bool{
		"email": true, "jabber": false, "openid": true, "corp": true, multifactor.AnyCode: true, multifactor.TOTP: true,
		multifactor.Passkey: true, multifactor.VerifiedPasskey: true, multifactor.Recovery: true,
	},
	Providers: []accounts.ProviderIDs{{Name: "corp", Kind: accounts.OpenID, Issuer: "https://corp.example"}},
}

// needing is a level with sets such as "email+totp".
func needing(t *testing.T, name string, sets ...string) multifactor.Level {
	t.Helper()
	l := multifactor.Level{Name: name}
	for _, text := range sets {
		n, err := multifactor.ParseNeed(text)
		dbtest.Check(t, err)
		l.Need = append(l.Need, n)
	}
	return l
}

func TestALevelIsStoredAsItWasGiven(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, is := rights(t, d)
		dir.Factors = known
		l := needing(t, "strong", "email+totp", "passkey:uv")
		l.Rank = 20
		l.Valid = map[multifactor.Factor]multifactor.Span{"totp": {Duration: 90 * time.Minute, Text: "90m"}, "email": {Duration: time.Hour, Text: "3600"}}
		l.For = multifactor.Guards{
			Permissions: []string{"reports.read", "djauthy.log.view"}, Groups: []string{"OPS"}, Apps: []string{"rp"}, Sites: []string{"https://a.example"},
			Actions: []string{multifactor.DeleteAccount},
		}
		is(dir.SetLevel(t.Context(), directory.Command(), l), nil)
		got, err := dir.Level(t.Context(), "strong")
		is(err, nil)
		l.For.Groups = []string{"ops"} // as it is written
		dbtest.Want(t, got.Equal(l), true)
		dbtest.Want(t, got.Valid["email"].Text, "3600")

		l.Need, l.For = l.Need[:1], multifactor.Guards{} // replaced as a whole
		is(dir.SetLevel(t.Context(), directory.Command(), l), nil)
		got, err = dir.Level(t.Context(), "strong")
		is(err, nil)
		dbtest.Want(t, got.Equal(l), true)
		is(dir.DeleteLevel(t.Context(), directory.Command(), "strong"), nil)
		_, err = dir.Level(t.Context(), "strong")
		is(err, db.ErrNotFound)
		is(dir.DeleteLevel(t.Context(), directory.Command(), "strong"), db.ErrNotFound)
	})
}

func TestALevelThatCannotBeIsRefusedWithTheReason(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, _ := rights(t, d)
		dir.Factors = known
		named := func(change func(l *multifactor.Level)) multifactor.Level {
			l := needing(t, "l", "email")
			change(&l)
			return l
		}
		for says, l := range map[string]multifactor.Level{
			`no factor "emial"`:     needing(t, "l", "email", "emial"),
			"not set up for jabber": needing(t, "l", "jabber", "jabber+totp"),
			"needs nothing":         {Name: "l"},
			"the name":              needing(t, "Strong!", "email"),
			"beside another":        needing(t, "l", "recovery"),
			`no factor "sms"`: named(func(l *multifactor.Level) {
				l.Valid = map[multifactor.Factor]multifactor.Span{"sms": {Duration: 1, Text: "1"}}
			}),
			`no group "nix"`:      named(func(l *multifactor.Level) { l.For.Groups = []string{"nix"} }),
			`no permission "nix"`: named(func(l *multifactor.Level) { l.For.Permissions = []string{"nix"} }),
			`the action "nix"`:    named(func(l *multifactor.Level) { l.For.Actions = []string{"nix"} }),
			"no superuser could": func() multifactor.Level {
				l := needing(t, "l", "email+totp")
				l.For.Actions = []string{"admin"}
				return l
			}(),
			"rank -1":                named(func(l *multifactor.Level) { l.Rank = -1 }),
			"the set \"email+email+": needing(t, "l", "email+email+email+email+email+email+email"),
		} {
			before := dbtest.Dump(t, d)
			err := dir.SetLevel(t.Context(), directory.Command(), l)
			if refused := (directory.LevelError{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), says) {
				t.Errorf("%+v: %v, want %s", l, err, says)
			}
			if !reflect.DeepEqual(before, dbtest.Dump(t, d)) {
				t.Fatalf("%s: something was stored", says)
			}
		}
		l := needing(t, "l", "jabber", "email") // one set can be reached
		l.For.Actions = []string{"admin"}
		dbtest.Check(t, dir.SetLevel(t.Context(), directory.Command(), l))
	})
}

func TestApplyingLevelsIsAllOrNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, is := rights(t, d)
		dir.Factors = known
		a, b, c := needing(t, "a", "email"), needing(t, "b", "totp"), needing(t, "c", "nothing-like-it")
		names := func(names ...string) {
			t.Helper()
			all, err := dir.Levels(t.Context())
			is(err, nil)
			var got []string
			for _, l := range all {
				got = append(got, l.Name)
			}
			if !slices.Equal(got, names) {
				t.Fatalf("levels %v, want %v", got, names)
			}
		}
		apply := func(prune bool, levels ...multifactor.Level) (directory.Applied, error) {
			return dir.ApplyLevels(t.Context(), directory.Command(), levels, prune)
		}
		_, err := apply(false, a, b, c)
		if err == nil {
			t.Fatal("applied")
		}
		names()
		_, err = apply(false, a, a)
		if err == nil {
			t.Fatal("one level twice was applied")
		}
		out, err := apply(false, a, b)
		is(err, nil)
		dbtest.Want(t, strings.Join(out.Set, "+"), "a+b")
		names("a", "b")
		b.Rank = 3
		out, err = apply(false, b) // others are left alone
		is(err, nil)
		dbtest.Want(t, strings.Join(out.Set, "+"), "b")
		names("a", "b")
		p, err := dir.PreviewLevels(t.Context(), []multifactor.Level{b}, true)
		is(err, nil)
		dbtest.Want(t, strings.Join(p.Deleted, "+"), "a")
		names("a", "b")
		out, err = apply(true, b)
		is(err, nil)
		dbtest.Want(t, strings.Join(out.Same, "+"), "b")
		dbtest.Want(t, strings.Join(out.Deleted, "+"), "a")
		names("b")
	})
}

func TestAPreviewNamesWhoIsAskedForMoreAndWhoForLess(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, is := rights(t, d)
		dir.Factors = known
		name := func(who string) string {
			u, err := dir.Find(t.Context(), who+"@example.org")
			is(err, nil)
			return u.Username
		}
		_, err := dir.Join(t.Context(), directory.Command(), "ops", []string{"ann@example.org"})
		is(err, nil)
		l := needing(t, "l", "email+totp")
		l.For.Groups = []string{"ops"}
		p, err := dir.PreviewLevels(t.Context(), []multifactor.Level{l}, false)
		is(err, nil)
		dbtest.Want(t, strings.Join(p.More, ","), name("ann"))
		dbtest.Want(t, strings.Join(p.LockedOut, ","), name("ann")) // no authenticator app yet
		dbtest.Want(t, len(p.Less), 0)
		is(dir.SetLevel(t.Context(), directory.Command(), l), nil)

		l.Need = needing(t, "l", "email").Need
		p, err = dir.PreviewLevels(t.Context(), []multifactor.Level{l}, false)
		is(err, nil)
		dbtest.Want(t, strings.Join(p.Less, ","), name("ann"))
		dbtest.Want(t, p.Counts, directory.Counts{Less: 1})

		all := needing(t, "all", "code+code")
		all.For.Actions = []string{multifactor.DeleteAccount}
		p, err = dir.PreviewLevels(t.Context(), []multifactor.Level{all}, false)
		is(err, nil)
		dbtest.Want(t, p.Counts, directory.Counts{More: 2, LockedOut: 2}) // ann and root; out is deactivated
	})
}

func TestWhatALevelGuardsDoesNotGo(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, is := rights(t, d)
		dir.Factors = known
		l := needing(t, "l", "email")
		l.For = multifactor.Guards{Groups: []string{"ops"}, Permissions: []string{"reports.read"}}
		is(dir.SetLevel(t.Context(), directory.Command(), l), nil)
		_, err := dir.DeleteGroup(t.Context(), directory.Command(), "ops")
		guarded := directory.Guarded{}
		dbtest.Want(t, errors.As(err, &guarded), true)
		dbtest.Want(t, errors.As(dir.DeletePermission(t.Context(), directory.Command(), "reports.read"), &guarded), true)
		is(dir.DeleteLevel(t.Context(), directory.Command(), "l"), nil)
		_, err = dir.DeleteGroup(t.Context(), directory.Command(), "ops")
		is(err, nil)
		is(dir.DeletePermission(t.Context(), directory.Command(), "reports.read"), nil)
	})
}

func TestEveryProcessSeesAChangedLevelAtOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, is := rights(t, d)
		dir.Factors = known
		var mine, theirs multifactor.Book
		rank := func(b *multifactor.Book) (rank int) {
			t.Helper()
			rank = -1
			is(d.View(t.Context(), func(tx *db.Tx) error {
				r, err := b.Current(tx)
				if err == nil && r.Level("l") != nil {
					rank = r.Level("l").Rank
				}
				return err
			}), nil)
			return rank
		}
		dbtest.Want(t, rank(&mine), -1)
		dbtest.Want(t, rank(&theirs), -1)
		l := needing(t, "l", "email")
		for want := range 3 {
			l.Rank = want
			is(dir.SetLevel(t.Context(), directory.Command(), l), nil)
			dbtest.Want(t, rank(&mine), want)
			dbtest.Want(t, rank(&theirs), want)
		}
		is(dir.DeleteLevel(t.Context(), directory.Command(), "l"), nil)
		dbtest.Want(t, rank(&mine), -1)
	})
}
