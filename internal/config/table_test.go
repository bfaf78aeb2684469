package config

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// proxy is a set of settings with arrays of tables, one within the other.
type proxy struct {
	Label     string
	Listeners []listener
}

type listener struct {
	Name     string
	Password string
	Timeout  time.Duration
	Tags     []string
	Rules    []rule
	Life     time.Duration // under [life], by the name
}

type rule struct {
	Path   string
	Public bool
}

func (p *proxy) table() table {
	t := table{
		settings: []setting{text("label", &p.Label, "none", "", anyText)},
		arrays:   []array{arrayOf("listener", &p.Listeners, "any number", (*listener).table)},
	}
	for i := range p.Listeners {
		l := &p.Listeners[i]
		t.settings = append(t.settings, duration("life."+l.Name, &l.Life, "10m", "", time.Minute, time.Hour))
	}
	return t
}

func (l *listener) table() table {
	return table{
		settings: []setting{
			text("name", &l.Name, "web", "what it is called", bareKey),
			text("password", &l.Password, "", "", secretKey).markSecret(),
			duration("timeout", &l.Timeout, "5m", "", time.Minute, time.Hour),
			list("tags", &l.Tags, ""),
		},
		arrays: []array{arrayOf("rules", &l.Rules, "the first that fits", (*rule).table)},
	}
}

// bareKey accepts what may be a key without quotes.
func bareKey(v string) error {
	if !serviceName.MatchString(v) {
		return errors.New("letters, digits, - and _")
	}
	return nil
}

func (r *rule) table() table {
	return table{settings: []setting{text("path", &r.Path, "/", "", anyText), boolean("public", &r.Public, false, "")}}
}

// read is Load for these settings. A name in /run/ is a file that holds the rest of it.
func read(text string, environ ...string) (*proxy, []string, error) {
	p := &proxy{}
	in, err := newInput("file", []byte(text), environ, func(name string) ([]byte, error) {
		if s, ok := strings.CutPrefix(name, "/run/"); ok {
			return []byte(s), nil
		}
		return nil, os.ErrNotExist
	})
	if err != nil {
		return nil, nil, err
	}
	if err := in.fill("", in.document, p.table); err != nil {
		return nil, nil, err
	}
	warnings, err := in.rest()
	return p, warnings, err
}

// wantRead checks what is read, without warnings.
func wantRead(t *testing.T, want proxy, text string, environ ...string) {
	t.Helper()
	got, warnings, err := read(text, environ...)
	if err != nil || len(warnings) > 0 {
		t.Errorf("%q, %q: %v, %v", text, environ, warnings, err)
		return
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("%q, %q:\n%+v, want\n%+v", text, environ, *got, want)
	}
}

// wantRefused checks the key, the source and parts of an error.
func wantRefused(t *testing.T, err error, key, source string, says ...string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Key != key || e.Source != source {
		t.Errorf("%v, want an error of %s from %s", err, key, source)
		return
	}
	for _, part := range says {
		if !strings.Contains(e.Error(), part) {
			t.Errorf("%q does not say %q", e, part)
		}
	}
	if strings.Contains(e.Error(), "hunter2") {
		t.Errorf("%q has a secret in it", e)
	}
}

const minute = time.Minute

func TestTheFileMayHaveAnyNumberOfTables(t *testing.T) {
	wantRead(t, proxy{Label: "none", Listeners: []listener{}}, "")
	wantRead(t, proxy{Label: "none", Listeners: []listener{}}, "listener = []")
	two := proxy{Label: "x", Listeners: []listener{
		{Name: "a", Timeout: 2 * minute, Tags: []string{"s", "t"}, Life: 20 * minute, Rules: []rule{{Path: "/a", Public: true}, {Path: "/"}}},
		{Name: "web", Timeout: 5 * minute, Life: 10 * minute, Rules: []rule{}},
	}}
	wantRead(t, two, `
label = "x"
[life]
a = "20m"
[[listener]]
name = "a"
timeout = 120
tags = ["s", "t"]
rules = [{ path = "/a", public = true }, {}]
[[listener]]`)
	wantRead(t, two, `
listener = [{ name = "a", timeout = "2m", tags = ["s", "t"], rules = [{ path = "/a", public = true }, { path = "/" }] }, {}]
life = { a = "20m" }
label = "x"`)
	wantRead(t, two, "label = \"x\"\n[life]\na = \"20m\"\n[[listener]]\nname = \"a\"\ntimeout = 120\ntags = [\"s\", \"t\"]\n"+
		"[[listener.rules]]\npath = \"/a\"\npublic = true\n[[listener.rules]]\n[[listener]]\n")
}

