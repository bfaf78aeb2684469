package words_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/templates"
)

// use is one place that asks for a text.
type use struct {
	where, method string
	key           string   // '*' stands for what is worked out
	names         []string // of the values handed over
}

// inTemplates finds `.T "key" "Name" .Value` and its kind in all templates.
func inTemplates(t *testing.T) (all []use) {
	t.Helper()
	err := fs.WalkDir(templates.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(templates.FS, path)
		if err != nil {
			return err
		}
		tree := parse.New(path)
		tree.Mode = parse.SkipFuncCheck
		set := map[string]*parse.Tree{}
		if _, err := tree.Parse(string(text), "", "", set); err != nil {
			return err
		}
		set[path] = tree
		for _, tree := range set {
			if tree.Root != nil {
				walk(tree.Root, func(c *parse.CommandNode) {
					if u, ok := command(c); ok {
						u.where = path
						all = append(all, u)
					}
				})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// walk calls fn for every command below a node of a template.
func walk(node parse.Node, fn func(*parse.CommandNode)) {
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe, fn)
		walk(b.List, fn)
		if b.ElseList != nil {
			walk(b.ElseList, fn)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		for _, child := range n.Nodes {
			walk(child, fn)
		}
	case *parse.ActionNode:
		walk(n.Pipe, fn)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			walk(n.Pipe, fn)
		}
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			fn(c)
			for _, arg := range c.Args {
				if pipe, ok := arg.(*parse.PipeNode); ok {
					walk(pipe, fn)
				}
			}
		}
	}
}

// command is the use in a command such as `$.T "key" "Name" .Value`.
func command(c *parse.CommandNode) (u use, ok bool) {
	var path []string
	switch n := c.Args[0].(type) {
	case *parse.FieldNode:
		path = n.Ident
	case *parse.VariableNode:
		path = n.Ident
	}
	if len(path) == 0 || len(c.Args) < 2 || !slices.Contains([]string{"T", "N", "H"}, path[len(path)-1]) {
		return u, false
	}
	u.method = path[len(path)-1]
	switch key := c.Args[1].(type) {
	case *parse.StringNode:
		u.key = key.Text
	case *parse.PipeNode: // (print "prefix." .Field)
		for _, arg := range key.Cmds[0].Args[1:] {
			if s, ok := arg.(*parse.StringNode); ok {
				u.key += s.Text
			} else {
				u.key += "*"
			}
		}
	default:
		u.key = "*"
	}
	for i := 2; i+1 < len(c.Args); i += 2 {
		if name, ok := c.Args[i].(*parse.StringNode); ok {
			u.names = append(u.names, name.Text)
		}
	}
	return u, true
}

// sources are the parsed Go files of the program by their path.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, root := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(filepath.ToSlash(path), "../../")
			files[name], err = parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// inGo finds calls of T, N and H, and of web's message, which makes three keys
// of its arguments.
func inGo(files map[string]*ast.File) (all []use) {
	for name, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch sel.Sel.Name {
			case "T", "N", "H":
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "rand" {
					return true
				}
				u := use{where: name, method: sel.Sel.Name, key: pattern(call.Args[0])}
				for i := 1; i+1 < len(call.Args); i += 2 {
					u.names = append(u.names, pattern(call.Args[i]))
				}
				all = append(all, u)
			case "Say":
				if len(call.Args) == 4 && strings.HasPrefix(name, "internal/web/") {
					key := pattern(call.Args[1])
					all = append(all, use{name, "T", key + ".heading", nil}, use{name, "T", key + ".text", nil}, use{name, "T", pattern(call.Args[3]), nil})
				}
			}
			return true
		})
	}
	return all
}

// pattern is an expression of texts put together, with '*' for all but literals.
func pattern(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return s
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return pattern(e.X) + pattern(e.Y)
		}
	}
	return "*"
}

// constants are the texts of all constants of a type in a file.
func constants(file *ast.File, typeName string) (all []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typeName {
			for _, v := range spec.Values {
				all = append(all, pattern(v))
			}
		}
		return true
	})
	return all
}

