package backup

import "github.com/djauthy/djauthy/internal/seal"

// Key is the secret key that goes into a backup, and the passphrase that seals it
// there.
type Key struct{ Secret, Passphrase []byte }

func (k *Key) lock() *seal.Locked {
	l := seal.Lock(k.Passphrase, k.Secret, []byte(KeyContext))
	return &l
}

// Secret opens the secret key of a backup, or returns seal.ErrPassphrase.
func (h Header) Secret(passphrase []byte) ([]byte, error) {
	return h.Key.Open(passphrase, []byte(KeyContext))
}
