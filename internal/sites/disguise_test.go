package sites_test

import (
	"strings"
	"testing"
)

// guarded is the worst case: a site where everything is public but what a rule guards.
var guarded = site("/admin/* ops", "/report ops", "/public/*", "/a b/* space", "/straße/* street", "/*")

func TestRow76_APathInDisguiseGetsTheStrictestReading(t *testing.T) {
	for _, path := range strings.Fields(`
		/admin /admin/ /admin/x /ADMIN /aDmin/x

		//admin ///admin /.//admin /admin// /x//../admin /public//../admin /public///../../admin //x/admin //x//admin
		/./admin /admin/. /admin/./x /x/../admin /admin/.. /admin/../ /admin/../public/x /public/../admin /public/x/../../admin /../admin /../../admin /admin/x/..
		/admin; /admin;x=1 /admin;x=1/ /;x/admin /admin/;/x /public;/../admin /public/..;/admin /public/..;x=1/admin /public/.;/../admin /admin;/../public /public/x;/../../admin /report; /report;/x /report/;x

		/%61dmin /%41dmin /adm%69n/x /%2e/admin /%2e%2e/admin /public/%2e%2e/admin /public/.%2e/admin /public/%2E./admin /x/%2e%2e%2fadmin /../admin/%2e%2e /x/../admin/%2E%2E/y
		/%2Fadmin /%2fadmin /public/..%2fadmin /public/..%2Fadmin /public%2f..%2fadmin /public/%2e%2e%2fadmin /admin%2Fx /admin%2f /admin%2f.. /public%2f%2e%2e%2fadmin /x%2fy/..%5Cadmin
		/\admin /%5Cadmin /%5cadmin /public/..\admin /public/..%5cadmin /public\..\admin /public%5c..%5cadmin /admin\x /admin%5Cx
		/admin%3bx /public/..%3b/admin /%3bx/admin /admin%3B/x /admin%3f /admin%3Fx /admin%23 /admin%23x /public/../admin%3F/x

		/%2561dmin /%252e%252e/admin /public/%252e%252e/admin /public/..%252fadmin /public%252f..%252fadmin /public/%25252e%25252e%25252fadmin /%25%36%31dmin /%255cadmin /admin%253bx /public/..%25%32%66admin /public/%25u002e%25u002e/admin /%25u0061dmin /%25u002fadmin /public/..%25U2215admin

		/admin%20 /admin%20/x /%20admin /admin. /admin./x /admin.%20. /admin%20./x /public/..%20/admin /public/%20../admin /public/.../admin /admin::$DATA /admin::$INDEX_ALLOCATION/x /admin:$i30:$INDEX_ALLOCATION/x /admin:%24I30:$INDEX_ALLOCATION /admin:x:$DATA

		/%EF%BD%81dmin /%EF%BD%81%EF%BD%84%EF%BD%8D%EF%BD%89%EF%BD%8E /%EF%BC%A1dmin /adm%C4%B1n /ADM%C4%B0N /%E2%93%90dmin /%F0%9D%90%80dmin
		/%EF%BC%8Fadmin /public%EF%BC%8F..%EF%BC%8Fadmin /public/%EF%BC%8E%EF%BC%8E/admin /public/%E2%80%A5/admin /public/%E2%80%A4%E2%80%A4/admin /admin%EF%BC%9Bx /admin%CD%BEx /admin%EF%BC%9Fx /admin%EF%BC%83 /public/..%EF%BC%8Fadmin /public/..%E2%88%95admin /public/..%E2%81%84admin /public/..%C2%A5admin /public/..%EF%BC%BCadmin /public/%EF%BC%85%32e%EF%BC%852e/admin
		/adm%E2%80%8Bin /%C2%ADadmin /admin%EF%B8%8F /%EF%BB%BFadmin /public/.%E2%80%8B./admin /adm%FFin /public/.%FF./admin /public/..%FF/admin /admin%C2%A0 /admin%E3%80%80/x
	`) {
		if got := asks(guarded, path); got != "ops" {
			t.Errorf("%s asks for %q", path, got)
		}
	}
}

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
	if got := asks(guarded, strings.Repeat(`/..;/%2f%5C\//%3b.%25%3f%23`, 20)); got != "400" {
		t.Errorf("a path of a hundred readings asks for %q", got)
	}
	if got := asks(guarded, "/public/"+strings.Repeat("x%2F;", 12<<10)); got != "400" {
		t.Errorf("a path of too many bytes asks for %q", got)
	}
}

func TestRow76_LettersThatSomeProgramTakesForOthersAreThose(t *testing.T) {
	for path, want := range map[string]string{
		"/a%20b/x": "space", "/a+b/x": "space", "/a%2Bb": "space", "/a%C2%A0b": "space", "/a%252520b": "space",
		"/stra%C3%9Fe": "street", "/STRASSE": "street", "/stra%DFe": "street", "/STRA%E1%BA%9EE/": "street", "/%C5%BFtra%C3%9Fe": "street", "/stra%25C3%259Fe": "street",
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
