package docs_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

// Each example of docs/levels.md, in the order of the page, at a running server with one person.
func TestExamplesOfLevels(t *testing.T) {
	sink := program.OpenSink(t, program.SinkOptions{})
	s := program.Start(t, binary, sink.Settings()...)
	ann := program.NewVisitor("203.0.113.1")
	ann.Ask(t, s, "ann@example.org")
	ann.Enter(t, s, sink.Next(t, "ann@example.org").Code()).Want(t, 303, "/account")
	all := examples(t, "docs/levels.md")
	said := []struct{ name, says string }{
		{"first", "Set strong"},
		{"groups", "she may"},
		{"file", ""},
		{"apply", "LOCKED OUT"},
		{"why", `"missing"`},
		{"lost", s.URL + "/account/factors/link/"},
	}
	for _, e := range said {
		if out := s.Shell(t, all[e.name].text); !strings.Contains(out, e.says) {
			t.Errorf("%s prints\n%s", e.name, out)
		}
		delete(all, e.name)
	}
	if len(all) > 0 {
		t.Errorf("not tried: %v", slices.Sorted(maps.Keys(all)))
	}
	ann.Get(t, s, "/step-up?action=account.delete&next=/account/delete").Want(t, 200, "", "strong", "authenticator app")
}
