package seal

import (
	"crypto/sha256"
	"errors"

	"golang.org/x/crypto/argon2"
)

// Locked is a secret sealed under a passphrase, with the parameters to open it. The key is
// derived by Argon2id (RFC 9106).
type Locked struct {
	Salt    []byte `json:"salt"`
	Time    uint32 `json:"time"`   // passes
	Memory  uint32 `json:"memory"` // KiB
	Threads uint8  `json:"threads"`
	Sealed  []byte `json:"sealed"`
}

// Parameters of RFC 9106 4, the second recommended option: 64 MiB.
const (
	lockTime    = 3
	lockMemory  = 64 << 10
	lockThreads = 4
)

// Bounds on the cost that a file may cause.
const (
	maxTime    = 64
	maxMemory  = 1 << 20 // 1 GiB
	maxThreads = 64
)

var (
	// ErrPassphrase reports that a passphrase is wrong, or the sealed value was changed.
	ErrPassphrase = errors.New("the passphrase is wrong, or what it seals is damaged")
	errCost       = errors.New("opening it would take more memory or time than is allowed")
)

// Lock seals plain under a passphrase. The same context, which is not secret, has to
// be given to Open.
func Lock(passphrase, plain, context []byte) Locked {
	l := Locked{Salt: Random(16), Time: lockTime, Memory: lockMemory, Threads: lockThreads}
	l.Sealed = l.box(passphrase).Seal(plain, context)
	return l
}

// Open returns what was sealed, or ErrPassphrase.
func (l Locked) Open(passphrase, context []byte) ([]byte, error) {
	if l.Time == 0 || l.Time > maxTime || l.Memory > maxMemory || l.Threads == 0 || l.Threads > maxThreads {
		return nil, errCost
	}
	plain, err := l.box(passphrase).Open(l.Sealed, context)
	if err != nil {
		return nil, ErrPassphrase
	}
	return plain, nil
}

func (l Locked) box(passphrase []byte) *Box {
	return newBox(argon2.IDKey(passphrase, l.Salt, l.Time, l.Memory, l.Threads, sha256.Size))
}
