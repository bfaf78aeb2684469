package accounts_test

import (
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
)

var jabbered = accounts.Discovery{FoldLocalPart: true, Jabber: &accounts.JabberIDs{Domains: []string{"chat.example", "xn--bcher-kva.example"}}}

func TestAJabberIdIsToldByItsPrefixOrItsDomain(t *testing.T) {
	for text, want := range map[string]string{
		"xmpp:Ann@Example.org":                 "jabber ann@example.org",
		"XMPP:ann@example.org/phone":           "jabber ann@example.org",
		"xmpp:ann@example.org?message;body=hi": "jabber ann@example.org",
		"xmpp:ann%40example.org":               "jabber ann@example.org",
		"xmpp:ann@example.org/home?message#x":  "jabber ann@example.org",
		"<xmpp:ann@example.org>":               "jabber ann@example.org",
		"xmpp: ann@example.org":                "jabber ann@example.org",
		"xmpp:ÄNN@Bücher.example":              "jabber änn@xn--bcher-kva.example",
		"ann@chat.example":                     "jabber ann@chat.example",
		"ann@CHAT.example/phone":               "",
		"ann@bücher.example":                   "jabber ann@xn--bcher-kva.example",
		"ann@example.org":                      "email ann@example.org",
		"ann@sub.chat.example":                 "email ann@sub.chat.example",
		"mailto:ann@chat.example":              "email ann@chat.example",
		"xmpp:ann.b+c_d~e!f%20g@example.org":   "",
	} {
		id, refusal := jabbered.Find(text, "")
		got := id.Implementation + " " + id.Identifier
		if want == "" && refusal == "" || want != "" && got != want {
			t.Errorf("%q is %q, %s, want %q", text, got, refusal, want)
		}
	}
	if id, refusal := jabbered.Find("ann@example.org", "jabber"); refusal != "" || id.Implementation != "jabber" {
		t.Errorf("chosen by hand: %v, %s", id, refusal)
	}
	if _, refusal := (accounts.Discovery{}).Find("xmpp:ann@example.org", ""); refusal != accounts.BadKind {
		t.Errorf("without Jabber: %s", refusal)
	}
}

func TestWhatIsNoJabberIdIsRefused(t *testing.T) {
	for text, want := range map[string]accounts.Refusal{
		"xmpp:":                  accounts.Empty,
		"xmpp:example.org":       accounts.NoAt,
		"xmpp:a@b@example.org":   accounts.Several,
		"xmpp:@example.org":      accounts.Local,
		"xmpp:ann@":              accounts.Domain,
		"xmpp:ann@127.0.0.1":     accounts.Domain,
		"xmpp:ann@exa mple.org":  accounts.Blank,
		"xmpp:a&b@example.org":   accounts.Punctuation,
		"xmpp:a<b@example.org":   accounts.Punctuation,
		"xmpp:аnn@example.org":   accounts.Script,
		"xmpp:ﬁn@example.org":    accounts.Compat,
		"xmpp:a%00b@example.org": accounts.Control,
		"xmpp:a%zz@example.org":  accounts.Punctuation,
		"xmpp:" + strings.Repeat("a", 250) + "@example.org": accounts.TooLong,
	} {
		if id, refusal := jabbered.Find(text, ""); refusal != want {
			t.Errorf("%q: %v, %q, want %q", text, id, refusal, want)
		}
	}
}

func TestMessagesGoToTheNormalFormOfAJabberId(t *testing.T) {
	found, refusal := jabbered.Resolve("xmpp:Ann@Bücher.example/phone", "")
	if refusal != "" || found.Address != "Ann@Bücher.example" || found.ID.Deliverable(found.Address) != "ann@xn--bcher-kva.example" {
		t.Errorf("%v, %s", found, refusal)
	}
	if found.ID.Masked() != "a***n@bücher.example" || found.ID.Domain() != "xn--bcher-kva.example" {
		t.Errorf("%q, %q", found.ID.Masked(), found.ID.Domain())
	}
}
