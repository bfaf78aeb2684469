package accounts_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/accounts"
)

// FuzzFind searches for texts that Find accepts although they are no id.
func FuzzFind(f *testing.F) {
	for _, text := range []string{
		"ann@example.org", "Ann+x@Mu\u0308nchen.DE.", "e\u0301@例え。テスト", "a\u200bnn@example.org", `"a b"@example.org`, "a@b@c", "ann@[::1]",
		"İ@İ.org", "straße@STRAẞE.de", "ᾳ\u0301@example.org", "日本ノab@xn--r8jz45g.jp", "a@" + strings.Repeat("ü.", 60) + "org", "github:ann",
		strings.Repeat("é", 32) + "@example.org", "ann@example.org\r\nBcc: x", "\xff@x", "a\u0345\u0301@x.org", "ǆ@ǆ.org", "a@1.2.3.4", "xn--@xn--",
		`"B, A" <mailto:A%2bb@X.org?c=d>;`, "\u2066＜ann﹫example.org＞\u2069。", "(‘a@b’)", "'a@b.org'@c", "a@b <a@b>, c@d", "mailto:%25@%2525", "क्\u200d@xn--h2bf2aw0b.org",
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, fold bool) {
		d := accounts.Discovery{FoldLocalPart: fold}
		found, refusal := d.Resolve(text, "")
		if refusal != "" {
			return
		}
		id := found.ID
		deliverTo := found.ID.Deliverable(found.Address)
		if to, refusal := d.Resolve(deliverTo, ""); to.ID != id || string(to.Address) != deliverTo || refusal != "" {
			t.Errorf("%q is %q, sent to %q, and that is %v, %q", text, id.Identifier, deliverTo, to, refusal)
		}
		if len(deliverTo) > 254 || !fold && deliverTo != id.Identifier {
			t.Errorf("%q is %q, sent to %q", text, id.Identifier, deliverTo)
		}
		s := id.Identifier
		local, domain, _ := strings.Cut(s, "@")
		if strings.Count(s, "@") != 1 || local == "" || domain == "" || len(s) > 254 || len(local) > 64 || !utf8.ValidString(s) {
			t.Errorf("%q is %q", text, s)
		}
		if strings.ContainsFunc(s, func(r rune) bool {
			return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`,;:<>()[]\"%!`, r)
		}) {
			t.Errorf("%q is %q, with a character that has a meaning elsewhere", text, s)
		}
		if strings.ContainsFunc(domain, func(r rune) bool {
			return r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		}) {
			t.Errorf("%q has the domain %q", text, domain)
		}
		if twice, refusal := d.Find(s, ""); twice != id || refusal != "" {
			t.Errorf("%q is %q, and that is %q, %q", text, s, twice.Identifier, refusal)
		}
		if shown, refusal := d.Find(id.Shown(), ""); shown != id || refusal != "" {
			t.Errorf("%q is %q, shown as %q, and that is %q, %q", text, s, id.Shown(), shown.Identifier, refusal)
		}
		_, written, _ := strings.Cut(id.Shown(), "@")
		runes := []rune(local)
		mask := string(runes[0]) + "***"
		if len(runes) > 2 {
			mask += string(runes[len(runes)-1])
		}
		if mask += "@" + written; id.Masked() != mask {
			t.Errorf("%q is masked as %q, want %q", s, id.Masked(), mask)
		}
		if strings.Count(id.BudgetKey(), "@") != 1 {
			t.Errorf("%q is of the mailbox %q", s, id.BudgetKey())
		}
	})
}

// A domain that is taken as it is would have come out of IDNA the same.
func FuzzPlainHostname(f *testing.F) {
	for _, domain := range []string{"example.org", "EXAMPLE.Org", "1.2.3.4", "a-b.c", "ab--c.d", "xn--r8jz45g.jp", "-a", "a-", "a..b", "a.", "", "a_b.c", "ü.de", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a", strings.Repeat("a.", 126) + "a"} {
		f.Add(domain)
	}
	f.Fuzz(func(t *testing.T, domain string) {
		if !accounts.PlainHostname(domain) {
			return
		}
		ascii, err := accounts.IDNA.ToASCII(domain)
		unicoded, err2 := accounts.IDNA.ToUnicode(ascii)
		if want := strings.ToLower(domain); ascii != want || unicoded != want || err != nil || err2 != nil {
			t.Errorf("%q is %q (%v), shown %q (%v)", domain, ascii, err, unicoded, err2)
		}
	})
}
