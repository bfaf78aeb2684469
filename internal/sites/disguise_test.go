package sites_test

import (
	"strings"
	"testing"
)

// guarded is the worst case: a site where everything is public but what a rule guards.
var guarded = site("/admin/* ops", "/report ops", "/public/*", "/a b/* space", "/straße/* street", "/*")

// What nobody has a use for but to deceive is refused whatever the rules say.
func TestRow76_APathThatOnlyDeceivesIsRefused(t *testing.T) {
	for _, path := range strings.Fields(`
		/admin%00 /public/x%00 /%00admin /public/x%00/../../admin /admin%2500 /public/%252500 /admin%0A /admin%0d%0a /admin%09 /admin%1f /admin%7F /admin%C2%85 /admin%E2%80%A8 /admin%25u0000
		/%C0%AEx /public/%C0%AE%C0%AE/admin /%c1%9c /public/..%C0%AFadmin /public/..%E0%80%AFadmin /public/..%F0%80%80%AFadmin /public/..%F8%80%80%80%AFadmin /public/..%FC%80%80%80%80%AFadmin /%25C0%25AF /%c0
		/% /%2 /%zz /%u002e /public/%2 /%-1 /%%32%65 /%+1
	`) {
		if got := asks(guarded, path); got != "400" {
			t.Errorf("%s asks for %q", path, got)
		}
	}
}

func TestRow76_LettersThatSomeProgramTakesForOthersAreThose(t *testing.T) {
	for path, want := range map[string]string{
		"/a%20b/x": "space", "/a+b/x": "space", "/a%2Bb": "space", "/a%C2%A0b": "space",
		"/stra%C3%9Fe": "street", "/STRASSE": "street", "/stra%DFe": "street", "/STRA%E1%BA%9EE/": "street", "/%C5%BFtra%C3%9Fe": "street",
	} {
		if got := asks(guarded, path); got != want {
			t.Errorf("%s asks for %q, want %q", path, got, want)
		}
	}
}

// What people see in the address bar of an ordinary page has one reading.
func TestAnOrdinaryPathHasOneReading(t *testing.T) {
	for _, path := range []string{
		"/", "/x", "/x.y/z.tar.gz", "/.well-known/x", "/..x/y", "/x/...y", "/~ann/@bob/a:b,c=d!$&'()*+", "/%7Eann/%40bob", "/My%20Documents/Report%20(1).pdf",
		"/wiki/%E6%96%87%E6%A1%A3%EF%BC%881%EF%BC%89", "/caf%C3%A9", "/cafe%CC%81", "/m%C2%B2", "/%E2%9D%A4%EF%B8%8F", "/%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB", "/a|b^c{d}`\"<>",
	} {
		if got := asks(site("/*"), path); got != "public" {
			t.Errorf("%s asks for %q", path, got)
		}
	}
}
