package totp_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/totp"
)

// oathtool is another implementation of RFC 6238.
func oathtool(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("oathtool")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("CI must have oathtool; test/deps installs it")
	} else if err != nil {
		t.Skip("oathtool is not installed; `make test` installs it")
	}
	return path
}

func TestCodesAreThoseOfOathtool(t *testing.T) {
	program := oathtool(t)
	random := rand.New(rand.NewPCG(rand.Uint64(), 6238))
	for range 200 {
		text := totp.NewSeed()
		text = text[:8*(1+random.IntN(4))] // of 5 to 20 bytes
		at := time.Unix(random.Int64N(1<<33), 0)
		out, err := exec.CommandContext(t.Context(), program, "--totp", "--base32", fmt.Sprintf("--now=@%d", at.Unix()), text).Output()
		if err != nil {
			t.Fatalf("oathtool %s at %d: %v", text, at.Unix(), err)
		}
		seed, err := totp.ParseSeed(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := totp.Code(seed, totp.Step(at)), strings.TrimSpace(string(out)); got != want {
			t.Errorf("%s at %d: %s, and oathtool says %s", text, at.Unix(), got, want)
		}
	}
}
