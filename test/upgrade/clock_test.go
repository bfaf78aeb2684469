package upgrade_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// clockVariable says in the environment of a clocked djauthy how far its clock is
// ahead of the machine's, as a duration.
const clockVariable = "UPGRADE_TEST_CLOCK_AHEAD"

// clockSource is compiled into internal/db in place of its clock.
const clockSource = `package db

import (
	"os"
	"time"
)

func clockOfUpgradeTest() time.Time {
	ahead, err := time.ParseDuration(os.Getenv("` + clockVariable + `"))
	if err != nil {
		panic(err)
	}
	return time.Now().Round(0).Add(ahead)
}
`

// theClock is time.Now where it is handed on and not called.
var theClock = regexp.MustCompile(`\btime\.Now\b([^(\w]|$)`)

// buildClocked builds a djauthy whose clock clockVariable sets. The sources stay as
// they are: the compiler is given others in the place of some (go help build,
// -overlay).
func buildClocked(dir string) (program.Binary, error) {
	folder, err := filepath.Abs(filepath.Join(root, "internal", "db"))
	if err != nil {
		return "", err
	}
	replaced := map[string]string{filepath.Join(folder, "clock_of_upgrades.go"): clockSource}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return "", err
	}
	found := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if n := len(theClock.FindAll(text, -1)); n > 0 && !strings.HasSuffix(path, "_test.go") {
			found += n
			replaced[path] = theClock.ReplaceAllString(string(text), "clockOfUpgradeTest$1")
		}
	}
	if found != 1 {
		return "", errors.New("internal/db hands on time.Now in other than one place: say here which is the clock of its transactions")
	}
	overlay, err := writeOverlay(dir, replaced)
	if err != nil {
		return "", err
	}
	return program.Build(filepath.Join(dir, "clocked"), "-overlay", overlay)
}

// writeOverlay writes sources by the path that they replace, and returns the file
// that tells the compiler.
func writeOverlay(dir string, replaced map[string]string) (string, error) {
	overlay := map[string]map[string]string{"Replace": {}}
	for path, text := range replaced {
		source := filepath.Join(dir, filepath.Base(path)+".source")
		if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay["Replace"][path] = source
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o600)
}

// A clock is where the clock of a djauthy stands against the machine's.
type clock time.Duration

// standingAt is the clock that shows a moment now.
func standingAt(moment time.Time) clock { return clock(time.Until(moment.Round(0))) }

func (c clock) now() time.Time { return time.Now().Add(time.Duration(c)) }

// setting is the clock in the environment.
func (c clock) setting() string { return clockVariable + "=" + time.Duration(c).String() }

func TestTheClockStandsWhereATestSetsIt(t *testing.T) {
	t.Parallel()
	moment := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	s := program.New(t, clocked)
	s.Env(standingAt(moment).setting())
	s.Start(t)
	stdout, stderr, _ := s.Run(t, "--json", "users", "add", "ann@people.example")
	var ann struct {
		Joined time.Time `json:"date_joined"`
	}
	if err := json.Unmarshal([]byte(stdout), &ann); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	if late := ann.Joined.Sub(moment); late < 0 || late > time.Minute {
		t.Errorf("who is added at %s joined at %s", moment, ann.Joined)
	}
}
