package config_test

import (
	"strings"
	"testing"
	"time"
)

const smsHook = "[[hook]]\nname = \"sms\"\nurl = \"https://gateway.example.org/send\"\n"

func TestAHookIsReadWithItsExpiryTime(t *testing.T) {
	text := "[expiry_time]\nsms = \"3m\"\n" + smsHook + "ids = '\\+[0-9 ]+'\nsecret = \"hunter2\"\nheaders = { Authorization = \"Bearer hunter2\" }\n" +
		"[[hook]]\nname = \"chat\"\nurl = \"https://chat.example.org/hunter2/{{.To}}\"\nmethod = \"PUT\"\n"
	c := must(t, text, "DJAUTHY_EXPIRY_TIME_CHAT=120", "DJAUTHY_HOOK_1_CONTENT_TYPE=application/x-www-form-urlencoded", "DJAUTHY_HOOK_2_NAME=third", "DJAUTHY_HOOK_2_URL=http://127.0.0.1:1")
	if len(c.Hooks) != 3 || c.Hooks[0].Method != "POST" || c.Hooks[1].Method != "PUT" || c.Hooks[1].ContentType != "application/x-www-form-urlencoded" {
		t.Fatalf("%+v", c.Hooks)
	}
	if lives := c.Lives(); lives["sms"] != 3*time.Minute || lives["chat"] != 2*time.Minute || lives["third"] != 10*time.Minute || c.LongestLife() != 10*time.Minute {
		t.Errorf("%v", lives)
	}
	if p := c.Hooks[0].Pattern(); !p.MatchString("+41 79") || p.MatchString("x+41") || p.MatchString("+41x") || c.Hooks[1].Pattern() != nil {
		t.Errorf("the pattern %v is not for whole ids", p)
	}
	if again := must(t, strings.ReplaceAll(c.String(), "(hidden)", "https://a.example"), "DJAUTHY_SECRET_KEY=", "DJAUTHY_HOOK_0_HEADERS=", "DJAUTHY_HOOK_1_HEADERS=", "DJAUTHY_HOOK_2_HEADERS="); again.Lives()["sms"] != 3*time.Minute {
		t.Errorf("what is printed reads as %v", again.Lives())
	}
	if strings.Contains(c.String(), "hunter2") {
		t.Errorf("a secret is shown:\n%s", c)
	}
}

func TestAHookThatCannotWorkStopsTheStart(t *testing.T) {
	for text, key := range map[string]string{
		"[[hook]]\nurl = \"https://a.example\"":                     "hook[0].name",
		"[[hook]]\nname = \"SMS\"\nurl = \"https://a.example\"":     "hook[0].name",
		"[[hook]]\nname = \"email\"\nurl = \"https://a.example\"":   "hook[0].name",
		"[[hook]]\nname = \"xmpp\"\nurl = \"https://a.example\"":    "hook[0].name",
		"[[hook]]\nname = \"link\"\nurl = \"https://a.example\"":    "hook[0].name",
		"[[hook]]\nname = \"sms\"":                                  "hook[0].url",
		"[[hook]]\nname = \"sms\"\nurl = \"ftp://a.example\"":       "hook[0].url",
		smsHook + "method = \"DELETE\"":                             "hook[0].method",
		smsHook + "content_type = \"text/plain\"":                   "hook[0].content_type",
		smsHook + "ids = \"(\"":                                     "hook[0].ids",
		smsHook + "timeout = \"1s\"":                                "hook[0].timeout",
		smsHook + "[[hook]]\nname = \"sms\"\nurl = \"https://a.b\"": "hook[1].name",
		smsHook + "[expiry_time]\nsms = \"1s\"":                     "expiry_time.sms",
		smsHook + "[expiry_time]\nfax = \"10m\"":                    "expiry_time.fax",
	} {
		_, _, err := load(text)
		wantRefusedKey(t, err, key)
	}
}

// wantRefusedKey checks that an error names a key.
func wantRefusedKey(t *testing.T, err error, key string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("%s: %v", key, err)
	}
}
