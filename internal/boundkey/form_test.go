package boundkey_test

import (
	"regexp"
	"testing"

	"github.com/djauthy/djauthy/internal/boundkey"
)

// challengeOf is the challenge in an offer.
func challengeOf(offer string) string {
	return regexp.MustCompile(`challenge="([^"]+)"`).FindStringSubmatch(offer)[1]
}

func TestWhatIsSentReadsAsTheDraftHasIt(t *testing.T) {
	b := binder(t)
	stamp := `"[0-9a-z]{8}\.[A-Za-z0-9_-]{43}"`
	for want, got := range map[string]string{
		`^\(ES256 RS256\);path="/bound/register";challenge=` + stamp + `;authorization="s1"$`: b.Offer("s1", register, noon),
		`^` + stamp + `;id="s1"$`: b.Challenge("s1", never, noon),
		`^{"session_identifier":"s1","refresh_url":"/bound/refresh","scope":{"include_site":false,"scope_specification":\[{"type":"exclude","domain":"\*","path":"/static"}\]},` +
			`"credentials":\[{"type":"cookie","name":"__Host-djauthy-bound","attributes":"Path=/; Secure; HttpOnly; SameSite=Lax"}\],"allowed_refresh_initiators":\["\*"\]}$`: string(instructions("s1").JSON()),
		`^{"session_identifier":"s1","refresh_url":"/r","scope":{"include_site":false},"credentials":\[{"type":"cookie","name":"c","attributes":""}\]}$`: string(boundkey.Instructions{Session: "s1", Refresh: "/r", Cookie: "c"}.JSON()),
		`^{"session_identifier":"s1","continue":false}$`: string(boundkey.End("s1")),
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s is not %s", got, want)
		}
	}
}

func TestASessionIsReadWithQuotesOrWithout(t *testing.T) {
	for header, want := range map[string]string{"s1": "s1", `"s1"`: "s1", `"s1";a`: "s1", "": "", `"s1`: "", `s1"`: "", `"a\"b"`: "", "s 1": "", `"s1" x`: "", "s/1": ""} {
		if got, ok := boundkey.ReadSession(header); ok != (want != "") || ok && got != want {
			t.Errorf("the session of %q is %q, %t", header, got, ok)
		}
	}
}
