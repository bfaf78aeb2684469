package accounts_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
)

// hooked is a discovery with two hooks: one for numbers, one only by its name.
var hooked = accounts.Discovery{FoldLocalPart: true, Hooks: []accounts.HookIDs{
	{Name: "sms", IDs: regexp.MustCompile(`^(?:\+[0-9 ]+)$`)}, {Name: "chat"},
}}

func TestAHookTakesIdsByItsNameOrByItsPattern(t *testing.T) {
	for _, c := range []struct{ text, implementation, want, identifier string }{
		{"sms:+41791234567", "", "sms", "+41791234567"},
		{"SMS: +41 (79) 123-45-67", "", "sms", "+41791234567"},
		{"+41 79 123 45 67", "", "sms", "+41791234567"},
		{"+41791234567", "sms", "sms", "+41791234567"},
		{"0791234567", "sms", "sms", "0791234567"}, // whoever chooses the hook needs no pattern
		{"chat:@ann", "", "chat", "@ann"},
		{"@ann", "chat", "chat", "@ann"},
		{"chat:Ann", "", "chat", "Ann"}, // whether case matters is the gateway's to say
		{"chat:ann@example.org", "", "chat", "ann@example.org"},
		{"ann@example.org", "", "email", "ann@example.org"},
		{"mailto:ann@example.org", "", "email", "ann@example.org"},
	} {
		id, refusal := hooked.Find(c.text, c.implementation)
		if refusal != "" || id != (accounts.ID{Implementation: c.want, Identifier: c.identifier}) {
			t.Errorf("%q (%s): %v, %s", c.text, c.implementation, id, refusal)
		}
	}
}

func TestWhatNoHookTakesIsRefused(t *testing.T) {
	for _, c := range []struct {
		text, implementation string
		want                 accounts.Refusal
	}{
		{"sms:", "", accounts.Empty},
		{"chat: ", "", accounts.Empty},
		{"chat:ann ben", "", accounts.Blank},
		{"chat:аnn", "", accounts.Script}, // a Cyrillic letter
		{"chat:ﬁn", "", accounts.Compat},
		{"chat:a\x00b", "", accounts.Control},
		{"signal:+41791234567", "", accounts.BadKind},
		{"sms:+41791234567", "email", accounts.BadKind},
		{"sms:+41791234567", "chat", accounts.BadKind},
		{"ann@example.org", "fax", accounts.BadKind},
		{"@ann", "", accounts.NoAt},
	} {
		if id, refusal := hooked.Find(c.text, c.implementation); refusal != c.want && c.want != accounts.NoAt || refusal == "" {
			t.Errorf("%q (%s): %v, %q, want %q", c.text, c.implementation, id, refusal, c.want)
		}
	}
}

func TestSpellingsOfOneNumberShareLimitsAndNothingElseIsShown(t *testing.T) {
	id := accounts.ID{Implementation: "sms", Identifier: "+41791234567"}
	for spelling, same := range map[string]bool{
		"4179/123.45.67": true, "0791234567": true, "079 123 45 67": true, "0041791234567": true, "791234567": true, "+41791234568": false, "+41791234567x": false, "ann": false,
	} {
		other := accounts.ID{Implementation: "sms", Identifier: spelling}
		if (id.BudgetKey() == other.BudgetKey()) != same || id == other {
			t.Errorf("%q and %q", id.BudgetKey(), other.BudgetKey())
		}
	}
	if got := id.Deliverable("+41 79 123 45 67"); got != "+41791234567" {
		t.Errorf("a message goes to %q", got)
	}
	if id.Masked() != "+***7" || id.Shown() != id.Identifier || id.Domain() != "sms" {
		t.Errorf("%q, %q, %q", id.Masked(), id.Shown(), id.Domain())
	}
}

func TestTheChoiceHasEveryHook(t *testing.T) {
	if got := hooked.Implementations(); !slices.Equal(got, []string{"email", "sms", "chat"}) {
		t.Errorf("%q", got)
	}
}

func TestAnIdIsTakenBackAsItIsListed(t *testing.T) {
	d := hooked
	d.Jabber = &accounts.JabberIDs{}
	for _, text := range []string{"ann@example.org", "ann@xn--bcher-kva.example", "xmpp:ann@example.org", "sms:+41791234567", "sms:0791234567", "chat:@ann", "chat:ann@example.org", "chat:a:b"} {
		id, refusal := d.Find(text, "")
		again, _ := d.Find(id.Prefixed(), "")
		if refusal != "" || id.Prefixed() != text || again != id {
			t.Errorf("%s is listed as %s, which is %v: %s", text, id.Prefixed(), again, refusal)
		}
	}
}
