package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// use is who may use a route, and an example of its path.
type use struct{ who, example string }

const (
	anyone   = "anyone"
	signedIn = "a person who is signed in"
	machine  = "a peer at this machine"
)

var aToken = strings.Repeat("a", 13) + "." + strings.Repeat("a", 52)

// uses says of every route who may use it. A route that is not here fails the
// test below: say who may use it, and let the tests of this file try that.
var uses = map[string]use{
	"GET /":                             {anyone, "/"},
	"GET /login":                        {anyone, "/login"},
	"POST /login":                       {anyone, "/login"},
	"GET /login/code":                   {anyone, "/login/code"},
	"POST /login/code":                  {anyone, "/login/code"},
	"GET /login/code/answer":            {anyone, "/login/code/answer"},
	"POST /login/code/answer":           {anyone, "/login/code/answer"},
	"POST /login/code/other":            {anyone, "/login/code/other"},
	"POST /login/resend":                {anyone, "/login/resend"},
	"GET /login/link/:token":            {anyone, "/login/link/" + aToken},
	"GET /login/link":                   {anyone, "/login/link"},
	"POST /login/link":                  {anyone, "/login/link"},
	"GET /login/not-me/:token":          {anyone, "/login/not-me/" + aToken},
	"POST /login/not-me/:token":         {anyone, "/login/not-me/" + aToken},
	"GET /login/first/:token":           {anyone, "/login/first/" + aToken},
	"POST /login/first/:token":          {anyone, "/login/first/" + aToken},
	"GET /login/choose":                 {anyone, "/login/choose"},
	"POST /login/choose":                {anyone, "/login/choose"},
	"GET /login/leave/:trip":            {anyone, "/login/leave/x"},
	"GET /login/openid/callback":        {anyone, "/login/openid/callback"},
	"POST /login/openid/callback":       {anyone, "/login/openid/callback"},
	"POST /language":                    {anyone, "/language"},
	"POST /logout":                      {anyone, "/logout"},
	"GET /account":                      {signedIn, "/account"},
	"POST /account/settings":            {signedIn, "/account/settings"},
	"POST /account/sessions/end":        {signedIn, "/account/sessions/end"},
	"GET /account/sessions/end-others":  {signedIn, "/account/sessions/end-others"},
	"POST /account/sessions/end-others": {signedIn, "/account/sessions/end-others"},
	"GET /account/add":                  {signedIn, "/account/add"},
	"POST /account/add":                 {signedIn, "/account/add"},
	"POST /account/remove":              {signedIn, "/account/remove"},
	"GET /account/merge":                {signedIn, "/account/merge"},
	"POST /account/merge":               {signedIn, "/account/merge"},
	"GET /account/undo/:token":          {anyone, "/account/undo/" + aToken},
	"POST /account/undo/:token":         {anyone, "/account/undo/" + aToken},
	"POST /account/username":            {signedIn, "/account/username"},
	"GET /account/factors":              {signedIn, "/account/factors"},
	"POST /account/factors/app":         {signedIn, "/account/factors/app"},
	"POST /account/factors/app/code":    {signedIn, "/account/factors/app/code"},
	"POST /account/factors/recovery":    {signedIn, "/account/factors/recovery"},
	"POST /account/factors/passkey":     {signedIn, "/account/factors/passkey"},
	"POST /account/factors/remove":      {signedIn, "/account/factors/remove"},
	"POST /account/factors/rename":      {signedIn, "/account/factors/rename"},
	"POST /account/factors/forget":      {signedIn, "/account/factors/forget"},
	"GET /account/factors/link/:token":  {signedIn, "/account/factors/link/" + aToken},
	"POST /account/factors/link/:token": {signedIn, "/account/factors/link/" + aToken},
	"POST /session/bind":                {anyone, "/session/bind"},
	"POST /session/refresh":             {anyone, "/session/refresh"},
	"GET /login/passkey":                {anyone, "/login/passkey"},
	"POST /login/passkey":               {anyone, "/login/passkey"},
	"GET /step-up":                      {signedIn, "/step-up"},
	"POST /step-up":                     {signedIn, "/step-up"},
	"GET /account/history":              {signedIn, "/account/history"},
	"GET /account/export":               {signedIn, "/account/export"},
	"GET /account/delete":               {signedIn, "/account/delete"},
	"POST /account/delete":              {signedIn, "/account/delete"},
	"GET /forward-auth":                 {anyone, "/forward-auth"},
	"GET /login/site":                   {anyone, "/login/site"},
	"GET /static/:hash/:name":           {anyone, "/static/x/djauthy.css"},
	"GET /healthz":                      {anyone, "/healthz"},
	"GET /readyz":                       {anyone, "/readyz"},
	"GET /.well-known/jwks.json":        {anyone, "/.well-known/jwks.json"},
	"GET /metrics":                      {machine, "/metrics"},
	"GET /mailbox":                      {machine, "/mailbox"},
	"GET /mailbox/:number":              {machine, "/mailbox/1"},
}

