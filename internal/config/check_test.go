package config_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
)

func TestSettingsThatContradictEachOtherStop(t *testing.T) {
	key := "DJAUTHY_SECRET_KEY=" + strings.Repeat("k", 32)
	const public, host, url = "DJAUTHY_LISTEN=0.0.0.0:80", "DJAUTHY_EMAIL_HOST=mail.example.org", "DJAUTHY_PUBLIC_URL=https://login.example.org"
	for _, c := range []struct {
		key, value, allowed string
		environ             []string
	}{
		{"public_url", "", "not a loopback", []string{public, host}},
		{"public_url", "", "not a loopback", []string{"DJAUTHY_LISTEN=:80", host}},
		{"public_url", "", "not a loopback", []string{"DJAUTHY_LISTEN=[::]:80", host}},
		{"secret_key", "", "same secret key", []string{"DJAUTHY_DATABASE=postgres://db/x"}},
		{"secret_key", "", "same secret key", []string{"DJAUTHY_DATABASE=postgresql://db/x"}},
		{"secret_key_file", "/x", "not both", []string{key, "DJAUTHY_SECRET_KEY_FILE=/x"}},
		{"email.host", "", "SMTP server", []string{url}},
		{"email.host", "", "SMTP server", []string{public, "DJAUTHY_PUBLIC_URL=http://localhost"}},
		{"session.idle", "3h", "at most session.absolute (2h)", []string{"DJAUTHY_SESSION_IDLE=3h", "DJAUTHY_SESSION_ABSOLUTE=2h"}},
	} {
		_, _, err := load("", c.environ...)
		wantError(t, err, c.key, c.value, c.allowed, "settings")
	}
	for _, environ := range [][]string{
		{public, host, url},
		{host, url},
		{"DJAUTHY_LISTEN=[::1]:80"},
		{"DJAUTHY_LISTEN=localhost:80"},
		{"DJAUTHY_LISTEN=127.9.9.9:80"},
		{"DJAUTHY_DATABASE=postgres://db/x", key},
		{"DJAUTHY_DATABASE=postgres://db/x", "DJAUTHY_SECRET_KEY_FILE=/x"},
		{"DJAUTHY_SESSION_IDLE=2h", "DJAUTHY_SESSION_ABSOLUTE=2h"},
		{"DJAUTHY_PUBLIC_URL=http://[::1]:8080"},
	} {
		if _, _, err := load("", environ...); err != nil {
			t.Errorf("%v: %v", environ, err)
		}
	}
}

func TestPlainHTTPInPublicIsWarnedOf(t *testing.T) {
	const host = "DJAUTHY_EMAIL_HOST=mail.example.org"
	for url, want := range map[string]int{"http://login.example.org": 1, "https://login.example.org": 0, "http://localhost:8080": 0, "http://127.0.0.1": 0} {
		if _, warnings, err := load("", host, "DJAUTHY_PUBLIC_URL="+url); err != nil || len(warnings) != want {
			t.Errorf("%s: %q, %v", url, warnings, err)
		}
	}
}

func TestPublicURLIsALoopbackListensUnlessItIsSet(t *testing.T) {
	for listen, want := range map[string]string{"127.0.0.1:8080": "http://localhost:8080", "[::1]:9": "http://localhost:9", "localhost:80": "http://localhost"} {
		if c := must(t, "", "DJAUTHY_LISTEN="+listen); c.PublicURL != want || c.PublicHost() != "localhost" || c.HTTPS() {
			t.Errorf("%s is reached at %s", listen, c.PublicURL)
		}
	}
	c := must(t, "", "DJAUTHY_PUBLIC_URL=https://login.example.org:8443", "DJAUTHY_EMAIL_HOST=mail")
	if c.PublicHost() != "login.example.org" || !c.HTTPS() || c.LocalMailbox() {
		t.Errorf("%s, %v", c.PublicHost(), c.HTTPS())
	}
}

func TestTheMailboxPageIsForOneMachineAlone(t *testing.T) {
	for _, c := range []struct {
		page    bool
		environ []string
	}{
		{true, nil},
		{false, []string{"DJAUTHY_EMAIL_HOST=mail"}},
		{false, []string{"DJAUTHY_TRUSTED_PROXIES=127.0.0.1/32"}},
		{false, []string{"DJAUTHY_EMAIL_HOST=mail", "DJAUTHY_LISTEN=0.0.0.0:80", "DJAUTHY_PUBLIC_URL=http://localhost"}},
	} {
		if got := must(t, "", c.environ...).MailboxPage(); got != c.page {
			t.Errorf("%v: %v", c.environ, got)
		}
	}
}

func TestTimesMayBeWrittenInAllTheirWays(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{`"10m"`, 10 * time.Minute},
		{`600`, 10 * time.Minute},
		{`"600"`, 10 * time.Minute},
		{`"1h30m"`, 90 * time.Minute},
		{`"90m"`, 90 * time.Minute},
		{`"1m"`, time.Minute},
		{`"24h"`, 24 * time.Hour},
		{`"61.5s"`, 61500 * time.Millisecond},
	} {
		conf := must(t, "[expiry_time]\nemail = "+c.text)
		if conf.ExpiryTime.Email != c.want {
			t.Errorf("%s is %v", c.text, conf.ExpiryTime.Email)
		}
		if again := must(t, conf.String()); again.ExpiryTime.Email != c.want {
			t.Errorf("%s is shown as %s", c.text, conf.Map()["expiry_time.email"])
		}
	}
	if c := must(t, "", "DJAUTHY_EXPIRY_TIME_EMAIL=600", "DJAUTHY_LIMITS_RESEND_EVERY=0"); c.ExpiryTime.Email != 10*time.Minute || c.Limits.ResendEvery != 0 {
		t.Errorf("%v, %v", c.ExpiryTime.Email, c.Limits.ResendEvery)
	}
}

