package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/seal"
)

// secret is 00 01 02 … 1f.
func secret() []byte {
	s := make([]byte, seal.KeySize)
	for i := range s {
		s[i] = byte(i)
	}
	return s
}

func keys(t testing.TB, secret []byte) *seal.Keys {
	t.Helper()
	k, err := seal.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// derived is HKDF (RFC 5869) with SHA-256, no salt and one block, written out.
func derived(secret []byte, info string) []byte {
	return sum(sum(make([]byte, 32), secret), []byte(info), []byte{1})
}

// framed is each part behind its length.
func framed(parts ...string) (b []byte) {
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

func TestAShortSecretIsRefused(t *testing.T) {
	for _, n := range []int{0, 1, 31} {
		if _, err := seal.New(make([]byte, n)); err == nil || !strings.Contains(err.Error(), "32") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, n := range []int{32, 33, 64} {
		if _, err := seal.New(make([]byte, n)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestMACIsHMACOverPartsWithTheirLengths(t *testing.T) {
	k := keys(t, secret())
	for _, parts := range [][]string{nil, {""}, {"a"}, {"attempt", "123456"}, {"", "", "x"}, {strings.Repeat("long", 1000)}} {
		var in [][]byte
		for _, p := range parts {
			in = append(in, []byte(p))
		}
		if got, want := k.MAC("code").Sum(in...), sum(derived(secret(), "djauthy mac code"), framed(parts...)); !bytes.Equal(got, want) {
			t.Errorf("%.40q: %x, want %x", parts, got, want)
		}
	}
}

// What is in databases stays good: these were computed with Python's hmac.
func TestMACAndFingerprintStayWhatTheyAre(t *testing.T) {
	k := keys(t, secret())
	if got := hex.EncodeToString(k.MAC("code").Sum([]byte("attempt"), []byte("123456"))); got != "c50cea2e1ee077169b516945eaf5e0d783cbf849a0f9f927a7d577093b341fb1" {
		t.Errorf("MAC: %s", got)
	}
	if got := k.Fingerprint(); got != "7c72226fb511a8ebe25adb49d03ecd8a" {
		t.Errorf("fingerprint: %s", got)
	}
}

func TestPartsOfAMACAreNotAmbiguous(t *testing.T) {
	m := keys(t, secret()).MAC("x")
	seen := map[string]int{}
	lists := [][][]byte{
		{},
		{{}},
		{{}, {}},
		{[]byte("ab"), []byte("c")},
		{[]byte("a"), []byte("bc")},
		{[]byte("abc")},
		{[]byte("abc"), {}},
		{{}, []byte("abc")},
		{[]byte("a"), []byte("b"), []byte("c")},
		{framed("abc")},
		{framed("a", "bc")},
	}
	for i, parts := range lists {
		s := string(m.Sum(parts...))
		if j, found := seen[s]; found {
			t.Errorf("%q and %q have one sum", lists[j], parts)
		}
		seen[s] = i
	}
}

func TestPurposesAndSecretsDiffer(t *testing.T) {
	k, other := keys(t, secret()), keys(t, slices.Concat(secret()[:31], []byte{0xff}))
	sums := [][]byte{
		k.MAC("a").Sum([]byte("x")), k.MAC("b").Sum([]byte("x")), k.MAC("").Sum([]byte("x")), other.MAC("a").Sum([]byte("x")),
	}
	for i := range sums {
		for j := range i {
			if seal.Equal(sums[i], sums[j]) {
				t.Errorf("sums %d and %d are equal", i, j)
			}
		}
	}
	if k.Fingerprint() == other.Fingerprint() {
		t.Error("two secrets have one fingerprint")
	}
	if strings.Contains(k.Fingerprint(), hex.EncodeToString(secret()[:4])) {
		t.Error("the fingerprint tells the secret")
	}
}

func TestABoxOpensOnlyWithItsSecretPurposeAndContext(t *testing.T) {
	k := keys(t, secret())
	plain, context := []byte("a code: 123456"), []byte("row 1")
	sealed := k.Box("outbox").Seal(plain, context)
	if got, err := k.Box("outbox").Open(sealed, context); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	other := keys(t, make([]byte, 32))
	changed := func(i int) []byte {
		c := slices.Clone(sealed)
		c[i] ^= 1
		return c
	}
	for name, c := range map[string]struct {
		box     *seal.Box
		sealed  []byte
		context []byte
	}{
		"another purpose":    {k.Box("code"), sealed, context},
		"another secret":     {other.Box("outbox"), sealed, context},
		"another context":    {k.Box("outbox"), sealed, []byte("row 2")},
		"no context":         {k.Box("outbox"), sealed, nil},
		"a changed nonce":    {k.Box("outbox"), changed(0), context},
		"a changed text":     {k.Box("outbox"), changed(12), context},
		"a changed tag":      {k.Box("outbox"), changed(len(sealed) - 1), context},
		"a cut end":          {k.Box("outbox"), sealed[:len(sealed)-1], context},
		"a tag alone":        {k.Box("outbox"), sealed[len(sealed)-16:], context},
		"nothing":            {k.Box("outbox"), nil, context},
		"the purpose's MAC":  {k.Box("mac outbox"), sealed, context},
		"something appended": {k.Box("outbox"), append(slices.Clone(sealed), 0), context},
	} {
		if got, err := c.box.Open(c.sealed, c.context); !errors.Is(err, seal.ErrOpen) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestWhatIsSealedHidesItsTextAndDiffersEachTime(t *testing.T) {
	b := keys(t, secret()).Box("outbox")
	plain := []byte("123456 123456 123456")
	seen := map[string]bool{}
	for range 100 {
		s := b.Seal(plain, nil)
		if bytes.Contains(s, []byte("123456")) || seen[string(s[:12])] {
			t.Fatal("the text shows, or a nonce came twice")
		}
		seen[string(s[:12])] = true
	}
}

// What is in databases stays good: nonce of 12 bytes, AES-256-GCM, tag of 16.
func TestABoxIsGCMUnderTheDerivedKey(t *testing.T) {
	block, err := aes.NewCipher(derived(secret(), "djauthy box outbox"))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := []byte("twelve bytes")
	sealed := gcm.Seal(nonce, nonce, []byte("plain"), []byte("context"))
	b := keys(t, secret()).Box("outbox")
	if got, err := b.Open(sealed, []byte("context")); err != nil || string(got) != "plain" {
		t.Errorf("a box does not open what GCM sealed: %q, %v", got, err)
	}
	ours := b.Seal([]byte("plain"), []byte("context"))
	if got, err := gcm.Open(nil, ours[:12], ours[12:], []byte("context")); err != nil || string(got) != "plain" {
		t.Errorf("GCM does not open what a box sealed: %q, %v", got, err)
	}
}

func TestABoxUnderATokenNeedsTheWholeToken(t *testing.T) {
	token := seal.NewToken(7)
	sealed := seal.UnderToken(token).Seal([]byte("123456"), []byte("row"))
	back, ok := seal.ParseToken(token.String())
	if !ok {
		t.Fatal("the token does not parse")
	}
	if got, err := seal.UnderToken(back).Open(sealed, []byte("row")); err != nil || string(got) != "123456" {
		t.Errorf("%q, %v", got, err)
	}
	near := token
	near.Secret[31] ^= 1
	hashed := seal.Token{ID: 7, Secret: [32]byte(token.Hash())} // all that the database has
	for name, other := range map[string]seal.Token{"another": seal.NewToken(7), "one bit off": near, "the stored hash": hashed} {
		if _, err := seal.UnderToken(other).Open(sealed, []byte("row")); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s token: %v", name, err)
		}
	}
	if _, err := seal.UnderToken(token).Open(sealed, []byte("another row")); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another context: %v", err)
	}
}

func TestRandomBytesDoNotRepeat(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		b := seal.Random(16)
		if len(b) != 16 || seen[string(b)] {
			t.Fatalf("%x came twice or is not of 16 bytes", b)
		}
		seen[string(b)] = true
	}
}
