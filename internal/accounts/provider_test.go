package accounts_test

import (
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
)

// led leads people to providers as well as to their mailbox.
var led = accounts.Discovery{
	FoldLocalPart: true, AnyIssuer: true, Jabber: &accounts.JabberIDs{Domains: []string{"both.example"}},
	Providers: []accounts.ProviderIDs{
		{Name: "corp", Kind: accounts.OpenID, Issuer: "https://idp.corp.example", Domains: []string{"corp.example", "both.example"}},
		{Name: "github", Kind: accounts.OAuth},
	},
}

func TestAnIDThatNamesItsProviderIsAnOpenID(t *testing.T) {
	for text, want := range map[string]string{
		"https://Ann.Example/":             "https://ann.example/",
		"HTTPS://ann.example/me?x=1#frag":  "https://ann.example/me?x=1",
		"http://localhost:8080/id":         "http://localhost:8080/id",
		"https://bücher.example":           "https://xn--bcher-kva.example",
		"ann.example":                      "ann.example",
		"ann.example/me":                   "ann.example/me",
		"ann.example:8443":                 "ann.example:8443",
		"127.0.0.1:9000":                   "127.0.0.1:9000",
		"[::1]:9000":                       "[::1]:9000",
		"localhost:9000":                   "localhost:9000",
		"acct:Ann@Example.org":             "acct:Ann@example.org",
		"acct:ann@localhost:9000":          "acct:ann@localhost:9000",
		"acct:ann%40corp@example.org":      "acct:ann@corp@example.org",
		" <https://ann.example/me> ":       "https://ann.example/me",
		"https://127.0.0.1/":               "https://127.0.0.1/",
		"https://login.example.org/realm/": "https://login.example.org/realm/",
	} {
		all, refusal := led.Candidates(text, "")
		if refusal != "" || len(all) != 1 || all[0].ID != (accounts.ID{Implementation: accounts.OpenID, Identifier: want}) || all[0].Provider != "" {
			t.Errorf("%q: %v, %v", text, all, refusal)
		}
	}
}

func TestAnIDThatNamesNoProviderWellIsRefused(t *testing.T) {
	for text, want := range map[string]accounts.Refusal{
		"https://":                      accounts.Domain,
		"https://user:pass@ann.example": accounts.Punctuation,
		"https://ann.example\\@evil":    accounts.Punctuation,
		"https://ann.example/a b":       accounts.Blank,
		"https://ann.example:0":         accounts.Domain,
		"https://ann.example:99999":     accounts.Domain,
		"https://0x7f.1":                accounts.Domain,
		"https://2130706433":            accounts.Domain,
		"https://0177.0.0.1":            accounts.Domain,
		"https://[::1%25eth0]":          accounts.Domain,
		"https://[127.0.0.1]":           accounts.Domain,
		"https://аpple.com":             accounts.Script,
		"https://ann.example/%zz":       accounts.Punctuation,
		"acct:ann":                      accounts.NoAt,
		"acct:@example.org":             accounts.NoAt,
		"acct:ann@":                     accounts.Domain,
		"acct:%zz@example.org":          accounts.Punctuation,
		"acct:a b@example.org":          accounts.Blank,
		"acct:ann@example.org/x":        accounts.Punctuation,
		"acct:ann％@example.org":         accounts.Compat,
		"ftp://ann.example":             accounts.BadKind,
		"javascript:alert(1)":           accounts.BadKind,
		"ann":                           accounts.NoAt,
	} {
		if all, refusal := led.Candidates(text, ""); refusal != want {
			t.Errorf("%q: %v, %q, want %q", text, all, refusal, want)
		}
	}
}

func TestWithoutAnyIssuerNoURLIsTaken(t *testing.T) {
	for _, text := range []string{"https://ann.example", "ann.example", "acct:ann@example.org"} {
		if all, refusal := discovery.Candidates(text, ""); refusal == "" {
			t.Errorf("%q: %v", text, all)
		}
	}
}

