package signkeys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// What a token costs, beside the signature alone.
func BenchmarkSign(b *testing.B) {
	b.Run("token", func(b *testing.B) {
		r := newRing(b, dbtest.Fresh(b, "sqlite"), 1, quarter)
		signed(b, r)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Sign(b.Context(), "at+jwt", ann); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ecdsa", func(b *testing.B) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		dbtest.Check(b, err)
		hash := sha256.Sum256([]byte("bare"))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ecdsa.SignASN1(rand.Reader, k, hash[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
