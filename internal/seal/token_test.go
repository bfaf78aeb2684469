package seal_test

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/seal"
)

func TestATokenComesBackFromItsText(t *testing.T) {
	for _, id := range []int64{0, 1, 1 << 21, 1<<62 + 12345, math.MaxInt64, -1, math.MinInt64} {
		token := seal.NewToken(id)
		back, ok := seal.ParseToken(token.String())
		if !ok || back != token || back.ID != id {
			t.Errorf("%v came back as %v, %v", token, back, ok)
		}
	}
}

var lettersOneDot = regexp.MustCompile(`^[a-zA-Z]{13}\.[a-zA-Z]{52}$`)

func TestATokenIsLettersAndOneDot(t *testing.T) {
	for i := range int64(200) {
		if s := seal.NewToken(i * 7919).String(); !lettersOneDot.MatchString(s) {
			t.Fatal(s)
		}
	}
}

func TestTokensOfOneRowDiffer(t *testing.T) {
	if a, b := seal.NewToken(1), seal.NewToken(1); a == b {
		t.Error("two tokens have one secret")
	}
}

func TestATokenMatchesOnlyTheHashOfItsSecret(t *testing.T) {
	token, other := seal.NewToken(1), seal.NewToken(1)
	if !token.Matches(token.Hash()) {
		t.Error("a token does not match its own hash")
	}
	if slices.Equal(token.Hash(), token.Secret[:]) {
		t.Error("the hash is the secret")
	}
	flipped := token.Hash()
	flipped[31] ^= 1
	for name, hash := range map[string][]byte{
		"another's": other.Hash(), "one bit off": flipped, "none": nil, "empty": {}, "cut": token.Hash()[:31],
		"longer": append(token.Hash(), 0), "the secret itself": token.Secret[:], "zeros": make([]byte, 32),
	} {
		if token.Matches(hash) {
			t.Errorf("it matches a hash that is %s", name)
		}
	}
	if (seal.Token{}).Matches(nil) {
		t.Error("no token matches no hash")
	}
}

// malformed makes texts from a token that are not tokens.
func malformed(good string) map[string]string {
	id, secret := good[:13], good[14:]
	at := func(s string, i int, with string) string { return s[:i] + with + s[i+1:] }
	return map[string]string{
		"empty": "", "a dot": ".", "id alone": id, "no dot": id + secret, "no secret": id + ".", "no id": "." + secret,
		"two dots": good + ".", "dot twice": id + ".." + secret, "swapped": secret + "." + id,
		"short id": id[1:] + "." + secret, "long id": "a" + good, "short secret": good[:len(good)-1], "long secret": good + "a",
		"a digit in the id": at(good, 3, "7"), "a digit in the secret": at(good, 20, "7"),
		"a letter that is none": at(good, 20, "Z"), "a blank": at(good, 20, " "), "around it": " " + good[1:],
		"padding": at(good, len(good)-1, "="), "a null byte": at(good, 20, "\x00"), "beyond ASCII": good[:20] + "é" + good[22:],
		"a line end in the id": at(good, 3, "\n"), "a line end in the secret": at(good, 20, "\n"),
		"a carriage return in the id": at(good, 3, "\r"), "a carriage return in the secret": at(good, 20, "\r"),
		"line ends at the end of the id": id[:12] + "\n." + secret, "line ends at the end": good[:len(good)-1] + "\n",
		"line ends alone": strings.Repeat("\n", 13) + "." + strings.Repeat("\n", 52),
		"all lower case":  strings.ToLower(good[:20]) + "{" + good[21:],
	}
}

func TestMalformedTokensAreRefused(t *testing.T) {
	for name, text := range malformed(seal.NewToken(1 << 40).String()) {
		t.Run(name, func(t *testing.T) {
			if token, ok := seal.ParseToken(text); ok {
				t.Errorf("%q is taken for %v", text, token)
			}
		})
	}
}

// Unused bits at the end must be zero, or one token would have several texts.
func TestATokenHasOneText(t *testing.T) {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEF"
	good := seal.NewToken(1 << 40).String()
	for _, end := range []int{12, len(good) - 1} {
		texts := 0
		for _, c := range letters {
			if _, ok := seal.ParseToken(good[:end] + string(c) + good[end+1:]); ok {
				texts++
			}
		}
		// 65 bits for 64, 260 for 256: half and a sixteenth of the letters are used.
		if want := map[int]int{12: 16, len(good) - 1: 2}[end]; texts != want {
			t.Errorf("at %d of %d letters %d are taken, want %d", end, len(letters), texts, want)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	good := seal.NewToken(1 << 40).String()
	f.Add(good)
	for _, text := range malformed(good) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if token, ok := seal.ParseToken(text); ok && (token.String() != text || !lettersOneDot.MatchString(text)) {
			t.Errorf("%q is taken for %v", text, token)
		}
	})
}
