package djauthy_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/djauthy/djauthy/"

// floors lists the packages from the ground up. A package imports only packages
// of lower floors; those on one floor do not know each other.
var floors = [][]string{
	{"internal/db", "internal/seal", "internal/config", "internal/words", "internal/metrics", "templates", "static"},
	{"internal/accounts", "internal/delivery", "internal/limit", "internal/audit", "internal/mailbox"},
	{"internal/multifactor"},
	{"internal/signin"},
	{"internal/door", "internal/sweep"},
	{"internal/web"},
	{"cmd/djauthy"},
}

// only lists who may import what nobody else may.
var only = map[string][]string{
	"database/sql":                {"internal/db"},
	"github.com/jackc/pgx/v5":     {"internal/db"},
	"modernc.org/sqlite":          {"internal/db"},
	"github.com/gofiber/fiber/v2": {"internal/door", "internal/web", "cmd/djauthy"},
	"net/http":                    {"internal/door", "internal/web", "internal/metrics", "cmd/djauthy"},
}

func TestImportsPointDown(t *testing.T) {
	floor := map[string]int{}
	for i, line := range floors {
		for _, p := range line {
			floor[p] = i
		}
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./cmd/...", "./internal/...", "./templates/...", "./static/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		pkg := strings.TrimPrefix(path, module)
		if strings.HasSuffix(pkg, "test") { // helpers of tests alone
			continue
		}
		at, ok := floor[pkg]
		if !ok {
			t.Errorf("%s has no floor; give it one in floors", pkg)
		}
		for imp := range strings.FieldsSeq(imports) {
			if f, ours := floor[strings.TrimPrefix(imp, module)]; ours && f >= at {
				t.Errorf("%s imports %s, which is not below it", pkg, imp)
			}
			for what, who := range only {
				if (imp == what || strings.HasPrefix(imp, what+"/")) && !slices.Contains(who, pkg) {
					t.Errorf("%s imports %s, which is for %v", pkg, imp, who)
				}
			}
		}
	}
}