func TestTheEnvironmentIsMergedOverTablesByTheirNumber(t *testing.T) {
	const file = "[[listener]]\nname = \"a\"\ntimeout = \"2m\"\nrules = [{ path = \"/a\" }]\n"
	secret := strings.Repeat("k", 32)
	wantRead(t, proxy{Label: "none", Listeners: []listener{
		{Name: "a", Password: secret, Timeout: 3 * minute, Life: 30 * minute, Rules: []rule{{Path: "/a", Public: true}, {Path: "/b"}}},
		{Name: "my-b", Timeout: 5 * minute, Tags: []string{"s", "t"}, Life: 40 * minute, Rules: []rule{}},
		{Name: "web", Password: secret, Timeout: 5 * minute, Life: 10 * minute, Rules: []rule{}},
	}}, file,
		"DJAUTHY_LISTENER_0_PASSWORD="+secret, "DJAUTHY_LISTENER_0_TIMEOUT=180", "DJAUTHY_LISTENER_0_RULES_0_PUBLIC=true", "DJAUTHY_LISTENER_0_RULES_1_PATH=/b",
		"DJAUTHY_LISTENER_1_NAME=my-b", "DJAUTHY_LISTENER_1_TAGS=s, t", "DJAUTHY_LISTENER_2_PASSWORD_FILE=/run/"+secret+"\n",
		"DJAUTHY_LIFE_A=30m", "DJAUTHY_LIFE_MY_B=40m")
	wantRead(t, proxy{Label: "none", Listeners: []listener{{Name: "web", Timeout: 5 * minute, Life: 10 * minute, Rules: []rule{{Path: "/c"}}}}}, "", "DJAUTHY_LISTENER_0_RULES_0_PATH=/c")
}

func TestAGapInTheNumbersOfTablesIsAnError(t *testing.T) {
	const one = "[[listener]]\nrules = [{}]\n"
	for name, c := range map[string]struct{ text, key, next string }{
		"DJAUTHY_LISTENER_1_NAME":          {"", "listener[1]", "DJAUTHY_LISTENER_0_"},
		"DJAUTHY_LISTENER_2_NAME":          {one, "listener[2]", "DJAUTHY_LISTENER_1_"},
		"DJAUTHY_LISTENER_999999999_NAME":  {one, "listener[999999999]", "DJAUTHY_LISTENER_1_"},
		"DJAUTHY_LISTENER_2_PASSWORD_FILE": {one, "listener[2]", "DJAUTHY_LISTENER_1_"},
		"DJAUTHY_LISTENER_0_RULES_3_PATH":  {one, "listener[0].rules[3]", "DJAUTHY_LISTENER_0_RULES_1_"},
	} {
		_, _, err := read(c.text, name+"=hunter2")
		wantRefused(t, err, c.key, name, "numbered from 0 without gaps", "the next one is "+c.next)
	}
}

