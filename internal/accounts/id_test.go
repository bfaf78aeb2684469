package accounts_test

import (
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
)

var discovery = accounts.Discovery{FoldLocalPart: true}

// long is an address of n characters, n above 70.
func long(n int) string {
	return strings.Repeat("a", 64) + "@" + strings.Repeat("d.", 100)[:n-70] + "d.org"
}

func TestFindNormalisesOrRefuses(t *testing.T) {
	for _, c := range []struct {
		text, want string
		refusal    accounts.Refusal
	}{
		// As people write them.
		{"ann@example.org", "ann@example.org", ""},
		{"Ann@Example.ORG", "ann@example.org", ""},
		{"  ann@example.org\n", "ann@example.org", ""},
		{"\u00a0ann@example.org\u3000", "ann@example.org", ""},
		{"ann.b-c_d@mail.example.org", "ann.b-c_d@mail.example.org", ""},
		{"ann+shop@example.org", "ann+shop@example.org", ""},
		{"o'neil&co=x/y?z@example.org", "o'neil&co=x/y?z@example.org", ""},
		{"1234@example.org", "1234@example.org", ""},
		{"ann@localhost", "ann@localhost", ""},
		{"ann@123.example.org", "ann@123.example.org", ""},
		// Unicode and case.
		{"e\u0301va@example.org", "éva@example.org", ""},
		{"ÉVA@example.org", "éva@example.org", ""},
		{"STRASSE@example.org", "strasse@example.org", ""},
		{"straße@example.org", "straße@example.org", ""},
		{"STRAẞE@example.org", "straße@example.org", ""},
		{"ΣΟΦΟΣ@example.org", "σοφοσ@example.org", ""},
		{"σοφος@example.org", "σοφος@example.org", ""},
		{"ᾼ@example.org", "ᾳ@example.org", ""},
		{"анна@example.org", "анна@example.org", ""},
		{"АННА@example.org", "анна@example.org", ""},
		{"用户@example.org", "用户@example.org", ""},
		{"\u0130@example.org", "\u0130@example.org", ""},
		{"I\u0307@example.org", "\u0130@example.org", ""},
		{"i\u0307@example.org", "i\u0307@example.org", ""},
		{"H\u0331@example.org", "\u1e96@example.org", ""},
		{"\u13a0@example.org", "\uab70@example.org", ""}, // Cherokee, whose lower case came later
		// Domains.
		{"ann@München.de", "ann@xn--mnchen-3ya.de", ""},
		{"ann@mu\u0308nchen.de", "ann@xn--mnchen-3ya.de", ""},
		{"ann@xn--mnchen-3ya.de", "ann@xn--mnchen-3ya.de", ""},
		{"ann@XN--MNCHEN-3YA.DE", "ann@xn--mnchen-3ya.de", ""},
		{"ann@straße.de", "ann@xn--strae-oqa.de", ""},
		{"ann@例え。テスト", "ann@xn--r8jz45g.xn--zckzah", ""},
		{"ann@example。org", "ann@example.org", ""},
		{"ann@example．org", "ann@example.org", ""},
		{"ann@example｡org", "ann@example.org", ""},
		{"ann@example.org.", "ann@example.org", ""},
		{"ann@example.org。", "ann@example.org", ""},
		{"ann@ｅｘａｍｐｌｅ.org", "ann@example.org", ""},
		{"ann@EXAMPLE\u2024org", "", accounts.Domain}, // one dot leader
		{"ann@пример.рф", "ann@xn--e1afmkfd.xn--p1ai", ""},
		{"ann@xn--a.org", "", accounts.Domain},
		{"ann@xn--example-.org", "", accounts.Domain},
		{"ann@-example.org", "", accounts.Domain},
		{"ann@example-.org", "", accounts.Domain},
		{"ann@exa_mple.org", "", accounts.Domain},
		{"ann@exa mple.org", "", accounts.Blank},
		{"ann@example..org", "", accounts.Domain},
		{"ann@.example.org", "", accounts.Domain},
		{"ann@.", "", accounts.Domain},
		{"ann@", "", accounts.Domain},
		{"ann@" + strings.Repeat("d", 64) + ".org", "", accounts.Domain},
		{"ann@exam☃ple.org/", "", accounts.Domain},
		// Look-alikes and what nobody sees.
		{"ａｎｎ@example.org", "", accounts.Compat},
		{"ﬁn@example.org", "", accounts.Compat}, // a ligature that looks like its letters
		{"ann\u00b2@example.org", "", accounts.Compat},
		{"a\u200bnn@example.org", "", accounts.Control},
		{"a\u200dnn@example.org", "", accounts.Control},
		{"a\u00adnn@example.org", "", accounts.Control},
		{"ann@exa\u00admple.org", "", accounts.Control},
		{"ann@exa\u200bmple.org", "", accounts.Control},
		{"\u202eann@example.org", "", accounts.Control},
		{"\u2066ann\u2069@example.org", "", accounts.Control},
		{"a\ufe0fnn@example.org", "", accounts.Control},
		{"a\u3164nn@example.org", "", accounts.Control},
		{"a\u115fnn@example.org", "", accounts.Control},
		{"a\U000e0061nn@example.org", "", accounts.Control},
		{"a\ue000nn@example.org", "", accounts.Control},
		{"a\ufffdnn@example.org", "", accounts.Control},
		{"a\xffnn@example.org", "", accounts.Control},
		{"a\x00nn@example.org", "", accounts.Control},
		{"ann@example.org\x00", "", accounts.Control},
		{"a\tnn@example.org", "", accounts.Blank},
		{"a\x7fnn@example.org", "", accounts.Control},
		{"ann@example.org\r\nBcc: eve@example.org", "", accounts.Several},
		{"ann@example.org\neve@example.org", "", accounts.Several},
		{"ann\u2028@example.org", "", accounts.Blank},
		{"ann@example.org\u2029eve", "", accounts.Blank},
		// Alphabets that mix.
		{"аnn@example.org", "", accounts.Script}, // Cyrillic а
		{"ann.анна@example.org", "", accounts.Script},
		{"αnn@example.org", "", accounts.Script},
		{"ann@exаmple.org", "", accounts.Script}, // Cyrillic а
		{"ann@xn--exmple-4nf.org", "", accounts.Script},
		{"анна@example.org", "анна@example.org", ""}, // each side for itself
		{"日本ノひらabc@example.org", "日本ノひらabc@example.org", ""},
		{"한글漢字abc@example.org", "한글漢字abc@example.org", ""},
		{"ㄅ漢abc@example.org", "ㄅ漢abc@example.org", ""},
		{"한ひ@example.org", "", accounts.Script},
		{"ㄅひ@example.org", "", accounts.Script},
		{"ひанна@example.org", "", accounts.Script},
		// Other ways to write a mailbox.
		{`"ann"@example.org`, "", accounts.Quoted},
		{`"ann b"@example.org`, "", accounts.Quoted},
		{`"ann@evil.org"@example.org`, "", accounts.Quoted},
		{"ann(comment)@example.org", "", accounts.Punctuation},
		{"ann@example.org(comment)", "", accounts.Punctuation},
		{"ann@example.org>", "", accounts.Punctuation},
		{"ann%evil.org@example.org", "", accounts.Punctuation},
		{"evil.org!ann@example.org", "", accounts.Punctuation},
		{"ann@example.org,eve@example.org", "", accounts.Several},
		{"ann,eve@example.org", "", accounts.Punctuation},
		{"ann@example.org;eve", "", accounts.Punctuation},
		{`ann\@example.org`, "", accounts.Punctuation},
		{"@relay.org:ann@example.org", "", accounts.Several},
		{"ann@eve@example.org", "", accounts.Several},
		{"ann@@example.org", "", accounts.Several},
		{"ann@[127.0.0.1]", "", accounts.Punctuation},
		{"ann@[IPv6:::1]", "", accounts.Punctuation},
		{"ann@example.org:25", "", accounts.Punctuation},
		{"ann@127.0.0.1", "", accounts.Domain},
		{"ann@127.0.0.1.", "", accounts.Domain},
		{"ann@１２７.0.0.1", "", accounts.Domain},
		{"ann@::1", "", accounts.Punctuation},
		// No address.
		{"", "", accounts.Empty},
		{" \t\n", "", accounts.Empty},
		{"ann", "", accounts.NoAt},
		{"@", "", accounts.Local},
		{"@example.org", "", accounts.Local},
		{".ann@example.org", "", accounts.Local},
		{"ann.@example.org", "", accounts.Local},
		{"a..nn@example.org", "", accounts.Local},
		{"a nn@example.org", "", accounts.Blank},
		{"ann @example.org", "", accounts.Blank},
		{"a\u00a0nn@example.org", "", accounts.Blank},
		{"☃@example.org", "", accounts.Local},
		{strings.Repeat("a", 64) + "@example.org", strings.Repeat("a", 64) + "@example.org", ""},
		{strings.Repeat("a", 65) + "@example.org", "", accounts.Local},
		{strings.Repeat("é", 33) + "@example.org", "", accounts.Local}, // 66 bytes
		{long(254), long(254), ""},
		{long(255), "", accounts.TooLong},
		{strings.Repeat("a", 2000), "", accounts.TooLong},
		{"ann@" + strings.Repeat("ü.", 100) + "org", "", accounts.Domain},
		// Of another kind.
		{"https://example.org/ann", "", accounts.BadKind},
		{"xmpp:ann@example.org", "", accounts.BadKind},
		{"github:ann", "", accounts.BadKind},
		{"tel:+41791234567", "", accounts.BadKind},
	} {
		id, refusal := discovery.Find(c.text, "")
		if refusal != c.refusal {
			t.Errorf("%.60q is refused as %q (%q), want %q", c.text, refusal, id.Identifier, c.refusal)
			continue
		}
		if refusal == "" && (id.Identifier != c.want || id.Implementation != accounts.Email) {
			t.Errorf("%.60q is %q %q, want %q", c.text, id.Implementation, id.Identifier, c.want)
		}
	}
}