// wireUses are the paths of programs, with an example. They answer every method
// by themselves, and nobody but whoever shows a good triple.
var wireUses = map[string]string{
	"/ungleichotp/verify/": "/ungleichotp/verify/",
	"/ungleichotp/verify":  "/ungleichotp/verify",
	"/ungleichotp/":        "/ungleichotp/",
	"/ungleichotp":         "/ungleichotp",
	"/ungleichotp/:id/":    "/ungleichotp/1/",
	"/ungleichotp/*":       "/ungleichotp/1/2/",
	"/verify":              "/verify",
	"/app/register":        "/app/register",
	"/app":                 "/app",
	"/app/:uuid":           "/app/7d444840-9dc0-11d1-b245-5ffdce74fad2",
}

type listed struct {
	method, path, example, who string
}

// door is the app that is served.
func (h *app) door(t testing.TB) *fiber.App {
	t.Helper()
	front, err := h.handler()
	if err != nil {
		t.Fatal(err)
	}
	return front.App
}

// routes lists the routes for people.
func (h *app) routes(t testing.TB) (all []listed) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range h.door(t).GetRoutes(true) {
		if r.Method == http.MethodHead || seen[r.Method+r.Path] { // as GET
			continue
		}
		seen[r.Method+r.Path] = true
		u, ok := uses[r.Method+" "+r.Path]
		if _, wire := wireUses[r.Path]; wire || !ok && r.Path == "/" { // its index, which passes on to the page
			continue
		}
		if !ok {
			t.Errorf("nothing says who may use %s %s", r.Method, r.Path)
		}
		all = append(all, listed{r.Method, r.Path, u.example, u.who})
	}
	return all
}

// Row 64.
func TestRow64_EveryRouteSaysWhoMayUseItAndKeepsEverybodyElseOut(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_EMAIL_HOST=") // the mailbox page exists
	s.browser(t).post("/login", "id", anID()).want(t, http.StatusSeeOther, "")
	s.await(t, "the message comes", func() bool { return len(s.house.mailbox.Messages()) > 0 })
	all := s.house.routes(t)
	if len(all) != len(uses) {
		t.Errorf("the table has %d routes, the app %d", len(uses), len(all))
	}
	for _, r := range all {
		stranger := s.browser(t)
		a := stranger.do(r.method, r.example, formKind, "", nil)
		switch r.who {
		case signedIn:
			if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/login?next=") {
				t.Errorf("%s %s as a stranger answers %d to %q, want 303 to /login", r.method, r.path, a.status, a.header.Get("Location"))
			}
		case machine:
			a.want(t, http.StatusOK, "")
			if through := stranger.do(r.method, r.example, "", "", map[string]string{"X-Forwarded-For": "203.0.113.9"}); through.status != http.StatusNotFound {
				t.Errorf("%s %s through a proxy answers %d, want 404", r.method, r.path, through.status)
			}
		}
		if a.status >= 500 || a.status == http.StatusNotFound && r.path != "/static/:hash/:name" {
			t.Errorf("%s %s answers %d", r.method, r.path, a.status)
		}
	}
}

