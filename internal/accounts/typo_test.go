package accounts_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
)

func TestASlipInABigProvidersDomainIsAskedAbout(t *testing.T) {
	for typed, want := range map[accounts.Address]string{
		"Ann@gmial.com":      "Ann@gmail.com",
		"ann@gmal.com":       "ann@gmail.com",
		"ann@gmaill.com":     "ann@gmail.com",
		"ann@gmail.con":      "ann@gmail.com",
		"ann@gmail.co":       "ann@gmail.com",
		"ann@GMAIL.CM":       "ann@gmail.com",
		"ann@hotmial.com":    "ann@hotmail.com",
		"ann@outlok.com":     "ann@outlook.com",
		"ann@yaho.com":       "ann@yahoo.com",
		"ann@gmail.com":      "",
		"ann@googlemail.com": "",
		"ann@mail.com":       "",
		"ann@ymail.com":      "",
		"ann@hotmail.de":     "",
		"ann@web.de":         "",
		"ann@example.org":    "",
		"ann@gmx.com":        "",
		"ann@mgail.com":      "ann@gmail.com",
		"ann@glamio.com":     "",
		"ann":                "",
		"ann@":               "",
		"@gmial.com":         "@gmail.com", // which no id is
	} {
		if got := accounts.Suggest(typed); got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
}
