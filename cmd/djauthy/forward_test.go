package main

import (
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
)

// An empty header is skipped by some proxies, which then hand on the visitor's own.
func TestForwardAuthSendsNoEmptyHeader(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_PUBLIC_URL=http://login.example:8080")
	p, id := s.person(t)
	identity := func() map[string]string {
		t.Helper()
		a := p.get("/forward-auth").want(t, http.StatusOK, "")
		all := map[string]string{}
		for _, name := range []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups"} {
			if v := a.header.Values(name); len(v) != 1 || v[0] == "" || v[0] != strings.TrimSpace(v[0]) {
				t.Errorf("%s is %q", name, v)
			}
			all[name] = a.header.Get(name)
		}
		return all
	}
	got := identity()
	name := got["Remote-User"]
	if got["Remote-Name"] != name || got["Remote-Email"] != id {
		t.Errorf("without a name: %v", got)
	}
	err := s.house.db.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE users SET email = ''`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{"Änne": "=?utf-8?q?=C3=84nne?=", "\u200b": "=?utf-8?q?=E2=80=8B?=", "Ann": "Ann", " \u00a0 ": name, strings.Repeat("日", 150): ""} {
		p.post("/account/settings", "first_name", typed).want(t, http.StatusSeeOther, "")
		got := identity()
		decoded, err := new(mime.WordDecoder).DecodeHeader(got["Remote-Name"])
		if want != "" && got["Remote-Name"] != want || want == "" && decoded != typed || err != nil || got["Remote-Email"] != name+"@noreply.login.example" {
			t.Errorf("%q: %v", typed, got)
		}
	}
	for _, bad := range []string{"a\r\nRemote-User: root", "a\nb", "a\x00", "a\x7f", "a\x1b[2J"} {
		p.post("/account/settings", "first_name", bad).want(t, http.StatusUnprocessableEntity, "")
	}
}
