package accounts_test

import (
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
)

func TestAPastedAddressIsTakenOutOfWhatStandsAroundIt(t *testing.T) {
	const ann = "ann@example.org"
	for _, text := range []string{
		// White space and marks that copying leaves at the ends.
		" ann@example.org ", "\u00a0ann@example.org\u2003", "ann@example.org\r\n", "\tann@example.org\u2028",
		"\u200eann@example.org\u200f", "\u061cann@example.org", "\u202aann@example.org\u202c", "\u202bann@example.org\u202c",
		"\u2066ann@example.org\u2069", "\u2067ann@example.org\u2069", "\u2068 ann@example.org \u2069", "\ufeffann@example.org",
		"\u200bann@example.org\u200b", "ann@example.org\u2060", "\u200d\u200cann@example.org\u00ad",
		// The end of a sentence or of a list.
		"ann@example.org,", "ann@example.org.", "ann@example.org;", "ann@example.org;;,. ,", "ann@example.org，", "ann@example.org；", "ann@example.org、",
		// Other forms of the signs.
		"ann＠example.org", "ann﹫example.org", "＜ann＠example.org＞",
		// A mailbox with or without a name (RFC 5322 3.4).
		"<ann@example.org>", "< ann@example.org >", "<ann@example.org>,", "<ann@example.org.>", "Ann Example <ann@example.org>",
		"Ann <ann@example.org>;", `"Example, Ann" <ann@example.org>`, "Example, Ann <ann@example.org>", "Ann (at work)<ann@example.org>",
		`"Ann \"A\" Example" <ann@example.org>`, "Änn 🙂 <ann@example.org>", "Ann\n\t<ann@example.org>", "To: Ann <ann@example.org>",
		"Ann <\u200eann@example.org\u200e>", "ann@example.org <ann@example.org>", "'Ann@Example.org' <ann@example.org>",
		"ann@example.org<mailto:ann@example.org>", `"ann@example.org" <mailto:ann@example.org>`,
		// mailto: (RFC 6068).
		"mailto:ann@example.org", "MailTo:ann@example.org", " mailto: ann@example.org ", "mailto:ann@example.org?subject=Hi%20there&cc=bob@example.org",
		"mailto:ann@example.org#top", "mailto://ann@example.org", "<mailto:ann@example.org>", "Ann <mailto:ann@example.org?body=x>",
		"mailto:ann%40example.org", "mailto:%61nn@example.org", "mailto:ann@example%2eorg",
		// Marks that hold all of it.
		`"ann@example.org"`, `"ann@example.org",`, "'ann@example.org'", "“ann@example.org”", "„ann@example.org“", "«ann@example.org»", "(ann@example.org)",
		"[ann@example.org]", `"Ann <ann@example.org>"`, `("ann@example.org").`,
	} {
		if id, refusal := discovery.Find(text, ""); refusal != "" || id.Identifier != ann {
			t.Errorf("%q is %q, refused as %q", text, id.Identifier, refusal)
		}
	}
}

func TestWhatDecodesOnceIsNotDecodedOrTrimmedAgain(t *testing.T) {
	for text, want := range map[string]accounts.Refusal{
		"mailto:ann%2540example.org":          accounts.NoAt,
		"mailto:ann%25@example.org":           accounts.Punctuation,
		"mailto:ann@example.org%2c":           accounts.Punctuation,
		"mailto:%3cann@example.org%3e":        accounts.Punctuation,
		"mailto:%20ann@example.org":           accounts.Blank,
		"mailto:ann%0a@example.org":           accounts.Blank,
		"mailto:ann@example.org%0d%0aBcc:x@y": accounts.Several,
		"mailto:ann%00@example.org":           accounts.Control,
		"mailto:ann%e2%80%8b@example.org":     accounts.Control,
		"mailto:ann@example.org%e2%80%8b":     accounts.Control,
		"mailto:%ff@example.org":              accounts.Control,
		"mailto:%22ann%22@example.org":        accounts.Quoted,
		"mailto:ann%zz@example.org":           accounts.Punctuation,
		"mailto:ann%ef%bc%a0example.org":      accounts.NoAt,
		"mailto:ann@example.org,bob@x.org":    accounts.Several,
		"mailto:ann%2cbob@example.org":        accounts.Punctuation,
		"mailto:%e2%84%aaim@example.org":      accounts.Compat,
		"mailto:mailto:ann@example.org":       accounts.BadKind,
		"mailto:?to=ann@example.org":          accounts.Empty,
		"mailto:":                             accounts.Empty,
	} {
		if id, refusal := discovery.Find(text, ""); refusal != want {
			t.Errorf("%q is %q, refused as %q, want %q", text, id.Identifier, refusal, want)
		}
	}
}

