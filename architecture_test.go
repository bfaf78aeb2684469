package djauthy_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What keeps the house readable.
const (
	longestChain  = 6    // of packages that import each other, the command included
	packageLines  = 3000 // without tests
	fileLines     = 400
	functionLines = 60
	// topFloor is the highest of floors on which a transaction is held and a line of
	// history written: floor 3 of docs/architecture.md. Those above read input, call one
	// method, and answer.
	topFloor = 3
)

// source is a file of the program, without tests.
type source struct {
	name string // from the root: internal/db/tx.go
	set  *token.FileSet
	file *ast.File
	text []byte
}

func (s source) pkg() string { return path.Dir(s.name) }

// sources are the files of the program.
func sources(t *testing.T) (all []source) {
	t.Helper()
	for _, dir := range []string{"cmd", "internal", "client", "templates", "static"} {
		err := fs.WalkDir(os.DirFS("."), dir, func(name string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(path.Dir(name), "test") {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			s := source{name: name, set: token.NewFileSet(), text: text}
			s.file, err = parser.ParseFile(s.set, name, text, parser.ParseComments)
			all = append(all, s)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// imports are what each package of ours imports of ours.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, s := range sources(t) {
		for _, i := range s.file.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(name, module); ok && !slices.Contains(all[s.pkg()], ours) {
				all[s.pkg()] = append(all[s.pkg()], ours)
			}
		}
		slices.Sort(all[s.pkg()])
	}
	return all
}

func TestNoChainOfImportsIsLong(t *testing.T) {
	all := imports(t)
	var longest func(pkg string) []string
	longest = func(pkg string) (chain []string) {
		for _, i := range all[pkg] {
			if below := longest(i); len(below) > len(chain) {
				chain = below
			}
		}
		return append([]string{pkg}, chain...)
	}
	if chain := longest("cmd/djauthy"); len(chain) > longestChain {
		t.Errorf("%d packages: %s", len(chain), strings.Join(chain, " → "))
	}
}

func TestPackagesFilesAndFunctionsAreOfASizeToRead(t *testing.T) {
	packages := map[string]int{}
	for _, s := range sources(t) {
		lines := bytes.Count(s.text, []byte("\n"))
		if packages[s.pkg()] += lines; lines > fileLines {
			t.Errorf("%s has %d lines", s.name, lines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; n > functionLines {
				t.Errorf("%s: %s has %d lines", s.name, f.Name.Name, n)
			}
		}
	}
	for pkg, lines := range packages {
		if lines > packageLines {
			t.Errorf("%s has %d lines", pkg, lines)
		}
	}
}

// house is the floor of each package of docs/architecture.md's table, from the ground, 0,
// to the roof.
func house() map[string]int {
	floor := map[string]int{}
	for i, line := range floors {
		for _, p := range line {
			floor[p] = i
		}
	}
	return floor
}

func TestDoorsHoldNoTransactionAndWriteNoHistory(t *testing.T) {
	floor := house()
	for _, s := range sources(t) {
		if at, ok := floor[s.pkg()]; !ok || at <= topFloor {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := x.Name + "." + sel.Sel.Name
			if name == "db.Tx" || x.Name == "audit" && regexp.MustCompile(`^(Write|Begin|Finish)`).MatchString(sel.Sel.Name) {
				t.Errorf("%s: %s is for the floors below", s.set.Position(n.Pos()), name)
			}
			return true
		})
	}
}

// The SQL of a table stands in the package that owns it, and nowhere else.
func TestEachTableIsNamedByOnePackage(t *testing.T) {
	tables := tablesOfMigrations(t)
	named := regexp.MustCompile(`(?i)\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+([a-z_]+)\b`)
	owners := map[string]map[string]bool{}
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			for _, m := range named.FindAllStringSubmatch(lit.Value, -1) {
				if tables[m[1]] {
					if owners[m[1]] == nil {
						owners[m[1]] = map[string]bool{}
					}
					owners[m[1]][s.pkg()] = true
				}
			}
			return true
		})
	}
	for table := range tables {
		switch who := slices.Sorted(maps.Keys(owners[table])); len(who) {
		case 0:
			t.Errorf("no package names the table %s", table)
		case 1:
		default:
			t.Errorf("the table %s is named by %s", table, strings.Join(who, ", "))
		}
	}
}