// Programs read them as addresses (inet_aton), and no top-level domain is all
// digits (RFC 3696, 2).
func TestNumbersAloneAreNoDomain(t *testing.T) {
	for _, domain := range []string{"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "１２７.1", "1.2.3.4.5"} {
		if id, refusal := discovery.Find("ann@"+domain, ""); refusal != accounts.Domain {
			t.Errorf("%s is %q, refusal %q", domain, id.Identifier, refusal)
		}
	}
}

func TestFindIsIdempotent(t *testing.T) {
	for _, text := range []string{
		"Ann@Example.ORG.", "e\u0301va@mu\u0308nchen.de", "STRAẞE@STRAẞE.de", "ΣΟΦΟΣ@ΣΟΦΟΣ.gr", "İ@İ.org", "ᾳ@example.org",
		"ΐ@example.org", "ŉ@example.org", "ǰ@example.org", "日本@日本。jp", "K@K.org", "Å@Å.org",
	} {
		once, refusal := discovery.Find(text, "")
		if refusal != "" {
			continue
		}
		if twice, refusal := discovery.Find(once.Identifier, ""); twice != once || refusal != "" {
			t.Errorf("%q is %q, and that is %q, %q", text, once.Identifier, twice.Identifier, refusal)
		}
		if shown, refusal := discovery.Find(once.Shown(), ""); shown != once || refusal != "" {
			t.Errorf("%q is shown as %q, and that is %q, %q", text, once.Shown(), shown.Identifier, refusal)
		}
	}
}

