package delivery_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func check(t *testing.T, err error) {
	t.Helper()
	dbtest.Check(t, err)
}

func want[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	dbtest.Want(t, got, wanted)
}