// Kubernetes puts DJAUTHY_LISTENER_0_PORT there for a service called djauthy-listener-0.
func TestUnknownNamesInTheEnvironmentMakeNoTable(t *testing.T) {
	environ := []string{
		"DJAUTHY_LISTENER_0_PORT=tcp://x", "DJAUTHY_LISTENER_7_SERVICE_HOST=x", "DJAUTHY_LISTENER_00_NAME=x", "DJAUTHY_LISTENER_-1_NAME=x", "DJAUTHY_LISTENER_+0_NAME=x",
		"DJAUTHY_LISTENER_NAME=x", "DJAUTHY_LISTENER_0=x", "DJAUTHY_LISTENER_0_=x", "DJAUTHY_LISTENER__NAME=x", "DJAUTHY_LISTENER_99999999999999999999_NAME=x",
		"DJAUTHY_LISTENER_0_RULES_PATH=x", "DJAUTHY_LISTENER_0_RULES_0_PORT=x", "DJAUTHY_LISTENER_0_RULES_-1_PATH=x", "DJAUTHY_LIFE_C=10m",
	}
	p, warnings, err := read("", environ...)
	if err != nil || len(warnings) != len(environ) || len(p.Listeners) != 0 {
		t.Errorf("%d listeners, %q, %v", len(p.Listeners), warnings, err)
	}
}

func TestAnErrorInATableNamesItsEntry(t *testing.T) {
	for _, c := range []struct {
		text, key string
		says      []string
	}{
		{"[[listener]]\n[[listener]]\ntimeout = \"soon\"", "listener[1].timeout", []string{`"soon"`, "a time"}},
		{"[[listener]]\npassword = \"hunter2\"", "listener[0].password", []string{"32"}},
		{"[[listener]]\npassword = [\"hunter2\", 1]", "listener[0].password", []string{"a list of texts"}},
		{"[[listener]]\npasswort = \"hunter2\"", "listener[0].passwort", []string{"not known", "listener[0].password"}},
		{"[[listener]]\nlistener_name = \"a\"", "listener[0].listener_name", []string{"not known"}},
		{"[[listener]]\nrules = [{}, { paths = \"/\" }]", "listener[0].rules[1].paths", []string{"not known"}},
		{"[[listener]]\nrules = [{ public = \"x\" }]", "listener[0].rules[0].public", []string{"true or false"}},
		{"[[listener]]\nrules = [\"/a\"]", "listener[0].rules", []string{"an array of tables"}},
		{"[[listener]]\nrules = { path = \"/a\" }", "listener[0].rules", []string{"[[listener.rules]]"}},
		{"[[listener]]\nname = { a = 1 }", "listener[0].name.a", []string{"not known"}},
		{"[listener]\npassword = \"hunter2\"", "listener", []string{"[[listener]]"}},
		{"listener = \"hunter2\"", "listener", []string{"[[listener]]"}},
		{"listener = [{}, 1]", "listener", []string{"[[listener]]"}},
		{"[[listeners]]\nname = \"a\"", "listeners", []string{"not known", "known are label, listener"}},
		{"[[listener]]\nname = \"a\"\n[life]\nb = \"10m\"", "life.b", []string{"life.a"}},
	} {
		_, _, err := read(c.text)
		wantRefused(t, err, c.key, "file", c.says...)
	}
	_, _, err := read("[[listener]]", "DJAUTHY_LISTENER_1_TIMEOUT=soon")
	wantRefused(t, err, "listener[1].timeout", "DJAUTHY_LISTENER_1_TIMEOUT", `"soon"`)
	_, _, err = read("[[listener]]", "DJAUTHY_LISTENER_0_RULES=/a")
	wantRefused(t, err, "listener[0].rules", "DJAUTHY_LISTENER_0_RULES", "the first one is DJAUTHY_LISTENER_0_RULES_0_")
	_, _, err = read("", "DJAUTHY_LISTENER_0_PASSWORD_FILE=/none")
	wantRefused(t, err, "listener[0].password", "DJAUTHY_LISTENER_0_PASSWORD_FILE", "/none")
}

