package config_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
)

// load reads a text and an environment; files are what NAME_FILE may read.
func load(text string, environ ...string) (*config.Config, []string, error) {
	return config.Load("djauthy.toml", []byte(text), environ, func(name string) ([]byte, error) {
		if s, ok := strings.CutPrefix(name, "/run/"); ok {
			return []byte(s), nil
		}
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	})
}

func must(t testing.TB, text string, environ ...string) *config.Config {
	t.Helper()
	c, _, err := load(text, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantError checks that an error names key, value, what is allowed and where
// the value came from.
func wantError(t *testing.T, err error, key, value, allowed, source string) {
	t.Helper()
	var e *config.Error
	if !errors.As(err, &e) {
		t.Errorf("%s = %q: no config.Error but %v", key, value, err)
		return
	}
	if e.Key != key || e.Value != value || !strings.Contains(e.Allowed, allowed) || !strings.HasPrefix(e.Source, source) {
		t.Errorf("%s = %q: key %q, value %q, allowed %q, source %q; want %q from %s", key, value, e.Key, e.Value, e.Allowed, e.Source, allowed, source)
	}
	if s := err.Error(); !strings.Contains(s, e.Key) || !strings.Contains(s, fmt.Sprintf("%q", e.Value)) || !strings.Contains(s, e.Allowed) || !strings.Contains(s, e.Source) || strings.Contains(s, "\n") {
		t.Errorf("the sentence is %q", s)
	}
}

// env is a key's name in the environment.
func env(key string) string {
	return "DJAUTHY_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func TestEveryBadValueIsNamedWithItsKeyAndWhatIsAllowed(t *testing.T) {
	for _, c := range []struct{ key, value, allowed string }{
		{"mode", "automatic", "one of auto, manual"},
		{"mode", "", "one of"},
		{"mode", "AUTO", "one of"},
		{"public_url", "login.example.org", "https://login.example.org"},
		{"public_url", "ftp://example.org", "scheme and host"},
		{"public_url", "https://example.org/x", "no path"},
		{"public_url", "https://u:p@example.org", "scheme and host"},
		{"public_url", "https://example.org?x", "scheme and host"},
		{"public_url", "https://example.org#x", "scheme and host"},
		{"public_url", "https://", "scheme and host"},
		{"public_url", "https://exa mple", "scheme"},
		{"open_signup", "maybe", "true or false"},
		{"open_signup", "", "true or false"},
		{"ids.fold_local_part", "2", "true or false"},
		{"session.bind_device", "maybe", "true or false"},
		{"trusted_proxies", "10.0.0.1", "10.0.0.0/8"},
		{"trusted_proxies", "10.0.0.0/8,all", "10.0.0.0/8"},
		{"trusted_proxies", "10.0.0.0/33", "10.0.0.0/8"},
		{"expiry_time.email", "soon", `"10m"`},
		{"expiry_time.email", "59s", "from 1m to 24h"},
		{"expiry_time.email", "25h", "from 1m to 24h"},
		{"expiry_time.email", "-10m", "from 1m"},
		{"expiry_time.email", "", "a time"},
		{"expiry_time.email", "10", "from 1m"},
		{"expiry_time.email", "99999999999999999999", "a time"},
		{"session.idle", "0", "from 1m"},
		{"session.absolute", "11y", "a time"},
		{"limits.resend_every", "-1s", "from 0s"},
		{"limits.resend_every", "2h", "to 1h"},
		{"sweep.every", "500ms", "from 1s"},
		{"oauth.rotate_keys", "59m", "from 1h"},
		{"sweep.unproved_accounts", "1m", "from 1h"},
		{"code.alphabet", "emoji", "one of digits, letters"},
		{"code.length", "4", "from 5 to 32"},
		{"code.length", "33", "from 5 to 32"},
		{"code.length", "six", "whole number"},
		{"code.length", "6.5", "whole number"},
		{"code.length", "", "whole number"},
		{"code.tries", "0", "from 1 to 10"},
		{"code.tries", "11", "from 1"},
		{"email.port", "0", "from 1 to 65535"},
		{"email.port", "65536", "to 65535"},
		{"email.port", "smtp", "whole number"},
		{"email.tls", "ssl", "one of starttls"},
		{"email.auth", "ntlm", "one of auto, plain, login"},
		{"email.timeout", "0", "from 1s to 1h"},
		{"email.timeout", "2h", "from 1s to 1h"},
		{"email.from", "", "noreply@example.org"},
		{"email.from", "noreply", "a sender"},
		{"email.from", "a@b, c@d", "a sender"},
		{"email.from", "A\r\nBcc: x <a@example.org>", "a sender"},
		{"limits.send_per_id", "", "5/15m"},
		{"limits.send_per_id", "5", "5/15m"},
		{"limits.send_per_ip", "0/15m", "5/15m"},
		{"limits.send_per_ip", "-1/15m", "5/15m"},
		{"limits.send_per_id_prefix", "5/", "5/15m"},
		{"limits.send_per_id_prefix", "5/10ms", "5/15m"},
		{"limits.tries_per_id", "5/15m, x", "5/15m"},
		{"limits.tries_per_id", ",", "5/15m"},
		{"brand.name", "", "one line"},
		{"brand.name", "a\nb", "one line"},
		{"brand.name", strings.Repeat("x", 81), "80"},
		{"brand.logo", "logo.exe", "PNG, SVG, JPEG or WebP"},
		{"brand.logo", "logo", "PNG"},
		{"brand.accent", "red", "#1a5fb4"},
		{"brand.accent", "#fff", "a colour"},
		{"brand.accent", "#ffffff", "contrast of 1.0"},
		{"log.format", "xml", "one of auto, text, json"},
		{"log.level", "trace", "one of info"},
		{"listen", "8080", "127.0.0.1:8080"},
		{"listen", "localhost", "127.0.0.1:8080"},
	} {
		_, _, err := load("", env(c.key)+"="+c.value)
		source := env(c.key)
		wantError(t, err, c.key, c.value, c.allowed, source)
	}
}

func TestValuesThatCouldNotWorkAreRefused(t *testing.T) {
	for _, c := range []struct{ key, value string }{
		{"listen", "127.0.0.1:99999"},
		{"listen", "127.0.0.1:http-x"},
		{"listen", "127.0.0.1:-1"},
		{"public_url", "https://:443"},
		{"public_url", "https://example.org:"},
		{"public_url", "https://example.org:99999"},
		{"public_url", "https://example.org?"},
		{"public_url", "https://example.org#"},
		{"brand.name", "a\xffb"},
		{"metrics.listen", "9100"},
		{"metrics.listen", "127.0.0.1"},
	} {
		if got, _, err := load("", env(c.key)+"="+c.value, "DJAUTHY_EMAIL_HOST=mail.example.org"); err == nil {
			t.Errorf("%s = %q is taken; public_url is %q", c.key, c.value, got.PublicURL)
		}
	}
}

// A scheme has no case (RFC 3986, 3.1), and cookies are Secure by it.
func TestAnHTTPSAddressIsHTTPSInAnyCase(t *testing.T) {
	c, warnings, err := load("", "DJAUTHY_PUBLIC_URL=HTTPS://Login.Example.org", "DJAUTHY_EMAIL_HOST=mail.example.org")
	if err != nil || !c.HTTPS() || len(warnings) != 0 {
		t.Errorf("it counts as plain http: %v, %v", warnings, err)
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	const secret = "hunter2-hunter2-hunter2-hunter2-hunter2"
	for name, c := range map[string]struct {
		text    string
		environ []string
	}{
		"a short key":                 {environ: []string{"DJAUTHY_SECRET_KEY=hunter2"}},
		"a short key from a file":     {environ: []string{"DJAUTHY_SECRET_KEY_FILE=x", "DJAUTHY_SECRET_KEY=hunter2"}},
		"a bad database":              {environ: []string{"DJAUTHY_DATABASE=mysql://root:hunter2@db/x"}},
		"a database without a key":    {environ: []string{"DJAUTHY_DATABASE=postgres://root:hunter2@db/x"}},
		"a list as a password":        {text: "[email]\npassword = [\"hunter2\", 1]"},
		"a table as a password":       {text: "[email]\npassword = { is = \"hunter2\" }"},
		"a key with a typing error":   {text: "secret_kye = \"" + secret + "\""},
		"a password in a wrong table": {text: "[mail]\npassword = \"hunter2\""},
		"a broken line":               {text: "secret_key = \"hunter2"},
	} {
		_, warnings, err := load(c.text, c.environ...)
		if err == nil {
			t.Errorf("%s is taken", name)
			continue
		}
		if all := err.Error() + strings.Join(warnings, " "); strings.Contains(all, "hunter2") {
			t.Errorf("%s: %s", name, all)
		}
	}
	_, warnings, err := load("", "DJAUTHY_SECRET_KYE="+secret)
	if err != nil || strings.Contains(strings.Join(warnings, " "), "hunter2") {
		t.Errorf("%v, %v", warnings, err)
	}
	c := must(t, "", "DJAUTHY_SECRET_KEY="+secret, "DJAUTHY_EMAIL_PASSWORD=hunter2", "DJAUTHY_DATABASE=postgres://root:hunter2@db/x")
	if c.SecretKey != secret || c.Email.Password != "hunter2" {
		t.Error("the settings themselves are hidden")
	}
	if strings.Contains(c.String(), "hunter2") || strings.Contains(strings.Join(slices.Collect(maps.Values(c.Map())), " "), "hunter2") {
		t.Errorf("shown:\n%s\n%v", c, c.Map())
	}
	if c.Map()["secret_key"] != "(hidden)" || !strings.Contains(c.String(), `password = "(hidden)"`) {
		t.Error("whether a secret is set is not shown")
	}
}

func TestTheEnvironmentWinsOverTheFileOverTheDefault(t *testing.T) {
	const file = "mode = \"manual\"\nadmins = [\"ann@example.org\", \"ben@example.org\"]\nopen_signup = false\n[code]\nlength = 8\n[expiry_time]\nemail = 1200\n"
	c := must(t, file, "DJAUTHY_CODE_LENGTH=10", "PATH=/bin", "OTHER")
	if c.Mode != "manual" || c.OpenSignup || c.Code.Length != 10 || c.ExpiryTime.Email != 20*time.Minute || c.Code.Tries != 5 {
		t.Errorf("%+v", c)
	}
	if !slices.Equal(c.Admins, []string{"ann@example.org", "ben@example.org"}) {
		t.Errorf("%q", c.Admins)
	}
	if c := must(t, file, "DJAUTHY_ADMINS= eve@example.org ,, "); !slices.Equal(c.Admins, []string{"eve@example.org"}) {
		t.Errorf("%q", c.Admins)
	}
	if c := must(t, file, "DJAUTHY_ADMINS="); len(c.Admins) != 0 {
		t.Errorf("set to nothing it is %q", c.Admins)
	}
	_, _, err := load("[code]\nlength = 99\n")
	wantError(t, err, "code.length", "99", "from 5 to 32", "djauthy.toml")
	if _, _, err := load("[code]\nlength = 99\n", "DJAUTHY_CODE_LENGTH=10"); err != nil {
		t.Errorf("a bad value that the environment replaces: %v", err)
	}
}

// TOML is UTF-8, and what is in force can be shown as a file.
func TestWhatIsShownIsText(t *testing.T) {
	for key, value := range map[string]string{"admins": "\xf0", "brand.name": "caf\xe9", "email.username": "j\xfcrgen"} {
		_, _, err := load("", config.Variable(key)+"="+value)
		wantError(t, err, key, value, "UTF-8", config.Variable(key))
	}
	if _, _, err := load("", "DJAUTHY_DATABASE=sqlite:\xf0"); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("a path that is no text: %v", err)
	}
	if c := must(t, "", "DJAUTHY_EMAIL_PASSWORD=p\xe4ss"); c.Email.Password != "p\xe4ss" {
		t.Errorf("a password became %q", c.Email.Password)
	}
}

func TestAFileHoldsTheValueOfAVariable(t *testing.T) {
	c := must(t, "", "DJAUTHY_EMAIL_PASSWORD_FILE=/run/pass word\r\n", "DJAUTHY_BRAND_NAME_FILE=/run/Example")
	if c.Email.Password != "pass word" || c.Brand.Name != "Example" {
		t.Errorf("%q, %q", c.Email.Password, c.Brand.Name)
	}
	_, _, err := load("", "DJAUTHY_EMAIL_PORT_FILE=/run/x")
	wantError(t, err, "email.port", "x", "whole number", "DJAUTHY_EMAIL_PORT_FILE")
	_, _, err = load("", "DJAUTHY_EMAIL_PASSWORD_FILE=/none")
	wantError(t, err, "email.password", "/none", "readable", "DJAUTHY_EMAIL_PASSWORD_FILE")
	// This one is a setting of its own: the file is read at the start.
	if c := must(t, "", "DJAUTHY_SECRET_KEY_FILE=/none"); c.SecretKeyFile != "/none" || c.SecretKey != "" {
		t.Errorf("%q, %q", c.SecretKeyFile, c.SecretKey)
	}
	if _, warnings, err := load("", "DJAUTHY_MEANS_NOTHING_FILE=/none"); err != nil || len(warnings) != 1 {
		t.Errorf("%v, %v", warnings, err)
	}
}

func TestAnUnknownKeyStopsWithItsNameAndASuggestion(t *testing.T) {
	for text, says := range map[string][]string{
		"colour = \"red\"":                  {"colour", "not known", "known are", "brand.accent"},
		"[emial]\nhost = \"x\"":             {"emial.host", "did you mean email.host?"},
		"length = 6":                        {"length", "did you mean code.length?"},
		"[code]\nlengthh = 6":               {"code.lengthh", "code.length"},
		"[email.extra]\nhost = \"x\"":       {"email.extra.host", "did you mean email.host?"},
		"email = \"x\"":                     {"email"},
		"[mode]\nx = 1":                     {"mode.x"},
		"[limits]\nper_id = \"5/15m\"":      {"limits.per_id", "did you mean limits."},
		"[session]\nidle = { minutes = 5 }": {"session.idle.minutes"},
		"[emial]":                           {"emial", "not known"},
		"[session.idle]":                    {"session.idle", "a value", "[session] and below it idle = "},
		"\"email.host\" = \"x\"":            {"email.host", "[email] and below it host = "},
		"mode = {}":                         {"mode", "a value", "mode = "},
	} {
		_, _, err := load(text)
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		for _, part := range append(says, "djauthy.toml") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q does not say %q", text, err, part)
			}
		}
	}
	if _, _, err := load("[email]\n[limits]"); err != nil {
		t.Errorf("tables of settings without keys: %v", err)
	}
}

