package accounts_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
)

// One number is one person and one budget, and a message has one recipient.
func TestANumberHasOneSpelling(t *testing.T) {
	for _, text := range []string{"+41791234567", "+41 79 123 45 67", "+41 (0)79 123 45 67", "+41(0)791234567", "+41–79–1234567", "0041791234567", "00 41 79 123 45 67"} {
		id, refusal := hooked.Find("sms:"+text, "")
		if refusal != "" || id.Identifier != "+41791234567" {
			t.Errorf("%q is %v, %s", text, id, refusal)
		}
	}
	for _, text := range []string{
		"+4179123456٧", "+4179123456७", "+41791234567,+41790000001", "+41791234567;+41790000001", "+41791234567x1", "whatsapp:+41791234567", "+41", "+4179123456789012",
		"a,b", "a;b", "@ann,@ben", "٠٧٩١٢٣٤٥٦٧", "x+41791234567",
	} {
		if id, refusal := hooked.Find("sms:"+text, ""); refusal == "" {
			t.Errorf("%q is taken as %v", text, id)
		}
	}
	a, _ := hooked.Find("sms:0791234567", "")
	b, _ := hooked.Find("sms:079 123 45 67", "")
	if a != b || a.Identifier != "0791234567" {
		t.Errorf("%v and %v", a, b)
	}
}

// Servers of older standards make another local part of these, and so another mailbox.
func TestALocalPartThatServersReadInTwoWaysIsRefused(t *testing.T) {
	for _, local := range []string{"straße", "ὀδυσσεύς", "ᾳ"} {
		if id, refusal := jabbered.Find("xmpp:"+local+"@example.org", ""); refusal == "" {
			t.Errorf("%q is taken as %v", local, id)
		}
	}
}

func TestOnlyAnAddressWithItsPrefixIsEscaped(t *testing.T) {
	if id, refusal := jabbered.Find("ann%62@chat.example", ""); refusal == "" && id.Identifier == "annb@chat.example" {
		t.Errorf("it is %v", id)
	}
	if id, _ := jabbered.Find("xmpp:ann%62@chat.example", ""); id.Identifier != "annb@chat.example" {
		t.Errorf("with its prefix it is %v", id)
	}
	if id, _ := jabbered.Find("mailto:ann@chat.example", ""); id.Implementation != accounts.Email {
		t.Errorf("mailto: is %v", id)
	}
}
