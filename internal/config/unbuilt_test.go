package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/config"
)

// wantUnbuilt checks that an error names the key of a part that djauthy does not have, and
// says what to do, without the value.
func wantUnbuilt(t *testing.T, err error, key, source string) {
	t.Helper()
	var e *config.Error
	if !errors.As(err, &e) || e.Key != key || e.Source != source || !e.Hidden {
		t.Errorf("%s from %s: %v", key, source, err)
		return
	}
	if s := err.Error(); !strings.Contains(s, "does not have this setting yet; remove it") || strings.Contains(s, "hunter2") {
		t.Errorf("%s: the sentence is %q", key, s)
	}
}

func TestASettingOfAPartThatIsNotBuiltStopsTheStart(t *testing.T) {
	for text, key := range map[string]string{
		"[oauth]\nregistration = \"hunter2\"":               "oauth.registration",
		"[oauth]\nrotate_keys = \"1h\"\ncode = \"hunter2\"": "oauth.code",
	} {
		_, _, err := load(text)
		wantUnbuilt(t, err, key, "djauthy.toml")
	}
}

func TestAVariableOfAPartThatIsNotBuiltStopsTheStart(t *testing.T) {
	for name, key := range map[string]string{
		"DJAUTHY_OAUTH_CODE_FILE":     "oauth.code",
		"DJAUTHY_OAUTH_REFRESH_TOKEN": "oauth.refresh_token",
	} {
		_, _, err := load("", "DJAUTHY_SERVICE_PORT=tcp://x", name+"=hunter2")
		wantUnbuilt(t, err, key, name)
	}
}

// Kubernetes sets these for services called djauthy-jabber, djauthy-oauth and djauthy-site.
func TestNamesOfOrchestratorsStayWarnings(t *testing.T) {
	environ := []string{
		"DJAUTHY_JABBER_SERVICE_HOST=10.0.0.1", "DJAUTHY_JABBER_PORT=tcp://10.0.0.1:5222", "DJAUTHY_OAUTH_PORT_80_TCP_ADDR=10.0.0.1",
		"DJAUTHY_SITE_0_PORT=x", "DJAUTHY_JABBER=x",
	}
	if _, warnings, err := load("", environ...); err != nil || len(warnings) != len(environ) {
		t.Errorf("%q, %v", warnings, err)
	}
}
