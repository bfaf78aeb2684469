package signkeys

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/djauthy/djauthy/internal/db"
)

// Alg is an algorithm of signatures by its name in JOSE (RFC 7518 3.1).
type Alg string

// ES256 is ECDSA with the curve P-256 and SHA-256 (RFC 7518 3.4).
const ES256 Alg = "ES256"

// State is what a key is for.
type State string

// States of a key, in the order in which it has them. By their names they sort as List lists
// them: active, next, old.
const (
	Next   State = "next"   // published, and will sign
	Active State = "active" // signs
	Old    State = "old"    // published for what it has signed
)

// Key is a key without its secret.
type Key struct {
	KID       string // its thumbprint (RFC 7638), the kid of what it signs
	Alg       Alg
	State     State
	Created   time.Time
	Activated time.Time // when it began to sign; zero: not yet
	Retired   time.Time // when it ended to sign; zero: not yet
}

// Since is when the key came into its state.
func (k Key) Since() time.Time {
	switch k.State {
	case Active:
		return k.Activated
	case Old:
		return k.Retired
	}
	return k.Created
}

// IsUnseen reports that the key began to sign sooner after it was published than it does by
// itself, so that verifiers may lack it. The first key of a site was seen by nobody, and has no
// verifiers yet.
func (k Key) IsUnseen() bool {
	before := k.Activated.Sub(k.Created)
	return k.State == Active && before > 0 && before < publishedFor
}

// row is a row of the table.
type row struct {
	Key
	id     db.ID
	public []byte // the JWK as JSON
	sealed []byte
}

// columns are those that scan reads.
const columns = `id, alg, state, public, sealed, created_at, activated_at, retired_at`

func scan(x *row, scan db.Scan) error {
	if err := scan(&x.id, &x.Alg, &x.State, &x.public, &x.sealed, &x.Created, &x.Activated, &x.Retired); err != nil {
		return err
	}
	var jwk struct {
		KID string `json:"kid"`
	}
	err := json.Unmarshal(x.public, &jwk)
	x.KID = jwk.KID
	return err
}

// rows reads the whole table: of each algorithm the active key, the next one, and old ones, the
// latest first.
func (r *Ring) rows(ctx context.Context) (all []row, err error) {
	err = r.db.Read(ctx, func(tx *db.Tx) error {
		all, err = rows(tx)
		return err
	})
	return all, err
}

func rows(tx *db.Tx) ([]row, error) {
	return db.All(tx, scan, `SELECT `+columns+` FROM signing_keys ORDER BY alg, state, id DESC`)
}

// keysOf are the keys of rows.
func keysOf(rows []row) []Key {
	all := make([]Key, len(rows))
	for i, x := range rows {
		all[i] = x.Key
	}
	return all
}

// context is what a sealed private key is bound to: its row, its algorithm and its public key.
// Who can write to the database alone can neither move a key nor have one published that was
// not made here.
func (x row) context() []byte {
	return append(db.Bytes(x.id), string(x.Alg)+" "+string(x.public)...)
}

// add makes a key, the next one.
func (r *Ring) add(tx *db.Tx, alg Alg) (row, error) {
	x := row{id: tx.NewID(), Key: Key{Alg: alg, State: Next, Created: tx.Now}}
	private, public, err := newES256()
	if err != nil {
		return x, fmt.Errorf("make a key: %w", err)
	}
	x.KID = public.KeyID
	if x.public, err = public.MarshalJSON(); err != nil {
		return x, fmt.Errorf("make a key: %w", err)
	}
	x.sealed = r.box.Seal(private, x.context())
	_, err = tx.Exec(`INSERT INTO signing_keys (id, alg, state, public, sealed, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		x.id, x.Alg, x.State, string(x.public), x.sealed, x.Created)
	return x, err
}

// key is a key that was opened.
type key struct {
	row
	verifies jose.JSONWebKey // the public key
	private  es256           // of an active key
	headers  sync.Map        // typ to the protected header in base64url
}

// same reports whether a row is the one that the key was opened from.
func (k *key) same(x row) bool {
	return k.id == x.id && k.State == x.State && bytes.Equal(k.sealed, x.sealed) && bytes.Equal(k.public, x.public)
}

// open opens a row.
func (r *Ring) open(x row) (*key, error) {
	k := &key{row: x}
	private, err := r.box.Open(x.sealed, x.context())
	if err == nil && x.State == Active {
		k.private, err = parseES256(private)
	}
	if err == nil {
		err = k.verifies.UnmarshalJSON(x.public)
	}
	if err != nil {
		return nil, fmt.Errorf("the row %d of the table signing_keys was not made here, or was changed; remove it, and another key is made: %w", x.id, err)
	}
	return k, nil
}
