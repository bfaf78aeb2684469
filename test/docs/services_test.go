package docs_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/client/otp"
	"github.com/djauthy/djauthy/test/program"
)

// example is a piece of the page: its language and its text.
type example struct{ language, text string }

// examples are those of a page that have a language, by the name in the comment
// they begin with.
func examples(t *testing.T, page string) map[string]example {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	must(t, err)
	all := map[string]example{}
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllSubmatch(text, -1) {
		name := regexp.MustCompile(`^(?:#|//) ([\w-]+)\n`).FindSubmatch(m[2])
		if name == nil {
			t.Errorf("%s: an example has no name:\n%s", page, m[2])
			continue
		}
		if _, twice := all[string(name[1])]; twice {
			t.Errorf("%s: two examples have the name %s", page, name[1])
		}
		all[string(name[1])] = example{string(m[1]), string(m[2])}
	}
	return all
}

// says is what an example prints of a right token; "verified" if it is not here.
var says = map[string]string{"http-command": "Verify ok"}

func TestExamplesOverHTTPVerifyRightTokensOnly(t *testing.T) {
	var shop, printer struct{ Name, Realm, Seed string }
	s := program.Start(t, binary)
	add(t, s, &shop, "services", "add", "--name", "shop", "--realm", "ungleich-auth")
	add(t, s, &printer, "services", "add", "--name", "printer", "--realm", "office")
	must(t, os.Symlink(string(binary), filepath.Join(s.Dir, "djauthy")))
	environ := []string{
		"SERVER=" + s.URL, "NAME=" + shop.Name, "REALM=" + shop.Realm, "SEED=" + shop.Seed,
		"OTHER_NAME=" + printer.Name, "OTHER_REALM=" + printer.Realm,
		"PATH=" + s.Dir + string(os.PathListSeparator) + os.Getenv("PATH"),
	}
	for _, name := range []string{"http-shell", "http-command", "http-python", "http-go"} {
		t.Run(name, func(t *testing.T) { try(t, name, seed(printer.Seed), environ) })
	}
}

func TestAServiceShowsItselfToAnother(t *testing.T) {
	var shop, printer, other struct{ Name, Realm, Seed string }
	s := program.Start(t, binary)
	add(t, s, &shop, "services", "add", "--name", "shop", "--realm", "ungleich-auth")
	add(t, s, &printer, "services", "add", "--name", "printer", "--realm", "office")
	add(t, s, &other, "services", "add", "--name", "printer", "--realm", "cellar")
	by := &otp.Client{Name: shop.Name, Realm: shop.Realm, Seed: shop.Seed, Server: s.URL + "/ungleichotp/"}
	orders := httptest.NewServer(by.Require("office")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := otp.From(r.Context())
		_, _ = io.WriteString(w, "orders for "+who.Name) // the client has gone, or it has not
	})))
	defer orders.Close()
	e, ok := examples(t, "docs/services.md")["show-shell"]
	if !ok {
		t.Fatal("docs/services.md has no example show-shell")
	}
	show := func(realm, seed string) string {
		out, _ := e.run(t, []string{"SHOP=" + orders.URL, "NAME=printer", "REALM=" + realm, "SEED=" + seed}) // refused: curl ends with an error
		return out
	}
	if got := show("office", printer.Seed); got != "orders for printer" {
		t.Errorf("the printer gets %q", got)
	}
	for realm, seed := range map[string]string{"office": other.Seed, "cellar": other.Seed} {
		if got := show(realm, seed); got != "" {
			t.Errorf("a printer in %s gets %q", realm, got)
		}
	}
}

func TestExamplesOverTheBusVerifyRightTokensOnly(t *testing.T) {
	var shop, printer struct{ Appuuid, Seed string }
	s := program.Start(t, binary, "BUS_URL="+rabbit.URL(t))
	awaitReady(t, s)
	add(t, s, &shop, "services", "add-app", "--username", "shop", "--appname", "shop", "--trusted")
	add(t, s, &printer, "services", "add-app", "--username", "office", "--appname", "printer")
	environ := []string{"BROKER=" + rabbit.URL(t), "UUID=" + shop.Appuuid, "SEED=" + shop.Seed, "OTHER_UUID=" + printer.Appuuid}
	for _, name := range []string{"bus-python", "bus-go"} {
		t.Run(name, func(t *testing.T) { try(t, name, seed(printer.Seed), environ) })
	}
}

// An example that is added has to be tried, and to have a name.
func TestEveryExampleOfThePageIsTried(t *testing.T) {
	tried := []string{"bus-go", "bus-python", "http-command", "http-go", "http-python", "http-shell", "show-shell"}
	if got := slices.Sorted(maps.Keys(examples(t, "docs/services.md"))); !slices.Equal(got, tried) {
		t.Errorf("the page has %v, tried are %v", got, tried)
	}
}

// try runs an example with a right and a wrong token.
func try(t *testing.T, name string, s seed, environ []string) {
	t.Helper()
	e, ok := examples(t, "docs/services.md")[name]
	if !ok {
		t.Fatalf("docs/services.md has no example %s", name)
	}
	word := says[name]
	if word == "" {
		word = "verified"
	}
	right, err := e.run(t, append(environ, "OTHER_TOKEN="+s.token(t)))
	if err != nil || right != word+"\n" {
		t.Errorf("with a right token: %v, %q, want %q", err, right, word)
	}
	wrong, _ := e.run(t, append(environ, "OTHER_TOKEN="+s.wrong(t))) // some end with an error, some do not
	if strings.Contains(wrong, word+"\n") {
		t.Errorf("a wrong token is verified:\n%s", wrong)
	}
	for _, fault := range []string{"Traceback", "panic", "command not found", "SyntaxError", "cannot find"} {
		if strings.Contains(wrong, fault) {
			t.Errorf("a wrong token is met with:\n%s", wrong)
		}
	}
}

// run runs an example as its reader would, and returns all that it prints.
func (e example) run(t *testing.T, environ []string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // Go compiles it first
	defer cancel()
	var cmd *exec.Cmd
	switch e.language {
	case "sh":
		program.Need(t, "oathtool")
		program.Need(t, "curl")
		cmd = exec.CommandContext(ctx, "sh", write(t, "example.sh", e.text))
	case "python":
		cmd = exec.CommandContext(ctx, program.Python(t, modules(e.text)...), write(t, "example.py", e.text))
	case "go":
		cmd = exec.CommandContext(ctx, "go", "run", write(t, "example.go", e.text))
		cmd.Dir = root
	default:
		t.Fatalf("nobody knows how to run %s", e.language)
	}
	cmd.Env = append(os.Environ(), environ...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// modules are those that a Python program imports.
func modules(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^import (.*)$`).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}
