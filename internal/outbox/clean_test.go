package outbox_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/outbox"
)

func TestAMailServersWordsAreKeptWithoutAddressesAndSecrets(t *testing.T) {
	for words, wanted := range map[string]string{
		"550 5.1.1 <annabella@example.net>: Recipient address rejected":  "550 5.1.1 <a***a@example.net>: Recipient address rejected",
		"550 5.1.1 annabella@example.net... User unknown":                "550 5.1.1 a***a@example.net... User unknown",
		"550 annabella... User unknown":                                  "550 a***a... User unknown",
		"550 annabella annabella_ xannabella annabella1 .annabella":      "550 a***a a***a_ xannabella annabella1 .a***a",
		"550 no mailbox Annabella here, nor annabellas":                  "550 no mailbox a***a here, nor annabellas",
		"550 ANNABELLA@EXAMPLE.NET unknown":                              "550 A***A@EXAMPLE.NET unknown",
		"550 see https://mx.example/why?to=annabella%40example.net&x=1":  "550 see https://mx.example/why?to=a***a%40example.net&x=1",
		"550 rfc822;annabella+40example.net":                             "550 rfc822;a***a+40example.net",
		`550 "anna bella"@example.net unknown`:                           `550 a***a@example.net unknown`,
		"550 <postmaster@elsewhere.example> refuses bob@two.example":     "550 <p***r@elsewhere.example> refuses b***b@two.example",
		"554 the subject '123456 is your code' looks like spam":          "554 the subject '*** is your code' looks like spam",
		"250 2.0.0 Ok: queued as 4F1B2C3D":                               "250 2.0.0 Ok: queued as 4F1B2C3D",
		"550 one\r\ntwo\x1b[31m three\x00\u202e four\tfive \xff":         "550 one two [31m three four five ?",
		"550 ann@ @example.net 5 @ 6":                                    "550 ann@ @example.net 5 @ 6",
		"550 jörg@bücher.example and анна@example.org":                   "550 j***g@bücher.example and а***а@example.org",
		"421 4.7.0 [192.0.2.1] too many connections from your IP: wait…": "421 4.7.0 [192.0.2.1] too many connections from your IP: wait…",
	} {
		if got := outbox.Clean(words, "annabella@example.net", "123456"); got != wanted {
			t.Errorf("%q becomes\n%q, want\n%q", words, got, wanted)
		}
	}
	long := outbox.Clean(strings.Repeat("é", 50_000), "annabella@example.net")
	if len(long) > 510 || !strings.HasSuffix(long, "é…") || strings.ContainsFunc(long, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("50,000 characters become %d bytes: %q", len(long), long)
	}
}

func TestAnAddressIsMaskedAsOnPages(t *testing.T) {
	for _, text := range []string{"a@example.org", "ab@example.org", "abc@example.org", "annabella@example.org", "ann+secret@example.org", "анна@example.org"} {
		id, refused := accounts.Discovery{FoldLocalPart: true}.Find(text, "")
		want(t, refused, "")
		want(t, outbox.Clean("no "+id.Identifier+" here", ""), "no "+id.Masked()+" here")
	}
}
