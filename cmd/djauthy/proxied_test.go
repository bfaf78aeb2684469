package main

import (
	"net/http"
	"strings"
	"testing"
)

// An app below a path of public_url's own host.
func TestTheWayBackToAPathOfThisHostIsTheAddressItself(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	at := visitor{s.browser(t), s.public.String()}
	_, id := s.person(t)
	for _, uri := range []string{"/app/?a=1&b=2", "/app/a%20b%2Fc%3Fd?q=%25%20+%26", "/app/?next=/x&bind=y", "/app/?" + strings.Repeat("a=%C3%BC&", 909)} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			at.asks(method, uri, nil).want(t, http.StatusFound, s.public.String()+"/login?next="+uri)
		}
		b := s.browser(t)
		page := b.get("/login?next="+uri).want(t, http.StatusOK, "")
		b.post("/login", append(page.fields(t, "/login"), "id", id)...).want(t, http.StatusSeeOther, "/login/code")
		b.submit(s.mail.next(t, id).code()).want(t, http.StatusSeeOther, uri)
	}
}
