package signin_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signin/signintest"
)

type (
	house   = signintest.House
	browser = signintest.Browser
	mail    = signintest.Mail
)

func run(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	t.Parallel()
	signintest.Run(t, fn)
}

func addr(t testing.TB, text string) accounts.ID {
	t.Helper()
	return signintest.Addr(t, text)
}

// wrong is a code of the same shape as those given that differs from all of them.
func wrong(codes ...string) string {
	for n := range 1_000_000 {
		if c := fmt.Sprintf("%06d", n); !slices.Contains(codes, c) {
			return c
		}
	}
	panic("no wrong code left")
}

func check(t testing.TB, err error) {
	t.Helper()
	dbtest.Check(t, err)
}

func want[T comparable](t testing.TB, got, wanted T) {
	t.Helper()
	dbtest.Want(t, got, wanted)
}
