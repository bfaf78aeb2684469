package main

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

// failsToStart runs the server, which must end with 1 and say all the words.
func failsToStart(t *testing.T, environ []string, says ...string) {
	t.Helper()
	p := launch(t, t.TempDir(), environ)
	code := p.exit(25 * time.Second)
	text := p.stderr.String()
	if code != exitFailed {
		t.Errorf("%v: exit code %d, want 1\n%s", environ, code, text)
	}
	for _, word := range says {
		if !strings.Contains(text, word) {
			t.Errorf("%v: does not say %q:\n%s", environ, word, text)
		}
	}
	if strings.Contains(text, "goroutine ") || strings.Contains(text, "panic") {
		t.Errorf("%v: a stack instead of a sentence:\n%s", environ, text)
	}
}

func TestABadSettingStopsTheStartWithKeyValueAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ set, key, value, allowed string }{
		{"MODE=both", "mode", "both", "auto, manual"},
		{"LISTEN=nowhere", "listen", "nowhere", "127.0.0.1:8080"},
		{"PUBLIC_URL=localhost", "public_url", "localhost", "https://"},
		{"PUBLIC_URL=https://a.example/path", "public_url", "/path", "no path"},
		{"DATABASE=mysql://x", "database", "", "postgres://"},
		{"DATABASE=sqlite:", "database", "", "sqlite:PATH"},
		{"SECRET_KEY=short", "secret_key", "", "32"},
		{"TRUSTED_PROXIES=proxy.example", "trusted_proxies", "proxy.example", "10.0.0.0/8"},
		{"OPEN_SIGNUP=maybe", "open_signup", "maybe", "true or false"},
		{"ADMINS=not an address", "admins", "not an address", "ann@example.org"},
		{"OAUTH_REGISTRATION=off", "oauth.registration", "", "does not have this setting yet"},
		{"EXPIRY_TIME_EMAIL=10 minutes", "expiry_time.email", "10 minutes", "10m"},
		{"EXPIRY_TIME_EMAIL=-5m", "expiry_time.email", "-5m", "from"},
		{"CODE_ALPHABET=emoji", "code.alphabet", "emoji", "digits, letters"},
		{"CODE_LENGTH=3", "code.length", "3", "from 5 to 32"},
		{"CODE_TRIES=0", "code.tries", "0", "from 1"},
		{"EMAIL_PORT=99999", "email.port", "99999", "65535"},
		{"EMAIL_TLS=maybe", "email.tls", "maybe", "starttls, implicit, none"},
		{"EMAIL_FROM=nobody", "email.from", "nobody", "<noreply@"},
		{"EMAIL_FROM=a@b.example\r\nBcc: c@d.example", "email.from", "", "sender"},
		{"SESSION_IDLE=1000h", "session.idle", "1000h", "session.absolute"},
		{"LIMITS_SEND_PER_ID=many", "limits.send_per_id", "many", "5/15m"},
		{"LIMITS_SEND_PER_ID=0/15m", "limits.send_per_id", "0/15m", "5/15m"},
		{"LIMITS_RESEND_EVERY=soon", "limits.resend_every", "soon", "0s"},
		{"BRAND_ACCENT=#eeeeee", "brand.accent", "#eeeeee", "darker"},
		{"BRAND_LOGO=/etc/passwd", "brand.logo", "/etc/passwd", "PNG"},
		{"LOG_LEVEL=loud", "log.level", "loud", "debug"},
		{"LOG_FORMAT=xml", "log.format", "xml", "json"},
		{"SWEEP_EVERY=0", "sweep.every", "0", "from"},
		{"SECRET_KEY_FILE=/nowhere/key", "", "/nowhere/key", ""},
	} {
		failsToStart(t, []string{"DJAUTHY_" + c.set}, c.key, c.value, c.allowed)
	}
}

