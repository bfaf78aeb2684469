package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/djauthy/djauthy/internal/seal"
)

func TestWhatIsLockedOpensUnderItsPassphraseAlone(t *testing.T) {
	plain, context := []byte("the secret"), []byte("backup")
	kept, err := json.Marshal(seal.Lock([]byte("open sesame"), plain, context))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(kept, plain) {
		t.Error("the secret is in the clear")
	}
	var l seal.Locked
	if err := json.Unmarshal(kept, &l); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Open([]byte("open sesame"), context); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("opened to %q, %v", got, err)
	}
	changed := l
	changed.Sealed = bytes.Clone(l.Sealed)
	changed.Sealed[0] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another passphrase": func() ([]byte, error) { return l.Open([]byte("open sesamE"), context) },
		"another context":    func() ([]byte, error) { return l.Open([]byte("open sesame"), []byte("other")) },
		"changed":            func() ([]byte, error) { return changed.Open([]byte("open sesame"), context) },
	} {
		if got, err := open(); !errors.Is(err, seal.ErrPassphrase) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	again := seal.Lock([]byte("open sesame"), plain, context)
	if bytes.Equal(again.Salt, l.Salt) || bytes.Equal(again.Sealed, l.Sealed) {
		t.Error("two locks of one secret look alike")
	}
}

func TestALockThatAsksForTooMuchIsRefused(t *testing.T) {
	good := seal.Lock([]byte("p"), []byte("x"), nil)
	for name, spoil := range map[string]func(l *seal.Locked){
		"memory":     func(l *seal.Locked) { l.Memory = 1 << 30 },
		"time":       func(l *seal.Locked) { l.Time = 1 << 30 },
		"no time":    func(l *seal.Locked) { l.Time = 0 },
		"no threads": func(l *seal.Locked) { l.Threads = 0 },
		"threads":    func(l *seal.Locked) { l.Threads = 255 },
	} {
		l := good
		spoil(&l)
		if _, err := l.Open([]byte("p"), nil); err == nil || errors.Is(err, seal.ErrPassphrase) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