func TestALocalPartIsFoldedUnlessASettingSaysOtherwise(t *testing.T) {
	unfolded := accounts.Discovery{}
	for text, want := range map[string]string{
		"Ann@Example.ORG": "Ann@example.org", "ann@example.org": "ann@example.org", "E\u0301va@example.org": "Éva@example.org",
	} {
		if id, refusal := unfolded.Find(text, ""); refusal != "" || id.Identifier != want {
			t.Errorf("%q is %q, %q", text, id.Identifier, refusal)
		}
	}
	for _, text := range []string{"Ａnn@example.org", "Аnn@example.org", "\ufb01n@example.org"} {
		if id, refusal := unfolded.Find(text, ""); refusal == "" {
			t.Errorf("%q is %q", text, id.Identifier)
		}
	}
}

func TestANamedImplementationMustExist(t *testing.T) {
	if id, refusal := discovery.Find("ann@example.org", "email"); refusal != "" || id.Identifier != "ann@example.org" {
		t.Errorf("email: %v, %q", id, refusal)
	}
	for _, name := range []string{"jabber", "EMAIL", "email ", "../email"} {
		if id, refusal := discovery.Find("ann@example.org", name); refusal != accounts.BadKind {
			t.Errorf("%s: %v, %q", name, id, refusal)
		}
	}
}

func TestMaskedShowsFirstAndLastAndTheDomainAlone(t *testing.T) {
	for text, want := range map[string]string{
		"a@example.org": "a***@example.org", "ab@example.org": "a***@example.org", "abc@example.org": "a***c@example.org",
		"annabella@example.org": "a***a@example.org", "ann+secret@example.org": "a***t@example.org", "анна@example.org": "а***а@example.org",
		"日本語@example.org": "日***語@example.org", "ann@münchen.de": "a***n@münchen.de",
	} {
		id, refusal := discovery.Find(text, "")
		if got := id.Masked(); refusal != "" || got != want {
			t.Errorf("%q is masked as %q (%q), want %q", text, got, refusal, want)
		}
	}
}

func TestSpellingsOfOneMailboxShareIt(t *testing.T) {
	for mailbox, spellings := range map[string][]string{
		"ann@example.org":      {"ann@example.org", "Ann@example.org", "ann+a@example.org", "ann+a+b@example.org", "ann+@example.org"},
		"annbell@gmail.com":    {"annbell@gmail.com", "ann.bell@gmail.com", "a.n.n.bell+x@gmail.com", "Ann.Bell@GoogleMail.com"},
		"ann.bell@example.org": {"ann.bell@example.org", "ann.bell+x@example.org"},
	} {
		for _, fold := range []bool{true, false} {
			accountsOf := map[string]bool{}
			for _, text := range spellings {
				id, refusal := accounts.Discovery{FoldLocalPart: fold}.Find(text, "")
				if refusal != "" || id.BudgetKey() != mailbox {
					t.Errorf("%q is of the mailbox %q (%q), want %q", text, id.BudgetKey(), refusal, mailbox)
				}
				accountsOf[id.Identifier] = true
			}
			// But plus tags and dots stay in the id: another account.
			if len(accountsOf) < 2 {
				t.Errorf("%q: all spellings are one account", spellings)
			}
		}
	}
}