func TestContradictionsAndTheFileStopTheStart(t *testing.T) {
	t.Parallel()
	failsToStart(t, []string{"DJAUTHY_LISTEN=0.0.0.0:0"}, "public_url")
	failsToStart(t, []string{"DJAUTHY_PUBLIC_URL=https://login.example"}, "email.host")
	failsToStart(t, []string{"DJAUTHY_DATABASE=postgres://x@127.0.0.1:1/x"}, "secret_key")
	failsToStart(t, []string{"DJAUTHY_SECRET_KEY=" + testKey, "DJAUTHY_SECRET_KEY_FILE=/x"}, "secret_key_file", "not both")
	failsToStart(t, []string{"DJAUTHY_DATABASE=postgres://x@127.0.0.1:1/x?connect_timeout=2", "DJAUTHY_SECRET_KEY=" + testKey}, "database")
	failsToStart(t, []string{"DJAUTHY_CONFIG=/nowhere/djauthy.toml"}, "/nowhere/djauthy.toml")
	for text, says := range map[string][]string{
		"lissten = \"x\"":             {"lissten", "not known", "listen"},
		"[email]\nhosst = \"x\"":      {"email.hosst", "not known"},
		"mode = \"auto\"\nmode = 1\n": {"line 2"},
		"listen = [1":                 {"line 1"},
		"[code]\nlength = 6.5":        {"code.length"},
		"[code]\nlength = \"six\"":    {"code.length", "six"},
		"open_signup = 7":             {"open_signup", "true or false"},
		"admins = [1]":                {"admins"},
	} {
		file := filepath.Join(t.TempDir(), "djauthy.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		failsToStart(t, []string{"DJAUTHY_CONFIG=" + file}, append(says, file)...)
	}
}

// A device or a directory in place of a file is a mistake, and must not fill the memory.
func TestAFileOfSettingsThatIsNoneStopsTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ set, says string }{
		"settings":     {"CONFIG=/dev/zero", "longer than"},
		"secret key":   {"SECRET_KEY_FILE=/dev/zero", "longer than"},
		"a directory":  {"SECRET_KEY_FILE=/", "is a directory"},
		"a secret":     {"EMAIL_PASSWORD_FILE=/dev/zero", "longer than"},
		"the settings": {"CONFIG=/", "is a directory"},
	} {
		t.Run(name, func(t *testing.T) { failsToStart(t, []string{"DJAUTHY_" + c.set}, c.says) })
	}
	logo := filepath.Join(t.TempDir(), "logo.png")
	if err := os.Symlink("/dev/zero", logo); err != nil {
		t.Fatal(err)
	}
	failsToStart(t, []string{"DJAUTHY_BRAND_LOGO=" + logo}, "brand.logo", "longer than")
}

