package signin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signin/signintest"
)

// BenchmarkSignIn is a whole sign-in without HTTP and SMTP, on SQLite, one after
// the other: what the rooms below the doors cost.
func BenchmarkSignIn(b *testing.B) {
	d := dbtest.Fresh(b, "sqlite")
	d.Now = time.Now
	h := signintest.Furnish(b, d, nil)
	h.Freely()
	h.Deliver(b)
	i := 0
	for b.Loop() {
		i++
		h.Browser("192.0.2.1").SignsIn(b, addr(b, fmt.Sprintf("ann%d@example.org", i)))
	}
}
