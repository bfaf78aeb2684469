package config_test

import (
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/config"
)

func TestEqualSpellingsOfThePublicURLAreOne(t *testing.T) {
	for spelling, want := range map[string]string{
		"https://login.example.org":            "https://login.example.org",
		"HTTPS://Login.Example.ORG:443/":       "https://login.example.org",
		"https://login.example.org./":          "https://login.example.org",
		"https://login.example.org.:443":       "https://login.example.org",
		"https://login.example.org:8443/":      "https://login.example.org:8443",
		"https://login.example.org:80":         "https://login.example.org:80",
		"http://Login.example.org:80":          "http://login.example.org",
		"http://login.example.org:443":         "http://login.example.org:443",
		"https://login.münchen.example":        "https://login.xn--mnchen-3ya.example",
		"https://LOGIN.MÜNCHEN.example:443":    "https://login.xn--mnchen-3ya.example",
		"https://login.mu\u0308nchen.example":  "https://login.xn--mnchen-3ya.example",
		"https://login。münchen。example。":       "https://login.xn--mnchen-3ya.example",
		"https://login.XN--MNCHEN-3YA.example": "https://login.xn--mnchen-3ya.example",
		"https://login.m%C3%BCnchen.example":   "https://login.xn--mnchen-3ya.example",
		"https://straße.example":               "https://xn--strae-oqa.example",
		"https://my_login.example":             "https://my_login.example",
		"http://192.0.2.1:80/":                 "http://192.0.2.1",
		"https://[2001:DB8:0::1]:443":          "https://[2001:db8::1]",
		"https://[2001:db8::1]:8443":           "https://[2001:db8::1]:8443",
		"http://LOCALHOST:8080":                "http://localhost:8080",
	} {
		c := must(t, "", "DJAUTHY_PUBLIC_URL="+spelling, "DJAUTHY_EMAIL_HOST=mail.example.org")
		if c.PublicURL != want || c.HTTPS() != strings.HasPrefix(want, "https:") {
			t.Errorf("%s is %s, want %s", spelling, c.PublicURL, want)
		}
		if shown := must(t, c.String()); shown.PublicURL != want {
			t.Errorf("%s is shown as what is read as %s", spelling, shown.PublicURL)
		}
	}
}

func TestAPublicURLThatNoHostCanHaveIsRefused(t *testing.T) {
	for _, v := range []string{
		"https://example..org", "https://.example.org", "https://..", "https://ex!ample.org", "https://example.org:0", "https://example.org:0443",
		"https://[::1", "https://[fe80::1%25eth0]", "https://[192.0.2.1]", "https://" + strings.Repeat("a", 64) + ".org", "https://" + strings.Repeat("a.", 127) + "org",
		"https://xn--a-ä.example", "https://a\u200b\u202e.example", "https://example.org//", "https://example.org/.", "https:example.org", "https:///login", "//login.example.org",
	} {
		_, _, err := load("", "DJAUTHY_PUBLIC_URL="+v, "DJAUTHY_EMAIL_HOST=mail.example.org")
		wantError(t, err, "public_url", v, "such as https://login.example.org", "DJAUTHY_PUBLIC_URL")
	}
}

func TestNamesOfThisMachineAreLoopback(t *testing.T) {
	for name, want := range map[string]bool{
		"localhost": true, "app.localhost": true, "127.0.0.1": true, "127.255.0.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example": false, "notlocalhost": false, "127.0.0.1.example": false, "0.0.0.0": false, "::": false, "192.0.2.1": false, "localhost.evil": false,
	} {
		if got := config.Loopback(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
