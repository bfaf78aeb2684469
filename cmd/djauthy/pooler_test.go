package main

import (
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func TestThirtyPeopleSignInBehindPgbouncer(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_DATABASE="+dbtest.Pooler(t))
	for range 30 {
		s.browser(t).signIn(anID())
	}
}
