package main

import (
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func TestThirtyPeopleSignInBehindPgbouncer(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_DATABASE="+dbtest.Pooler(t))
	for range 30 {
		s.browser(t).signIn(anID())
	}
	if out := s.must(t, "check"); !strings.Contains(out, "behind a connection pooler") {
		t.Errorf("check does not tell of the pooler: %s", out)
	}
}