func TestTheEnvironmentWinsOverTheFileAndSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, key := filepath.Join(dir, "djauthy.toml"), filepath.Join(dir, "key")
	for name, text := range map[string]string{
		file: "open_signup = false\n[expiry_time]\nemail = \"20m\"\n[brand]\nname = \"From the file\"\n[limits]\nresend_every = \"45s\"\n",
		key:  testKey + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := launch(t, dir, []string{
		"DJAUTHY_CONFIG=" + file, "DJAUTHY_BRAND_NAME=From outside", "DJAUTHY_SECRET_KEY_FILE=" + key, "DJAUTHY_EMAIL_PASSWORD_FILE=" + key,
		"DJAUTHY_EXPIRY_TIME_EMAIL=1200", "DJAUTHY_ADMINS=a@people.example, b@people.example", "DJAUTHY_SERVICE_PORT=tcp://x",
	}, "config")
	if code := p.exit(20 * time.Second); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.stderr)
	}
	out := p.stdout.String()
	for _, want := range []string{`name = "From outside"`, "open_signup = false", `email = "20m"`, `resend_every = "45s"`, `admins = ["a@people.example", "b@people.example"]`} {
		if !strings.Contains(out, want) {
			t.Errorf("config does not show %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, testKey) {
		t.Error("config shows a secret")
	}
	if !strings.Contains(p.stderr.String(), "DJAUTHY_SERVICE_PORT") {
		t.Errorf("no warning of an unknown name: %s", p.stderr)
	}
}

func TestAPortInUseIsToldInOneSentence(t *testing.T) {
	t.Parallel()
	s := shared(t)
	dir := t.TempDir()
	failsToStart(t, []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/d.db", "DJAUTHY_LISTEN=" + s.addr}, "already listens", s.addr)
	failsToStart(t, []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/d.db", "DJAUTHY_LISTEN=127.0.0.1:" + freePort(), "DJAUTHY_METRICS_LISTEN=" + s.addr}, "already listens", "metrics.listen")
}

func TestAnotherSecretKeyStopsTheStart(t *testing.T) {
	t.Parallel()
	s := start(t)
	other := append(s.environ, "DJAUTHY_SECRET_KEY=another key of at least thirty-two characters", "DJAUTHY_LISTEN=127.0.0.1:"+freePort())
	failsToStart(t, other, "another secret key")
	s.browser(t).signIn(anID())
}

func TestAFolderThatCannotBeWrittenIsToldInOneSentence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	failsToStart(t, []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/file/data/d.db"}, "cannot make the folder")
	disk := smallDisk(t, 4)
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,ro", disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	failsToStart(t, []string{"DJAUTHY_DATABASE=sqlite:" + disk + "/d.db"}, "cannot write", "read-only")
	failsToStart(t, []string{"DJAUTHY_DATABASE=sqlite:" + disk + "/data/d.db"}, "cannot make the folder", "read-only")
}

func TestAFileThatIsNoDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "d.db")
	text := strings.Repeat("These are not the rows you are looking for. ", 100)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	failsToStart(t, []string{"DJAUTHY_DATABASE=sqlite:" + file}, file)
	if got, err := os.ReadFile(file); err != nil || string(got) != text {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestAMailServerThatDoesNotAnswerIsToldByCheckAndToEverybodyAlike(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_EMAIL_PORT="+freePort())
	id := anID()
	s.must(t, "users", "add", id)
	out, errs, code := s.command("check")
	if code != exitFailed || !strings.Contains(out, "email") || !strings.Contains(out, "refused") || strings.Contains(out+errs, "goroutine") {
		t.Errorf("check (exit %d):\n%s%s", code, out, errs)
	}
	first := s.browser(t)
	first.post("/login", "id", anID()).want(t, http.StatusSeeOther, "/login/code")
	down := func(b *browser) bool {
		return strings.Contains(b.get("/login/code").body, "cannot send codes this way")
	}
	s.await(t, "the page says that the channel is down", func() bool { return down(first) })
	for _, id := range []string{id, anID()} {
		b := s.browser(t)
		b.post("/login", "id", id).want(t, http.StatusSeeOther, "/login/code")
		if !down(b) {
			t.Error("one of a known and an unknown id is not told that the channel is down")
		}
	}
}

func TestARefusedRecipientTellsNobodyThatTheChannelIsDown(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.browser(t)
	b.post("/login", "id", "refused@people.example").want(t, http.StatusSeeOther, "/login/code")
	s.sent(t)
	if n := s.count(t, `SELECT count(*) FROM outbox WHERE state = 2`); n != 1 {
		t.Errorf("%d messages given up, want 1", n)
	}
	if page := b.get("/login/code").want(t, http.StatusOK, ""); strings.Contains(page.body, "cannot reach") {
		t.Error("the page tells the fate of one message")
	}
	if strings.Contains(s.out.String(), "refused@") {
		t.Error("the log holds the address")
	}
}

// Every command that uses settings reports a misspelt one: its intended meaning, such as
// which database, is unknown.
func TestEveryCommandTellsASettingThatMeansNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	environ := []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/a.db", "DJAUTHY_SECRET_KEY=" + testKey, "DJAUTHY_DATABASE_URL=sqlite:b.db"}
	for _, args := range [][]string{
		{"migrate"},
		{"migrate", "--pending"},
		{"config"},
		{"check"},
		{"users", "list"},
		{"services", "list"},
		{"messages", "list"},
		{"sweep"},
		{"backup", dir + "/a.djb"},
		{"copy", "--to", "sqlite:" + dir + "/c.db"},
		{"restore", dir + "/a.djb"},
	} {
		var out, errs bytes.Buffer
		run(t.Context(), args, nil, &out, &errs, environ)
		if all := out.String() + errs.String(); !strings.Contains(all, "DJAUTHY_DATABASE_URL is set but means nothing to djauthy") {
			t.Errorf("djauthy %s says:\n%s", strings.Join(args, " "), all)
		}
	}
}
