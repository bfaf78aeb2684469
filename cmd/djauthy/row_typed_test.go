package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestWhatCannotBeTheCodeCostsNoTryAndIsToldTheShape(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b := s.browser(t)
		code := b.ask(anID()).code()
		for _, typed := range []string{code[1:], code + "1", code[:5] + "O", "abcdef", wrong(code) + ", " + code, " ", "\u0663\u0664"} {
			a := b.submit(typed).want(t, http.StatusUnprocessableEntity, "")
			if !strings.Contains(a.body, `role="alert"`) || !strings.Contains(seen(a.body), "it has 6 digits") || strings.Contains(a.body, "left.") {
				t.Errorf("%q: the page does not tell the shape alone:\n%s", typed, seen(a.body))
			}
		}
		for range 4 {
			b.submit(wrong(code)).want(t, http.StatusUnprocessableEntity, "")
		}
		b.submit("@login.example.org #"+code).want(t, http.StatusSeeOther, "/account")
		b.submit("12345").want(t, http.StatusGone, "")
	})
}

func TestTheShapeOfOtherCodesIsToldInTheirWords(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_CODE_ALPHABET=letters", "DJAUTHY_CODE_LENGTH=8")
	b := s.browser(t)
	code := b.ask(anID()).code()
	for range 6 {
		a := b.submit(strings.Repeat("1", 8)).want(t, http.StatusUnprocessableEntity, "")
		if !strings.Contains(seen(a.body), "it has 8 letters and nothing else") {
			t.Errorf("the page does not tell the shape:\n%s", seen(a.body))
		}
	}
	b.submit("Code: "+strings.ToUpper(code)+".").want(t, http.StatusSeeOther, "/account")
}