func TestWhatIsNotClearIsRefusedForTheReasonThatHolds(t *testing.T) {
	for text, want := range map[string]accounts.Refusal{
		"ann@example.org, bob@example.org":               accounts.Several,
		"ann@example.org;bob@example.org":                accounts.Several,
		"ann@example.org bob@example.org":                accounts.Several,
		"ann@example.org\nbob@example.org":               accounts.Several,
		"Ann <ann@example.org>, Bob <bob@example.org>":   accounts.Several,
		"<ann@example.org> <bob@example.org>":            accounts.Several,
		"bob@example.org <ann@example.org>":              accounts.Several,
		`"bob@example.org" <ann@example.org>`:            accounts.Several,
		"bob＠example.org <ann@example.org>":              accounts.Several,
		"<ann@example.org> bob@example.org":              accounts.Several,
		"Ann ann@example.org":                            accounts.Blank,
		"ann at example.org":                             accounts.NoAt,
		"<ann>":                                          accounts.NoAt,
		"Ann <>":                                         accounts.Empty,
		"<>":                                             accounts.Empty,
		"<<ann@example.org>>":                            accounts.Punctuation,
		"<ann@example.org":                               accounts.Punctuation,
		"ann@example.org>":                               accounts.Punctuation,
		"<ann@example.org>x":                             accounts.Punctuation,
		"(x)ann@example.org":                             accounts.Punctuation,
		"(x)ann@example.org(y)":                          accounts.Punctuation,
		",ann@example.org":                               accounts.Punctuation,
		`"ann"@example.org`:                              accounts.Quoted,
		`"ann@example.org`:                               accounts.Quoted,
		`"a" "b"@example.org`:                            accounts.Quoted,
		"“ann”@example.org":                              accounts.Quoted,
		"\u202eann@example.org":                          accounts.Control,
		"ann@example.org\u202d":                          accounts.Control,
		"ann\u200e@example.org":                          accounts.Control,
		"ann@\u200eexample.org":                          accounts.Control,
		"<ann@example.org>\x00":                          accounts.Control,
		"ann@example.org\x1b":                            accounts.Control,
		"\u212aim@example.org":                           accounts.Compat,
		"github:<ann@example.org":                        accounts.BadKind,
		"E-Mail: ann@example.org":                        accounts.BadKind,
		strings.Repeat("x", 900) + " <ann@example.org>x": accounts.TooLong,
		strings.Repeat("(", 1100) + "ann@example.org":    accounts.TooLong,
	} {
		if id, refusal := discovery.Find(text, ""); refusal != want {
			t.Errorf("%.80q is %q, refused as %q, want %q", text, id.Identifier, refusal, want)
		}
	}
}

func TestALongNameMakesNoAddressTooLong(t *testing.T) {
	text := `"` + strings.Repeat("Ann ", 200) + `" <ann@example.org>`
	if id, refusal := discovery.Find(text, ""); refusal != "" || id.Identifier != "ann@example.org" {
		t.Errorf("it is %q, refused as %q", id.Identifier, refusal)
	}
}

func TestMessagesGoToTheAddressThatWasTyped(t *testing.T) {
	for text, want := range map[string]struct{ id, shown, deliverTo string }{
		"Ann@Example.ORG":                        {"ann@example.org", "Ann@Example.ORG", "Ann@example.org"},
		"mailto:Ann@Example.ORG?subject=x":       {"ann@example.org", "Ann@Example.ORG", "Ann@example.org"},
		" Straße@STRASSE.de, ":                   {"straße@strasse.de", "Straße@STRASSE.de", "Straße@strasse.de"},
		"ΣΟΦΟΣ@example.org":                      {"σοφοσ@example.org", "ΣΟΦΟΣ@example.org", "ΣΟΦΟΣ@example.org"},
		"σοφος@example.org":                      {"σοφος@example.org", "σοφος@example.org", "σοφος@example.org"},
		"\u0130lker@example.org":                 {"\u0130lker@example.org", "\u0130lker@example.org", "\u0130lker@example.org"},
		"E\u0301va <E\u0301va@Mu\u0308nchen.de>": {"éva@xn--mnchen-3ya.de", "Éva@München.de", "Éva@xn--mnchen-3ya.de"},
		"ann＠例え。テスト":                             {"ann@xn--r8jz45g.xn--zckzah", "ann@例え。テスト", "ann@xn--r8jz45g.xn--zckzah"},
	} {
		found, refusal := discovery.Resolve(text, "")
		if refusal != "" || found.ID.Identifier != want.id || string(found.Address) != want.shown || found.ID.Deliverable(found.Address) != want.deliverTo {
			t.Errorf("%q is %v (%q), sent to %q, want %v", text, found, refusal, found.ID.Deliverable(found.Address), want)
		}
	}
}