func TestOfAVariableAndItsFileTheLastCounts(t *testing.T) {
	if c := must(t, "", "DJAUTHY_EMAIL_PASSWORD=one", "DJAUTHY_EMAIL_PASSWORD_FILE=/run/two"); c.Email.Password != "two" {
		t.Errorf("the file comes last: %q", c.Email.Password)
	}
	if c := must(t, "", "DJAUTHY_EMAIL_PASSWORD_FILE=/run/two", "DJAUTHY_EMAIL_PASSWORD=one"); c.Email.Password != "one" {
		t.Errorf("the text comes last: %q", c.Email.Password)
	}
}

func TestAFileThatIsNoTOMLStopsWithItsPlace(t *testing.T) {
	for text, place := range map[string]string{
		"mode = \"auto\"\n[code\n": "djauthy.toml, line 2", "mode": "djauthy.toml, line 1", "mode = auto": "line 1", "mode = \"a\"\nmode = \"b\"": "djauthy.toml", "\xff": "djauthy.toml",
		"[email]\n[email]": "djauthy.toml",
	} {
		if _, _, err := load(text); err == nil || !strings.Contains(err.Error(), place) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"expiry_time.email = 10.5", "mode = 2030-01-01", "admins = [1]", "admins = [[\"a\"]]", "open_signup = [true]"} {
		_, _, err := load(text)
		var e *config.Error
		if !errors.As(err, &e) || e.Source != "djauthy.toml" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAnUnknownNameInTheEnvironmentIsAWarning(t *testing.T) {
	_, warnings, err := load("", "DJAUTHY_EMIAL_HOST=x", "DJAUTHY_=x", "DJAUTHYX=1", "djauthy_mode=x", "DJAUTHY_CONFIG=/etc/x", "DJAUTHY_TEST_POSTGRES=x")
	if err != nil || len(warnings) != 2 || !strings.Contains(strings.Join(warnings, "\n"), "DJAUTHY_EMIAL_HOST") {
		t.Errorf("%q, %v", warnings, err)
	}
}

func TestAMechanismIsNamedInAnyCase(t *testing.T) {
	for text, wanted := range map[string]string{"AUTO": "auto", "Login": "login", "CRAM-MD5": "cram-md5", "SCRAM-SHA-256": "scram-sha-256"} {
		if c := must(t, "[email]\nauth = \""+text+"\""); c.Email.Auth != wanted {
			t.Errorf("%s is %q", text, c.Email.Auth)
		}
	}
	if c := must(t, "", "DJAUTHY_EMAIL_TIMEOUT=90"); c.Email.Timeout != 90*time.Second {
		t.Errorf("90 is %v", c.Email.Timeout)
	}
}