// tablesOfMigrations are the tables that there are after all steps.
func tablesOfMigrations(t *testing.T) map[string]bool {
	t.Helper()
	tables := map[string]bool{}
	names, err := fs.Glob(os.DirFS("."), "internal/db/migrations/sqlite/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(len(names), err)
	}
	step := regexp.MustCompile(`(?m)^(CREATE|DROP|ALTER) TABLE (\w+)(?: RENAME TO (\w+))?`)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range step.FindAllStringSubmatch(string(text), -1) {
			switch {
			case m[1] == "CREATE":
				tables[m[2]] = true
			case m[1] == "DROP":
				delete(tables, m[2])
			case m[3] != "":
				delete(tables, m[2])
				tables[m[3]] = true
			}
		}
	}
	return tables
}

// docs/architecture.md walks through the program by names of files and functions, as in
// `web/login.go: postLogin`.
func TestTheWalksNameWhatExists(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				functions[strings.TrimPrefix(s.name, "internal/")+": "+f.Name.Name] = true
			}
		}
	}
	steps := regexp.MustCompile("`([a-z0-9/_]+\\.go: \\w+)`").FindAllSubmatch(page, -1)
	if len(steps) < 30 {
		t.Fatalf("only %d steps are named", len(steps))
	}
	for _, m := range steps {
		if !functions[string(m[1])] {
			t.Errorf("docs/architecture.md walks through %s, which does not exist", m[1])
		}
	}
}

// The table of docs/architecture.md has every package, on its floor.
func TestTheTableHasEveryPackageOnItsFloor(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	listed, at := map[string]string{}, ""
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		if floor := strings.TrimSpace(cells[1]); floor != "" {
			at = floor
		}
		for _, m := range regexp.MustCompile("`((?:internal|cmd|client)/[a-z0-9/]+|templates|static)`").FindAllStringSubmatch(cells[2]+cells[3], -1) {
			if listed[m[1]] == "" {
				listed[m[1]] = at
			}
		}
	}
	for i, line := range slices.DeleteFunc(slices.Clone(floors), func(line []string) bool { return len(beside[line[0]]) > 0 }) {
		for _, pkg := range line {
			if listed[pkg] != strconv.Itoa(i) {
				t.Errorf("docs/architecture.md has %s on floor %q, want %d", pkg, listed[pkg], i)
			}
		}
	}
}

// The picture of the floors in docs/architecture.md is drawn from the imports; UPDATE=1
// draws it again.
func TestThePictureShowsTheFloors(t *testing.T) {
	const name, begin, end = "docs/architecture.md", "```mermaid\n", "```\n"
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), begin)
	drawn, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no picture", name)
	}
	picture := draw(imports(t))
	if drawn == picture {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("the picture in %s is not that of the code: UPDATE=1 go test . draws it again", name)
	}
	if err := os.WriteFile(name, []byte(before+begin+picture+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// draw draws the floors from the roof down. An arrow that others imply is left out, and
// so are those to the ground, on which everything stands.
func draw(all map[string][]string) string {
	floor, short := house(), func(pkg string) string { return path.Base(pkg) }
	var reaches func(from, to string) bool
	reaches = func(from, to string) bool {
		return slices.ContainsFunc(all[from], func(i string) bool { return i == to || reaches(i, to) })
	}
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	ours := slices.DeleteFunc(slices.Clone(floors), func(line []string) bool { return len(beside[line[0]]) > 0 })
	for i, line := range slices.Backward(ours) {
		fmt.Fprintf(&b, "  subgraph floor%d [\"%d\"]\n", i, i)
		for _, pkg := range line {
			fmt.Fprintf(&b, "    %s\n", short(pkg))
		}
		b.WriteString("  end\n")
	}
	for _, line := range slices.Backward(floors) {
		for _, pkg := range line {
			for _, i := range all[pkg] {
				implied := slices.ContainsFunc(all[pkg], func(other string) bool { return other != i && reaches(other, i) })
				if floor[i] > 0 && len(beside[i]) == 0 && len(beside[pkg]) == 0 && !implied {
					fmt.Fprintf(&b, "  %s --> %s\n", short(pkg), short(i))
				}
			}
		}
	}
	return b.String()
}