func TestAPrefixChoosesTheProvider(t *testing.T) {
	for text, want := range map[string]accounts.Found{
		"github:ann":            {ID: accounts.ID{Implementation: accounts.OAuth, Identifier: "github:ann"}, Address: "ann", Provider: "github"},
		"GitHub: ann":           {ID: accounts.ID{Implementation: accounts.OAuth, Identifier: "github:ann"}, Address: "ann", Provider: "github"},
		"corp:123":              {ID: accounts.ID{Implementation: accounts.OpenID, Identifier: "https://idp.corp.example 123"}, Address: "123", Provider: "corp"},
		"corp:ann@corp.example": {ID: accounts.ID{Implementation: accounts.OpenID}, Address: "ann@corp.example", Provider: "corp"},
		"github:":               {ID: accounts.ID{Implementation: accounts.OAuth}, Provider: "github"},
	} {
		all, refusal := led.Candidates(text, "")
		if refusal != "" || len(all) != 1 || all[0].Found != want || all[0].Why != accounts.ByPrefix {
			t.Errorf("%q: %+v, %v", text, all, refusal)
		}
	}
}

func TestTheDomainsOfAProviderComeBeforeTheMailbox(t *testing.T) {
	for text, want := range map[string]string{
		"ann@corp.example":     "corp domain, email syntax",
		"Ann@CORP.example":     "corp domain, email syntax",
		"ann@both.example":     "jabber domain, corp domain, email syntax",
		"ann@sub.corp.example": "email syntax",
	} {
		all, refusal := led.Candidates(text, "")
		var got []string
		for _, c := range all {
			way := c.Provider
			if way == "" {
				way = c.ID.Implementation
			}
			got = append(got, way+" "+string(c.Why))
		}
		if s := strings.Join(got, ", "); s != want || refusal != "" {
			t.Errorf("%q: %s, %v, want %s", text, s, refusal, want)
		}
	}
	if id, refusal := led.Find("ann@corp.example", ""); id != (accounts.ID{Implementation: accounts.Email, Identifier: "ann@corp.example"}) {
		t.Errorf("an administrator means %v, %v", id, refusal)
	}
}

func TestAProviderThatIsChosenNeedsNoID(t *testing.T) {
	for _, text := range []string{"", "ann", "ann@gmail.com", "https://x.example"} {
		all, refusal := led.Candidates(text, "github")
		if refusal != "" || len(all) != 1 || all[0].Provider != "github" || all[0].Why != accounts.ByPrefix {
			t.Errorf("%q: %v, %v", text, all, refusal)
		}
	}
	if _, refusal := led.Candidates("", "email"); refusal != accounts.Empty {
		t.Errorf("no email address: %v", refusal)
	}
	if all, refusal := led.Candidates("ann@corp.example", accounts.Email); len(all) != 1 || all[0].ID.Implementation != accounts.Email {
		t.Errorf("email was chosen: %v, %v", all, refusal)
	}
}

func TestWhatAProviderKnowsPeopleByIsShownByItsPlace(t *testing.T) {
	for _, id := range []accounts.ID{
		{Implementation: accounts.OpenID, Identifier: "https://idp.example/realm 1234"},
		{Implementation: accounts.OpenID, Identifier: "https://idp.example/ann"},
	} {
		if id.Shown() != "idp.example" || id.Masked() != "idp.example" || id.Prefixed() != id.Identifier {
			t.Errorf("%v: %q, %q, %q", id, id.Shown(), id.Masked(), id.Prefixed())
		}
	}
	a := accounts.Account{Addr: accounts.ID{Implementation: accounts.OpenID, Identifier: "https://idp.example 12"}}
	if a.Shown() != "idp.example" {
		t.Error(a.Shown())
	}
	if a.Label = "ann"; a.Shown() != "ann (idp.example)" {
		t.Error(a.Shown())
	}
	if id := (accounts.ID{Implementation: accounts.OAuth, Identifier: "github:12"}); id.Shown() != "github" || id.Prefixed() != "github:12" {
		t.Error(id.Shown())
	}
}
