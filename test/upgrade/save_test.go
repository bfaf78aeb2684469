package upgrade_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// A saver uses a djauthy as people, services and an administrator do, and keeps what
// they hold. Each person of the story is there for one promise, which the checks in
// check_test.go ask for by the person's name.
type saver struct {
	*testing.T
	site  *program.Site
	mail  *program.Sink
	held  held
	clock clock
}

const domain = "@people.example"

// save makes a database with a binary, of any release, whose clock stands at c.
func save(t *testing.T, b program.Binary, e engine, c clock) release {
	t.Helper()
	address := e.empty(t)
	s := &saver{T: t, mail: program.OpenSink(t, program.SinkOptions{}), clock: c}
	s.held = held{
		SecretKey: base64.StdEncoding.EncodeToString([]byte(strings.Repeat("upgrade ", 4))),
		Settings: []string{
			// Each person is behind a network of their own.
			"TRUSTED_PROXIES=127.0.0.1/32",
			"LIMITS_RESEND_EVERY=0",
			// So slow that nothing comes back while tests run; of one and of two rates.
			"LIMITS_TRIES_PER_ID=10/24h, 200/720h", "LIMITS_SEND_PER_ID=5/24h, 200/720h", "LIMITS_SEND_PER_ID_PREFIX=3/24h",
		},
		Browsers: map[string]*program.Visitor{}, Codes: map[string]string{}, Links: map[string]string{}, Triples: map[string]triple{}, Apps: map[string]app{},
	}
	s.site = program.New(t, b, append(s.held.Settings, "DATABASE="+address, "SECRET_KEY="+s.held.SecretKey, "BRAND_NAME=Example")...)
	s.site.Set(s.mail.Settings()...)
	s.site.Env(c.setting())
	s.site.Start(t)
	s.administrator()
	s.members()
	s.services()
	s.signingIn()
	s.spent()
	s.unsent()
	s.site.Stop(t)
	s.print()
	s.held.Saved = c.now().UTC().Truncate(time.Second)
	file := filepath.Join(t.TempDir(), "backup")
	s.run("backup", file)
	backup, err := os.ReadFile(file)
	must(t, err)
	return release{engine: e, dump: e.dump(t, address), backup: backup, held: s.held}
}

