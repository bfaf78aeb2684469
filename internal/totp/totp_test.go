package totp_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/totp"
)

// rfcSeed is the seed of RFC 6238, appendix B, for SHA-1.
var rfcSeed = []byte("12345678901234567890")

// The RFC's vectors have eight digits; the last six are ours.
func TestCodesAreThoseOfTheRFC(t *testing.T) {
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := totp.Code(rfcSeed, totp.Step(time.Unix(at, 0))); got != want {
			t.Errorf("at %d the code is %s, want %s", at, got, want)
		}
	}
}

func TestAWindowIsAsWideAsItSays(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for window := range 5 {
		for off := int64(-6); off <= 6; off++ {
			step, ok := totp.Match(rfcSeed, totp.Code(rfcSeed, totp.Step(now)+off), now, window)
			want := off >= -int64(window) && off <= int64(window)
			if ok != want || ok && step != totp.Step(now)+off {
				t.Errorf("window %d, %d steps off: %v at %d", window, off, ok, step)
			}
		}
	}
}

func TestOnlyTheVeryStringMatches(t *testing.T) {
	at := time.Unix(1111111111, 0) // its code is 050471
	for _, token := range []string{"", "50471", "0050471", "050471 ", " 050471", "05047", "٠٥٠٤٧١", "050472"} {
		if _, ok := totp.Match(rfcSeed, token, at, 0); ok {
			t.Errorf("%q matches", token)
		}
	}
	if _, ok := totp.Match(rfcSeed, "050471", at, 0); !ok {
		t.Error("the code does not match")
	}
}

func TestSeedsAreReadInEveryForm(t *testing.T) {
	for _, text := range []string{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "gezdgnbvgy3tqojqgezdgnbvgy3tqojq"} {
		seed, err := totp.ParseSeed(text)
		if err != nil || string(seed) != string(rfcSeed) {
			t.Errorf("%s is %q, %v", text, seed, err)
		}
	}
	for _, text := range []string{"MZXW6===", "MZXW6", "mzxw6==="} {
		if seed, err := totp.ParseSeed(text); err != nil || string(seed) != "foo" {
			t.Errorf("%s is %q, %v", text, seed, err)
		}
	}
	for _, text := range []string{"", "=", "===", "A", "01891", "MZ XW6", "MZ\nXW6", "ÄÖ", "MZXW6=X"} {
		if seed, err := totp.ParseSeed(text); err == nil {
			t.Errorf("%q is the seed %q", text, seed)
		}
	}
}

func TestNewSeedsAreRandomAndLong(t *testing.T) {
	form := regexp.MustCompile(`^[A-Z2-7]{32}$`)
	seen := map[string]bool{}
	for range 1000 {
		s := totp.NewSeed()
		if !form.MatchString(s) || seen[s] {
			t.Fatalf("%s", s)
		}
		seen[s] = true
		if seed, err := totp.ParseSeed(s); err != nil || len(seed) != 20 {
			t.Fatal(err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	now := time.Unix(1_700_000_000, 0)
	token := totp.Code(rfcSeed, totp.Step(now))
	b.ReportAllocs()
	for b.Loop() {
		totp.Match(rfcSeed, token, now, 3)
	}
}