func TestRatesAreANumberPerTimeAndSeveralHold(t *testing.T) {
	for text, want := range map[string]config.Rates{
		"5/15m": {{N: 5, Per: 15 * time.Minute}}, "20/1h, 60/24h": {{N: 20, Per: time.Hour}, {N: 60, Per: 24 * time.Hour}},
		" 1 / 60 ,": {{N: 1, Per: time.Minute}}, "100/1h30m": {{N: 100, Per: 90 * time.Minute}},
	} {
		c := must(t, "", "DJAUTHY_LIMITS_TRIES_PER_ID="+text)
		if !slices.Equal(c.Limits.TriesPerID, want) {
			t.Errorf("%q is %v", text, c.Limits.TriesPerID)
		}
		if again := must(t, "", "DJAUTHY_LIMITS_TRIES_PER_ID="+c.Limits.TriesPerID.String()); !slices.Equal(again.Limits.TriesPerID, want) {
			t.Errorf("%q is shown as %q", text, c.Limits.TriesPerID)
		}
	}
}

// luminance is the relative luminance of a colour (WCAG 2.2), written out.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var c [3]int
	if n, err := fmt.Sscanf(colour, "#%02x%02x%02x", &c[0], &c[1], &c[2]); n != 3 || err != nil || len(colour) != 7 {
		t.Fatalf("%q is no colour", colour)
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		x := float64(c[i]) / 255
		if x <= 0.04045 {
			x /= 12.92
		} else {
			x = math.Pow((x+0.055)/1.055, 2.4)
		}
		sum += weight * x
	}
	return sum
}

func TestTheAccentHasEnoughContrastInLightAndDark(t *testing.T) {
	for _, colour := range []string{"#1a5fb4", "#000000", "#B00020", "#006400", "#767676", "#0000ff"} {
		if c := must(t, "", "DJAUTHY_BRAND_ACCENT="+colour); c.Brand.Accent != colour {
			t.Errorf("%q is %q", colour, c.Brand.Accent)
		}
		if contrast := 1.05 / (luminance(t, colour) + 0.05); contrast < 4.5 {
			t.Errorf("%s is taken with a contrast of %.2f with white", colour, contrast)
		}
		light := config.LightAccent(colour)
		if contrast := (luminance(t, light) + 0.05) / (0.01 + 0.05); contrast < 4.5 {
			t.Errorf("%s on dark pages is %s with a contrast of %.2f", colour, light, contrast)
		}
	}
	for _, colour := range []string{"#777777", "#ff0000", "#ffff00"} { // 4.48 and less
		_, _, err := load("", "DJAUTHY_BRAND_ACCENT="+colour)
		wantError(t, err, "brand.accent", colour, "a darker colour", "DJAUTHY_BRAND_ACCENT")
	}
	if light := config.LightAccent(must(t, "").Brand.Accent); light != "" {
		t.Errorf("no accent becomes %q", light)
	}
}

// FuzzLoad looks for texts that make Load panic, or take what it cannot show.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(config.Example()), "DJAUTHY_MODE=auto\nDJAUTHY_CODE_LENGTH=8")
	f.Add([]byte("mode = \"manual\"\n[limits]\nsend_per_id = \"5/15m, 9/1h\""), "DJAUTHY_EXPIRY_TIME_EMAIL=600")
	f.Add([]byte("admins = [\"a\\\"b\", \"c,d\"]\ntrusted_proxies = [\"10.1.2.3/8\"]"), "DJAUTHY_BRAND_NAME=\u00e4\u00f6\u00fc\U0001f600")
	f.Add([]byte("[brand]\nname = \"\\u0085\"\naccent = \"#1a5fb4\""), "DJAUTHY_EMAIL_FROM=\"A, B\" <a@example.org>")
	f.Add([]byte(""), "DJAUTHY_ADMINS=\xf0")
	f.Add([]byte("a = { b = [[1]], c = 1979-05-27 }"), "DJAUTHY_=\n=\nDJAUTHY_SECRET_KEY_FILE")
	f.Add([]byte("listen = \"[::1]:80\"\npublic_url = \"https://[::1\""), "DJAUTHY_ADMINS=a\"b")
	f.Fuzz(func(t *testing.T, text []byte, environ string) {
		c, _, err := config.Load("fuzz", text, strings.Split(environ, "\n"), func(string) ([]byte, error) { return nil, os.ErrNotExist })
		if (c == nil) == (err == nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if err != nil || strings.Contains(c.String(), "(hidden)") {
			return
		}
		again, _, err := config.Load("shown", []byte(c.String()), nil, os.ReadFile)
		if err != nil {
			t.Fatalf("%v\nin what it shows:\n%s", err, c)
		}
		if again.String() != c.String() {
			t.Fatalf("shown:\n%s\nand that is:\n%s", c, again)
		}
	})
}
