package upgrade_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the engines, to save and load databases
	_ "modernc.org/sqlite"

	"github.com/djauthy/djauthy/test/program"
)

// root is the module's, as seen from here.
const root = "../.."

var (
	binary  program.Binary // as it is released
	clocked program.Binary // the same with a clock that tests set
)

func TestMain(m *testing.M) {
	os.Exit(program.Main(&binary, func() int {
		var err error
		if clocked, err = buildClocked(filepath.Dir(string(binary))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}))
}

// must ends a test that cannot go on.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