// elements are the literal texts among the values of a package variable.
func elements(file *ast.File, variable string) (all []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != variable {
			return true
		}
		ast.Inspect(spec.Values[0], func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				all = append(all, pattern(lit))
			}
			return true
		})
		return false
	})
	return all
}

// problems are the keys of door.Problem in all files.
func problems(files map[string]*ast.File) (all []string) {
	all = elements(files["internal/door/problem.go"], "keys")
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || !strings.HasSuffix(typeName(lit.Type), "Problem") {
				return true
			}
			for _, e := range lit.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok && typeName(kv.Key) == "Key" && pattern(kv.Value) != "*" {
					all = append(all, pattern(kv.Value))
				}
			}
			return true
		})
	}
	return all
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// compared are the texts that a variable is compared with in a file.
func compared(file *ast.File, variable string) (all []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		if b, ok := n.(*ast.BinaryExpr); ok && b.Op == token.EQL && typeName(b.X) == variable && pattern(b.Y) != "*" {
			all = append(all, pattern(b.Y))
		}
		return true
	})
	return all
}

// families says what the '*' of a composed key stands for; a '*' alone is distinguished by
// its file.
func families(files map[string]*ast.File) map[string][]string {
	units := elements(files["internal/words/phrases.go"], "units")
	over := slices.DeleteFunc(elements(files["internal/web/code.go"], "verdicts"), func(v string) bool {
		// These go on instead of ending.
		return slices.Contains([]string{"accepted", "again", "wrong", "misshapen", "foreign", "refused", "added", "merge_asked", "merge_guarded", "merge_young", "led_again", "unanswered", "proven", "lacking"}, v)
	})
	for i, v := range over {
		over[i] = "ended." + v
	}
	return map[string][]string{
		"problem.id.*":                   constants(files["internal/accounts/discovery.go"], "Refusal"),
		"history.event.*":                constants(files["internal/audit/audit.go"], "Event"),
		"account.notice.*":               compared(files["internal/web/account.go"], "done"),
		"step.action.*":                  append([]string{"anew"}, elements(files["internal/multifactor/level.go"], "Actions")...),
		"step.way.*":                     {"totp", "recovery", "passkey"},
		"step.because.*":                 {"permission", "group", "app", "site"},
		"factor.*":                       {"code", "email", "jabber", "passkey", "passkey_uv", "totp", "recovery", "bound"},
		"factor.name.*":                  {"totp", "passkey", "recovery"},
		"factor.called.*":                {"totp", "passkey", "recovery"},
		"factors.done.*":                 elements(files["internal/web/factors.go"], "factorsDone"),
		"problem.shape.*":                {"totp", "recovery"},
		"problem.prove.*":                {"totp", "recovery", "passkey"},
		"language.*":                     {"auto", "en", "de"},
		"implementation.*":               append(accounts.Discovery{Jabber: &accounts.JabberIDs{}, AnyIssuer: true}.Implementations(), accounts.OAuth),
		"ago.*":                          units,
		"in.*":                           slices.DeleteFunc(slices.Clone(units), func(u string) bool { return u == "days" }),
		"error.*.heading":                problems(files),
		"error.*.text":                   problems(files),
		"internal/web/code.go *.heading": over,
		"internal/web/code.go *.text":    over,
		// The texts of Say come from its calls.
		"internal/page/problem.go *.heading": {}, "internal/page/problem.go *.text": {}, "internal/page/problem.go *": {},
	}
}

// uses are all uses, with composed keys written out.
func uses(t *testing.T) (all []use) {
	t.Helper()
	files := sources(t)
	known := families(files)
	for name, of := range known {
		if len(of) == 0 && !strings.Contains(name, ".go *") {
			t.Errorf("this test finds none of %s", name)
		}
	}
	for _, u := range append(inTemplates(t), inGo(files)...) {
		if !strings.Contains(u.key, "*") {
			all = append(all, u)
			continue
		}
		of, ok := known[u.key]
		if !ok {
			of, ok = known[u.where+" "+u.key]
		}
		if !ok {
			t.Errorf("%s asks for the key %s: name what it may be in families", u.where, u.key)
		}
		for _, word := range of {
			v := u
			v.key = strings.Replace(u.key, "*", word, 1)
			all = append(all, v)
		}
	}
	return all
}