// run runs a command that has to go well.
func (s *saver) run(args ...string) string {
	s.Helper()
	stdout, stderr, code := s.site.Run(s.T, args...)
	if code != 0 {
		s.Fatalf("djauthy %v: %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// made runs a command that prints what it made.
func (s *saver) made(made any, args ...string) {
	s.Helper()
	must(s.T, json.Unmarshal([]byte(s.run(args...)), made))
}

// browser is a fresh one with a network of its own.
func (s *saver) browser(name string) *program.Visitor {
	b := program.NewVisitor("198.51.100." + strconv.Itoa(1+len(s.held.Browsers)))
	s.held.Browsers[name] = b
	return b
}

// asks lets a browser ask for a code, and keeps the code and the links of the message
// under its name.
func (s *saver) asks(name, id string) *program.Visitor {
	s.Helper()
	b := s.held.Browsers[name]
	if b == nil {
		b = s.browser(name)
	}
	b.Ask(s.T, s.site, id).Want(s.T, http.StatusSeeOther, "/login/code")
	s.receives(name, id)
	return b
}

func (s *saver) receives(name, id string) {
	s.Helper()
	m := s.mail.Next(s.T, id)
	s.held.Codes[name] = m.Code()
	s.held.Links[name] = strings.TrimPrefix(m.Link(), s.site.URL)
	s.held.Links["not-me "+name] = strings.TrimPrefix(m.NotMe(), s.site.URL)
}

func (s *saver) signsIn(name, id string) *program.Visitor {
	s.Helper()
	b := s.asks(name, id)
	b.Enter(s.T, s.site, s.held.Codes[name]).Want(s.T, http.StatusSeeOther, "/account")
	return b
}

// errs lets a browser enter a wrong code so often.
func (s *saver) errs(name string, times int) {
	s.Helper()
	for range times {
		s.held.Browsers[name].Enter(s.T, s.site, wrong(s.held.Codes[name])).Want(s.T, http.StatusUnprocessableEntity, "")
	}
}

// wrong is another code than this one, which is of digits.
func wrong(code string) string {
	last := len(code) - 1
	return code[:last] + strconv.Itoa(int(code[last]-'0'+1)%10)
}

func (s *saver) administrator() {
	var root struct {
		triple
		Username string `json:"username"`
	}
	s.made(&root, "createsuperuser", "--name", "root", "--email", "root"+domain)
	s.held.Triples["root"] = root.triple
	s.signsIn("root", "root"+domain)
}

// members have been here before.
func (s *saver) members() {
	ann := s.signsIn("ann", "Ann.Lee"+domain) // folded: ann.lee
	ann.Post(s.T, s.site, "/account/settings", "first_name", "Ann", "last_name", "Lée", "language", "de").Want(s.T, http.StatusSeeOther, "/account?done=saved")
	s.signsIn("ann's other", "ann.lee"+domain)
	s.signsIn("ida", "ida"+domain) // her attempt is used
	s.signsIn("carl", "carl"+domain)
	s.run("users", "deactivate", "carl"+domain)
	s.run("users", "add", "bob"+domain) // invited, and never came
	s.run("users", "add", "kim"+domain)
	s.held.Links["kim"] = strings.TrimPrefix(strings.TrimSpace(s.run("users", "link", "kim"+domain)), s.site.URL)
	// A domain of another script; its mail goes to the name that DNS has.
	b := s.browser("jo")
	b.Ask(s.T, s.site, "jo@bücher.example").Want(s.T, http.StatusSeeOther, "/login/code")
	s.receives("jo", "jo@xn--bcher-kva.example")
	b.Enter(s.T, s.site, s.held.Codes["jo"]).Want(s.T, http.StatusSeeOther, "/account")
	s.signsIn("eve", "eve"+domain)
	s.signsIn("moe", "moe"+domain)
	s.run("users", "promote", "moe"+domain)
}

// signingIn makes those in the midst of signing in.
func (s *saver) signingIn() {
	dora := s.browser("dora")
	dora.Get(s.T, s.site, "/login?next=/account/history").Want(s.T, http.StatusOK, "")
	dora.Post(s.T, s.site, "/login", "id", "dora"+domain, "next", "/account/history").Want(s.T, http.StatusSeeOther, "/login/code")
	s.receives("dora", "dora"+domain)   // she has no account yet
	s.asks("eve's other", "eve"+domain) // she will follow the link
	s.asks("fay", "fay"+domain)         // the link, elsewhere: it shows the code
	for _, name := range []string{"gus", "hal"} {
		s.asks(name, name+domain)
		s.errs(name, 4) // of 5
	}
	pat := s.asks("pat", "Pat"+domain) // in this spelling
	first := s.held.Codes["pat"]
	pat.Post(s.T, s.site, "/login/resend").Want(s.T, http.StatusSeeOther, "/login/code")
	s.receives("pat", "Pat"+domain)
	s.held.Codes["pat's first"] = first
	s.asks("quin", "quin"+domain) // void once another browser of the same person is in
	s.signsIn("quin's other", "quin"+domain)
	s.asks("rob", "rob"+domain) // a stranger's, disowned
	disowned := program.NewVisitor("203.0.113.77")
	disowned.Post(s.T, s.site, s.held.Links["not-me rob"], "confirm", "yes").Want(s.T, http.StatusOK, "")
	s.asks("sam", "sam"+domain) // not disowned yet
}

// spent makes budgets that strangers have used up.
func (s *saver) spent() {
	s.asks("joe's stranger", "joe"+domain)
	s.errs("joe's stranger", 5)
	s.asks("joe's other stranger", "joe"+domain)
	s.errs("joe's other stranger", 5)
	s.asks("joe", "joe"+domain)
	if code := s.held.Codes["joe"]; len(code) < 10 {
		s.Fatalf("joe's tries are spent, and yet he gets the short code %s", code)
	}
	lou := s.browser("lou's network")
	for range 3 {
		program.NewVisitor(lou.Network).Ask(s.T, s.site, "lou"+domain).Want(s.T, http.StatusSeeOther, "/login/code")
		s.mail.Next(s.T, "lou"+domain)
	}
	program.NewVisitor(lou.Network).Ask(s.T, s.site, "lou"+domain).Want(s.T, http.StatusTooManyRequests, "")
	for i := range 6 { // the sixth is kept for networks that have taken none
		s.asks("mia "+strconv.Itoa(1+i), "mia"+domain)
	}
	s.browser("mia 7").Ask(s.T, s.site, "mia"+domain).Want(s.T, http.StatusTooManyRequests, "")
}

// unsent is a message that waits, as the mail server cannot be reached.
func (s *saver) unsent() {
	s.site.Stop(s.T)
	port := program.Port(s.T) // where nobody listens
	s.site.Set("EMAIL_PORT=" + strconv.Itoa(port))
	s.site.Start(s.T)
	s.browser("tom").Ask(s.T, s.site, "tom"+domain).Want(s.T, http.StatusSeeOther, "/login/code")
}

func (s *saver) services() {
	add := func(key, name, realm string) triple {
		var made triple
		s.made(&made, "services", "add", "--name", name, "--realm", realm)
		s.held.Triples[key] = made
		return made
	}
	add("shop", "shop", "ungleich-auth")
	add("old printer", "printer", "office")
	var printer triple
	s.made(&printer, "services", "rotate", "--name", "printer", "--realm", "office", "--keep", "30000d")
	s.held.Triples["printer"] = printer
	add("gone", "gone", "office")
	s.run("services", "expire", "--name", "gone", "--realm", "office", "--at", "now")
	add("till", "till", "cash desks")
	add("cup", "cup", "kitchen")
	s.run("services", "realms", "set", "cash desks", "--may", "verify", "--only", "office")
	for name, trusted := range map[string]bool{"counter": true, "kiosk": false} {
		args := []string{"services", "add-app", "--username", "ann", "--appname", name}
		if trusted {
			args = append(args, "--trusted")
		}
		var made app
		s.made(&made, args...)
		s.held.Apps[name] = made
	}
	w := wire{T: s.T, site: s.site, held: s.held, clock: s.clock}
	w.verify("shop", "printer").Want(s.T, http.StatusOK, "")
	w.verify("till", "printer").Want(s.T, http.StatusOK, "")
	w.verify("gone", "printer").Want(s.T, http.StatusForbidden, "")
	w.send("/ungleichotp/verify/", w.claim("shop", triple{Name: "printer", Realm: "office"}, "000000")).Want(s.T, http.StatusForbidden, "")
	for range 3 { // neither is there
		w.send("/ungleichotp/verify/", w.claim("shop", triple{Name: "nobody", Realm: "office"}, "000000")).Want(s.T, http.StatusForbidden, "")
		w.send("/ungleichotp/verify/", map[string]string{"auth_name": "nobody", "auth_realm": "ungleich-auth", "auth_token": "000000", "name": "printer", "realm": "office", "token": "000000"}).Want(s.T, http.StatusForbidden, "")
	}
}

// print keeps what the commands print.
func (s *saver) print() {
	keep := func(args ...string) []byte {
		text := []byte(s.run(args...))
		var compact bytes.Buffer
		must(s.T, json.Compact(&compact, text))
		s.held.Printed = append(s.held.Printed, printed{args, compact.Bytes()})
		return text
	}
	var users []struct {
		Username string `json:"username"`
	}
	must(s.T, json.Unmarshal(keep("--json", "users", "list"), &users))
	for _, u := range users {
		keep("--json", "users", "show", u.Username)
		keep("users", "export", u.Username)
	}
	var services []triple
	must(s.T, json.Unmarshal(keep("--json", "services", "list"), &services))
	for _, x := range services {
		if x.Realm != "" {
			keep("--json", "services", "show", "--name", x.Name, "--realm", x.Realm)
		}
	}
	for _, a := range s.held.Apps {
		keep("--json", "services", "show", "--appuuid", a.UUID)
	}
	keep("--json", "services", "apps")
	keep("--json", "services", "realms", "list")
	keep("services", "export")
	keep("--json", "messages", "list")
	s.held.Version = strings.TrimSpace(s.run("version"))
}