// Row 64, for programs: without a triple, or with that of a made-up service,
// nothing but a refusal comes, whatever the method.
func TestRow64_NoRouteOfTheWireAnswersWhoHasNoTriple(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b := s.browser(t)
	found := 0
	for _, r := range s.house.door(t).GetRoutes(true) {
		example, ok := wireUses[r.Path]
		if !ok || r.Method == http.MethodConnect || r.Method == http.MethodHead {
			continue
		}
		found++
		for _, body := range []string{"", `{"auth_name":"x","auth_realm":"ungleich-admin","auth_token":"123456","name":"y","realm":"z","token":"1"}`, `{"appuuid":"7d444840-9dc0-11d1-b245-5ffdce74fad2","token":"123456"}`} {
			a := b.do(r.Method, example, "application/json", body, nil)
			refused := a.status == http.StatusForbidden || a.status == http.StatusMovedPermanently || a.status == http.StatusMethodNotAllowed || a.status == http.StatusNotFound && r.Path == "/ungleichotp/*"
			if !refused && !(a.status == http.StatusOK && strings.HasPrefix(a.body, `{"status":"FAIL"`)) {
				t.Errorf("%s %s %s answers %d %s", r.Method, example, body, a.status, a.body)
			}
			if len(a.header.Values("Set-Cookie")) > 0 {
				t.Errorf("%s %s sets a cookie", r.Method, example)
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d routes were found", found)
	}
}

// Rows 33 and 64.
func TestRow33_OtherMethodsDoNothing(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, id := s.person(t)
	methods := map[string]map[string]bool{}
	example := map[string]string{}
	for _, r := range s.house.routes(t) {
		if methods[r.path] == nil {
			methods[r.path] = map[string]bool{}
		}
		methods[r.path][r.method] = true
		example[r.path] = r.example
	}
	for path, has := range methods {
		for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "CONNECT"} {
			if has[m] || m == "CONNECT" {
				continue
			}
			wanted := http.StatusMethodNotAllowed
			if path == "/" { // programs have it, too, and for them credentials come first
				wanted = http.StatusForbidden
			}
			a := b.do(m, example[path], formKind, form("id", id, "auth_code", "1"), nil)
			if a.status != wanted {
				t.Errorf("%s %s answers %d, want %d", m, path, a.status, wanted)
			}
			if strings.Contains(a.body, b.cookies["djauthy"]) {
				t.Errorf("%s %s sends the cookie back", m, path)
			}
		}
	}
	for _, verb := range []string{"BREW", "PROPFIND", "get", "GETT", "X"} {
		a := b.do(verb, "/login", "", "", nil)
		if a.status != http.StatusBadRequest && a.status != http.StatusMethodNotAllowed {
			t.Errorf("%s answers %d, want 400 or 405", verb, a.status)
		}
	}
	if !b.in() {
		t.Error("a wrong method signed the person out")
	}
}

// Row 33.
func TestRow33_AGetWithAnAddressSendsNothing(t *testing.T) {
	t.Parallel()
	s := shared(t)
	id := anID()
	s.browser(t).get("/login?id="+id).want(t, http.StatusOK, "")
	s.browser(t).do(http.MethodHead, "/login?id="+id, "", "", nil).want(t, http.StatusOK, "")
	s.sent(t)
	if letters, _ := s.mail.to(id); len(letters) > 0 {
		t.Error("a GET had a message sent")
	}
}

// Row 25: what stands in a URL ends up in logs, so forms are read from the body
// alone.
func TestRow25_FormFieldsInTheURLAreNotRead(t *testing.T) {
	t.Parallel()
	s := shared(t)
	id, b := anID(), s.browser(t)
	if a := b.post("/login?id=" + id); a.status != http.StatusUnprocessableEntity {
		t.Errorf("POST /login?id=… with an empty body answers %d, want 422", a.status)
	}
	other := anID()
	l := b.ask(other)
	if a := b.post("/login/code?auth_code="+l.code(), "auth_code", wrong(l.code())); a.status == http.StatusSeeOther {
		t.Error("a code in the URL won over the one in the body")
	}
}

// Row 40.
func TestRow40_NothingOfTheInsideIsPublic(t *testing.T) {
	t.Parallel()
	s := shared(t)
	person, _ := s.person(t)
	for _, path := range []string{
		"/debug/pprof", "/debug/pprof/", "/debug/vars", "/.git/config", "/.git/HEAD", "/.env", "/config", "/data/djauthy.db", "/d.db", "/secret.key",
		"/static/", "/static/x", "/static/x/../../d.db", "/static/..%2f..%2fd.db/djauthy.css", "/static/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd",
		"/static/x/..%5c..%5cd.db", "/admin", "/admin/", "/admin/users", "/api/v1/users", "/Login", "/login/", "//login", "/account/", "/mailbox",
	} {
		for _, b := range []*browser{s.browser(t), person} {
			for _, m := range []string{"GET", "POST", "PUT", "DELETE"} {
				a := b.do(m, path, formKind, "", nil)
				if a.status != http.StatusNotFound && a.status != http.StatusForbidden && a.status != http.StatusUnauthorized && a.status != http.StatusMethodNotAllowed {
					t.Errorf("%s %s answers %d", m, path, a.status)
				}
			}
		}
	}
}

var sessionField = regexp.MustCompile(`name="session" value="([0-9]+)"`)

// Row 40.
func TestRow40_NobodyEndsOrSeesAnothersSession(t *testing.T) {
	t.Parallel()
	s := shared(t)
	victim, id := s.person(t)
	second := s.browser(t)
	second.signIn(id)
	sessions := sessionField.FindStringSubmatch(second.get("/account").body)
	if sessions == nil {
		t.Fatal("the account page lists no other session")
	}
	attacker, _ := s.person(t)
	if a := attacker.post("/account/sessions/end", "session", sessions[1]); a.status >= 500 {
		t.Errorf("answered %d", a.status)
	}
	attacker.post("/account/sessions/end-others")
	if !victim.in() || !second.in() {
		t.Error("another person ended a session")
	}
	for _, path := range []string{"/account", "/account/history", "/account/export", "/account/delete"} {
		if strings.Contains(attacker.get(path).body, id) {
			t.Errorf("%s shows another person's address", path)
		}
	}
	for _, bad := range []string{"", "x", "-1", "99999999999999999999"} {
		if a := second.post("/account/sessions/end", "session", bad); a.status != http.StatusBadRequest && a.status != http.StatusSeeOther {
			t.Errorf("session=%q answers %d", bad, a.status)
		}
	}
	second.post("/account/sessions/end", "session", sessions[1]).want(t, http.StatusSeeOther, "/account?done=session_ended")
	if victim.in() || !second.in() {
		t.Error("ending one session ended another one, or none")
	}
}

// Row 40.
func TestRow40_MetricsAreForThisMachineAlone(t *testing.T) {
	t.Parallel()
	outside := outsideAddress()
	if outside == nil {
		t.Skip("this machine has no other address than loopback")
	}
	s := start(t, "DJAUTHY_LISTEN=0.0.0.0:"+freePort(), "DJAUTHY_PUBLIC_URL=http://login.example")
	s.addr = strings.Replace(s.addr, "0.0.0.0", outside.String(), 1)
	s.browserAt(t, outside).get("/metrics").want(t, http.StatusNotFound, "")
	s.browserAt(t, outside).get("/healthz").want(t, http.StatusOK, "")
	s.addr = strings.Replace(s.addr, outside.String(), "127.0.0.1", 1)
	local := s.browser(t)
	at := func(host string) answer {
		return local.do(http.MethodGet, "/metrics", "", "", map[string]string{"Host": host})
	}
	for _, host := range []string{"127.0.0.1", "localhost:8080", "[::1]"} {
		if a := at(host).want(t, http.StatusOK, ""); !strings.Contains(a.body, "djauthy_") {
			t.Error("metrics name nothing of ours")
		}
	}
	for _, host := range []string{"evil.example", "login.example", "127.0.0.1.evil.example", "localhost.evil.example"} {
		at(host).want(t, http.StatusNotFound, "")
	}
	for _, head := range []string{"GET /metrics HTTP/1.0\r\n\r\n", "GET /metrics HTTP/1.0\r\nHost: " + s.addr + "\r\n\r\n"} {
		r := s.raw(t)
		r.write(head)
		if statuses, _ := r.answers(5 * time.Second); !slices.Equal(statuses, []int{http.StatusNotFound}) {
			t.Errorf("%q is answered with %v", head, statuses)
		}
	}
	for _, header := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via"} {
		local.do(http.MethodGet, "/metrics", "", "", map[string]string{header: "127.0.0.1", "Host": "127.0.0.1"}).want(t, http.StatusNotFound, "")
	}
}

