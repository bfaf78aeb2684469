package delivery_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
)

func check(t *testing.T, err error) {
	t.Helper()
	dbtest.Check(t, err)
}

func want[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	dbtest.Want(t, got, wanted)
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(deliverytest.Patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}