func TestTablesAreShownAsTheyAreReadWithSecretsHidden(t *testing.T) {
	const file = "[[listener]]\nname = \"a\"\ntags = [\"s\"]\nrules = [{ path = \"/a\" }, {}]\n[[listener]]\nrules = [{}]\n[life]\na = \"20m\"\n"
	p, _, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	wantRead(t, *p, p.table().show(""))
	p.Listeners[1].Password = "hunter2"
	if shown := p.table().show(""); strings.Contains(shown, "hunter2") || !strings.Contains(shown, `password = "(hidden)"`) {
		t.Errorf("shown:\n%s", shown)
	}
	m := map[string]string{}
	p.table().addTo(m, "")
	for key, want := range map[string]string{
		"listener[0].name": "a", "listener[0].rules[1].path": "/", "listener[1].password": "(hidden)", "listener[0].password": "", "life.a": "20m",
	} {
		if got, ok := m[key]; !ok || got != want {
			t.Errorf("%s is %q, want %q, in\n%v", key, got, want, m)
		}
	}
}

func TestTheExampleShowsATableAsAComment(t *testing.T) {
	example := new(proxy).table().example("")
	wantRead(t, proxy{Label: "none", Listeners: []listener{}}, example)
	var lines []string
	for line := range strings.Lines(example) {
		lines = append(lines, strings.TrimPrefix(line, "# "))
	}
	if i := slices.Index(lines, "[[listener]]\n"); i < 1 || lines[i-1] != "# any number\n" {
		t.Fatalf("the example is\n%s", example)
	}
	wantRead(t, proxy{Label: "none", Listeners: []listener{{Name: "web", Timeout: 5 * minute, Life: 10 * minute, Rules: []rule{}}}}, strings.Join(lines, ""))
	if !strings.Contains(example, "# # the first that fits\n# # [[listener.rules]]\n# # path = \"/\"") {
		t.Errorf("the array in an array is not shown:\n%s", example)
	}
}

// A part may be built key by key.
func TestAKeyThatABuiltTableLacksIsUnbuilt(t *testing.T) {
	type server struct{ Name string }
	for name, says := range map[string]string{"code": "does not have this setting yet", "trust": "not known"} {
		var all []server
		in, err := newInput("file", []byte("[[oauth]]\nname = \"a\"\n"+name+" = true"), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		keys := func() table {
			return table{arrays: []array{arrayOf("oauth", &all, "", func(p *server) table {
				return table{settings: []setting{text("name", &p.Name, "", "", anyText)}}
			})}}
		}
		if err := in.fill("", in.document, keys); err != nil || len(all) != 1 || all[0].Name != "a" {
			t.Fatalf("%v, %v", all, err)
		}
		_, err = in.rest()
		wantRefused(t, err, "oauth[0]."+name, "file", says)
	}
}

// FuzzTables looks for texts that make the reading of tables panic, or take what they
// cannot show.
func FuzzTables(f *testing.F) {
	f.Add("[[listener]]\nname = \"a\"\nrules = [{ path = \"/a\" }, {}]\n[life]\na = \"20m\"", "DJAUTHY_LISTENER_0_RULES_2_PATH=/b\nDJAUTHY_LIFE_A=30m")
	f.Add("listener = [{}, 1]", "DJAUTHY_LISTENER_1_NAME=a.b")
	f.Add("[[listener]]\n[[listener.rules]]\n[listener.name]", "DJAUTHY_LISTENER_0_NAME_FILE=/run/x\nDJAUTHY_LISTENER_-1_NAME=")
	f.Fuzz(func(t *testing.T, text, environ string) {
		p, _, err := read(text, strings.Split(environ, "\n")...)
		if err != nil || strings.Contains(p.table().show(""), "(hidden)") {
			return
		}
		names := map[string]bool{}
		for _, l := range p.Listeners {
			names[l.Name] = true
		}
		if len(names) < len(p.Listeners) {
			return // who declares a key by a name refuses names that come twice
		}
		shown := p.table().show("")
		again, _, err := read(shown)
		if err != nil {
			t.Fatalf("%v\nin what it shows:\n%s", err, shown)
		}
		if again.table().show("") != shown {
			t.Fatalf("shown:\n%s\nand that is:\n%s", shown, again.table().show(""))
		}
	})
}
