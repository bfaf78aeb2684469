package djauthy_test

import (
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/djauthy/djauthy/"

// floors lists the packages from the ground up. A package imports only packages
// of lower floors; those on one floor do not know each other.
var floors = [][]string{
	{"internal/db", "internal/seal", "internal/config", "internal/words", "internal/metrics", "internal/totp", "internal/plainjson", "internal/terminal", "internal/fetch", "internal/resident", "templates", "static"},
	{"internal/accounts", "internal/outbox", "internal/limit", "internal/audit", "internal/mailbox", "internal/backup", "internal/store", "internal/boundkey", "internal/sites", "internal/signkeys"},
	{"internal/browser", "internal/delivery", "internal/multifactor", "internal/session", "internal/services", "internal/federation"},
	{"internal/signin", "internal/access", "internal/directory", "internal/check"},
	{"internal/door", "internal/sweep"},
	{"internal/page", "internal/ungleichotp", "internal/bus"},
	{"internal/web", "internal/forward", "internal/command"},
	{"client/otp"},
	{"client/otp/fiberotp", "client/otp/bus"},
	{"cmd/djauthy"},
}

// beside lists the packages that stand beside the house, for others to build in.
// Of ours they import what is named alone.
var beside = map[string][]string{
	"client/otp":          {"internal/plainjson", "internal/totp"},
	"client/otp/fiberotp": {"client/otp"},
	"client/otp/bus":      {"client/otp", "internal/totp"},
}

// only lists who may import what nobody else may.
var only = map[string][]string{
	"database/sql":                {"internal/db"},
	"github.com/jackc/pgx/v5":     {"internal/db"},
	"modernc.org/sqlite":          {"internal/db"},
	"modernc.org/libc":            {"internal/db"},
	"github.com/gofiber/fiber/v2": {"internal/door", "internal/page", "internal/web", "internal/forward", "internal/ungleichotp", "cmd/djauthy", "client/otp/fiberotp"},
	"net/http":                    {"internal/door", "internal/page", "internal/web", "internal/forward", "internal/ungleichotp", "internal/metrics", "internal/delivery", "internal/fetch", "internal/federation", "cmd/djauthy", "client/otp", "client/otp/fiberotp"},
}

func TestImportsPointDown(t *testing.T) {
	floor := house()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./cmd/...", "./internal/...", "./client/...", "./templates/...", "./static/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
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
			if ours := strings.TrimPrefix(imp, module); ours != imp && beside[pkg] != nil && !slices.Contains(beside[pkg], ours) {
				t.Errorf("%s imports %s, but stands beside the house", pkg, imp)
			}
			for what, who := range only {
				if (imp == what || strings.HasPrefix(imp, what+"/")) && !slices.Contains(who, pkg) {
					t.Errorf("%s imports %s, which is for %v", pkg, imp, who)
				}
			}
		}
	}
}

// Pages name tests as proofs, docs/security.md one for each threat; a test that was renamed
// or removed must not stay there as a promise.
func TestPagesNameTestsThatExist(t *testing.T) {
	tests := map[string]bool{}
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := fs.Glob(os.DirFS("."), "docs/decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, name := range append(pages, "docs/security.md", "docs/architecture.md", "docs/services.md", "SECURITY.md", "CONTRIBUTING.md") {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile("[^`]``[^`]").Match(page) {
			t.Errorf("%s has a name that is empty", name)
		}
		for _, m := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z0-9]\\w+)`").FindAllSubmatch(page, -1) {
			if found[name]++; !tests[string(m[1])] {
				t.Errorf("%s names %s, which does not exist", name, m[1])
			}
		}
	}
	if found["docs/security.md"] < 50 {
		t.Fatalf("docs/security.md names only %d tests", found["docs/security.md"])
	}
}