func TestMetricsListenMovesTheMetrics(t *testing.T) {
	t.Parallel()
	port := freePort()
	s := start(t, "DJAUTHY_METRICS_LISTEN=127.0.0.1:"+port)
	s.browser(t).get("/metrics").want(t, http.StatusNotFound, "")
	s.await(t, "the metrics answer", func() bool {
		r, err := http.Get("http://127.0.0.1:" + port + "/metrics")
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

var firstLine = regexp.MustCompile(`(?m)^First administrator: (\S+)(/login/first/\S+)$`)

// Row 57.
func TestRow57_AFreshServerHasNoUsersAndItsFirstAdministratorsLinkWorksOnce(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		if out := s.must(t, "users", "list", "--json"); strings.TrimSpace(out) != "[]" {
			t.Fatalf("a fresh server has users: %s", out)
		}
		m := firstLine.FindStringSubmatch(s.out.String())
		if m == nil || m[1] != s.public.String() {
			t.Fatalf("no line for the first administrator in\n%s", s.out)
		}
		path := m[2]
		// Two open it; who first signs in becomes it.
		a, b := s.browser(t), s.browser(t)
		id, late := anID(), anID()
		a.get(path).want(t, http.StatusOK, "")
		for br, who := range map[*browser]string{a: id, b: late} {
			br.post(path, "id", who).want(t, http.StatusSeeOther, "/login/code")
		}
		a.submit(s.mail.next(t, id).code()).want(t, http.StatusSeeOther, "/account")
		b.submit(s.mail.next(t, late).code()).want(t, http.StatusSeeOther, "/account")
		a.get(path).want(t, http.StatusGone, "")
		a.post(path, "id", anID()).want(t, http.StatusGone, "")
		for who, is := range map[string]bool{id: true, late: false} {
			var u struct {
				Superuser bool `json:"is_superuser"`
			}
			if err := json.Unmarshal([]byte(s.must(t, "users", "show", who, "--json")), &u); err != nil || u.Superuser != is {
				t.Errorf("is_superuser is %v, want %v (%v)", u.Superuser, is, err)
			}
		}
		if strings.Contains(s.out.String(), id) {
			t.Error("the address is in what the server printed")
		}
	})
}

func TestTheFirstAdministratorsLinkEndsAfterAnHourAndAtARestart(t *testing.T) {
	t.Parallel()
	dir, mail := t.TempDir(), openInbox()
	defer mail.close()
	s := startWith(t, dir, mail)
	path := firstLine.FindStringSubmatch(s.out.String())[2]
	s.browser(t).get(path).want(t, http.StatusOK, "")
	s.clock.advance(61 * time.Minute)
	s.browser(t).get(path).want(t, http.StatusGone, "")
	s.stop()
	again := startWith(t, dir, mail)
	again.browser(t).get(path).want(t, http.StatusGone, "")
	newer := firstLine.FindStringSubmatch(again.out.String())[2]
	again.browser(t).get(newer).want(t, http.StatusOK, "")
	again.must(t, "createsuperuser", "--name", "root", "--email", anID())
	again.stop()
	third := startWith(t, dir, mail)
	if firstLine.MatchString(third.out.String()) {
		t.Error("the line is printed though there is a superuser")
	}
	third.browser(t).get(newer).want(t, http.StatusGone, "")
}

func TestAdminsOfTheSettingsBecomeSuperusersAtTheirFirstSignIn(t *testing.T) {
	t.Parallel()
	id := anID()
	s := start(t, "DJAUTHY_ADMINS=other@people.example, "+strings.ToUpper(id), "DJAUTHY_OPEN_SIGNUP=false")
	if firstLine.MatchString(s.out.String()) {
		t.Error("a line for the first administrator is printed though admins are set")
	}
	b := s.browser(t)
	b.signIn(id)
	if out := s.must(t, "users", "show", id, "--json"); !strings.Contains(out, `"is_superuser": true`) {
		t.Errorf("not a superuser: %s", out)
	}
	s.must(t, "users", "demote", id, "--force")
	s.clock.advance(time.Minute)
	b.post("/logout")
	b.signIn(id)
	if out := s.must(t, "users", "show", id, "--json"); !strings.Contains(out, `"is_superuser": false`) {
		t.Errorf("a second sign-in made a superuser again: %s", out)
	}
}
