package proxy_test

import (
	"os"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

var binary program.Binary

func TestMain(m *testing.M) { os.Exit(program.Main(&binary, m.Run)) }

// must ends a test that cannot go on.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
