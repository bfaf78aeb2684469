package upgrade_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// An upgraded site is a saved database in the hands of today's djauthy.
type upgraded struct {
	*program.Site
	mail  *program.Sink
	held  held
	clock clock
}

// A way leads from what a release saved to a database that today's djauthy uses.
type way struct {
	name     string
	from, to string // engines
	restored bool   // from the backup that the release made, else the database itself
}

var ways = []way{
	{name: "sqlite", from: "sqlite", to: "sqlite"},
	{name: "postgres", from: "postgres", to: "postgres"},
	{name: "backup of sqlite to postgres", from: "sqlite", to: "postgres", restored: true},
	{name: "backup of postgres to sqlite", from: "postgres", to: "sqlite", restored: true},
}

// each runs fn with the database of every release, by every way, before anything of
// today's has touched it.
func each(t *testing.T, b program.Binary, fn func(t *testing.T, u *upgraded, w way, r release)) {
	t.Helper()
	for _, name := range releases(t) {
		for _, w := range ways {
			t.Run(name+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				r := readRelease(t, name, engineOf(t, w.from))
				fn(t, install(t, b, w, r), w, r)
			})
		}
	}
}

// install puts what was saved where a site of today finds it.
func install(t *testing.T, b program.Binary, w way, r release) *upgraded {
	t.Helper()
	to := engineOf(t, w.to)
	address := to.empty(t)
	if !w.restored {
		to.fill(t, address, r.dump)
	}
	u := &upgraded{mail: program.OpenSink(t, program.SinkOptions{}), held: r.held}
	u.Site = program.New(t, b, append(slices.Clone(r.held.Settings), "DATABASE="+address, "SECRET_KEY="+r.held.SecretKey, "BRAND_NAME=Example")...)
	u.Set(u.mail.Settings()...)
	return u
}

// at sets the clock to so long after the moment of saving.
func (u *upgraded) at(after time.Duration) {
	u.clock = standingAt(u.held.Saved.Add(after))
	u.Env(u.clock.setting())
}

// run runs a command that has to go well.
func (u *upgraded) run(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := u.Run(t, args...)
	if code != 0 {
		t.Fatalf("djauthy %v: %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// steps runs a command that takes steps of migrating, or would.
func (u *upgraded) steps(t *testing.T, args ...string) []string {
	t.Helper()
	var out struct {
		Steps []string `json:"steps"`
	}
	must(t, json.Unmarshal([]byte(u.run(t, append([]string{"--json"}, args...)...)), &out))
	return out.Steps
}

// upgrade brings the database up to date as an administrator does.
func (u *upgraded) upgrade(t *testing.T, w way, r release) {
	t.Helper()
	if w.restored {
		file := filepath.Join(u.Dir, "backup")
		must(t, os.WriteFile(file, r.backup, 0o600))
		u.run(t, "restore", file)
	} else {
		pending := u.steps(t, "migrate", "--pending")
		if len(pending) > 0 {
			u.refusesOld(t)
		}
		if took := u.steps(t, "migrate"); !slices.Equal(took, pending) {
			t.Errorf("migrate took the steps %v, %v were pending", took, pending)
		}
	}
	if again := u.steps(t, "migrate"); len(again) > 0 {
		t.Errorf("migrate took %v when all was done", again)
	}
	if out := u.run(t, "migrate"); !strings.Contains(out, "up to date") {
		t.Errorf("migrate says %q when all was done", out)
	}
}

// refusesOld requires that a command which needs today's tables says what to do.
func (u *upgraded) refusesOld(t *testing.T) {
	t.Helper()
	stdout, stderr, code := u.Run(t, "users", "list")
	if code != 1 || stdout != "" || !strings.Contains(stderr, "djauthy migrate") {
		t.Errorf("users list before migrating: %d, %q, %q", code, stdout, stderr)
	}
}

// soon is how long after the saving most is looked at: an administrator upgrades
// while people have codes in their mailboxes.
const soon = 5 * time.Second

func TestAnUpgradeKeepsWhatEverybodyHolds(t *testing.T) {
	t.Parallel()
	each(t, clocked, func(t *testing.T, u *upgraded, w way, r release) {
		u.at(soon)
		u.upgrade(t, w, r)
		u.keepsEverything(t)
	})
}

// keepsEverything requires that nobody notices the upgrade.
func (u *upgraded) keepsEverything(t *testing.T) {
	t.Helper()
	u.printsTheSame(t)
	u.Start(t)
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		t.Run(name, func(t *testing.T) { checks[name](t, u) })
	}
	u.Stop(t)
}

// The server migrates by itself, without `djauthy migrate`.
func TestAnUpgradeByStartingTheServer(t *testing.T) {
	t.Parallel()
	each(t, clocked, func(t *testing.T, u *upgraded, w way, r release) {
		u.at(2 * time.Hour)
		if w.restored {
			u.upgrade(t, w, r)
		}
		u.Start(t)
		u.expired(t)
		u.Stop(t)
	})
}

// After a year everything that has an end has come to it, history too.
func TestAnUpgradeAYearLaterClearsAwayWhatHasEnded(t *testing.T) {
	t.Parallel()
	each(t, clocked, func(t *testing.T, u *upgraded, w way, r release) {
		u.at(366 * 24 * time.Hour)
		u.upgrade(t, w, r)
		u.swept(t)
		u.Start(t)
		u.ended(t)
		u.Stop(t)
	})
}

// By the wall clock the age of a saved database is any: minutes when a release is
// added, and years later. So this is what holds at any age.
func TestAnUpgradeByTheWallClock(t *testing.T) {
	t.Parallel()
	each(t, binary, func(t *testing.T, u *upgraded, w way, r release) {
		u.upgrade(t, w, r)
		u.knowsItsUsers(t)
		u.Start(t)
		for _, name := range []string{"triples verify", "apps verify", "who is shut out stays out", "people sign in anew"} {
			t.Run(name, func(t *testing.T) { checks[name](t, u) })
		}
		u.Stop(t)
	})
}

// The saver is used at releases only, so it is tried here with today's djauthy, whose
// databases have to pass what those of releases do. Its clock stands years back, so
// that a database's age makes no difference: what passes on the day of a release
// passes in later years. The script save names a release's binary, which has the
// clock of the machine, and keeps what it saved once that has passed.
func TestWhatTheSaverSavesIsWhole(t *testing.T) {
	t.Parallel()
	name, old, c := os.Getenv("UPGRADE_SAVE"), clocked, standingAt(time.Now().AddDate(-5, 0, 0))
	if name != "" {
		old, c = program.Binary(os.Getenv("UPGRADE_BINARY")), 0
	}
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			r := save(t, old, engineOf(t, w.from), c)
			u := install(t, clocked, w, r)
			u.at(soon)
			u.upgrade(t, w, r)
			u.keepsEverything(t)
			if name != "" && !w.restored && !t.Failed() {
				r.write(t, name)
			}
		})
	}
}
