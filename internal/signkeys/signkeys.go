// Package signkeys owns the keys that sign tokens of OpenID Connect and OAuth: they are made,
// published as a JSON Web Key Set (RFC 7517), rotated and forgotten. Table signing_keys.
//
// For each algorithm there are one active key, which signs, and the next one, which is
// published alone, so that whoever verifies has it before it signs. A key that was active is
// old: it is published for as long as what it signed may be shown again, and its private part
// is gone.
//
// The package does not know what a token says or whom it is for.
package signkeys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
	// rereadAfter is how old what was read may be before somebody reads again. A rotation
	// by another process is seen then.
	rereadAfter = 2 * time.Second
	// staleAfter is how old it may be while somebody else reads.
	staleAfter = 5 * time.Second
)

// Ring holds the keys of a site. Its methods may be called from any goroutine, but those that
// take no transaction not within one, since the first use makes keys in one of its own.
type Ring struct {
	db     *db.DB
	box    *seal.Box
	rotate time.Duration
	log    *slog.Logger

	read    atomic.Pointer[set] // what was read last
	reading chan struct{}       // holds one while somebody reads
}

// New returns the ring of a database. A key signs for the time rotate, at least an hour,
// provided that Run runs somewhere.
func New(d *db.DB, keys *seal.Keys, rotate time.Duration, log *slog.Logger) *Ring {
	r := &Ring{db: d, box: keys.Box("signing key"), rotate: rotate, log: log, reading: make(chan struct{}, 1)}
	r.read.Store(&set{})
	return r
}

// set is all keys as they were read at one time.
type set struct {
	at   time.Time
	keys []*key
	jwks []byte
}

// active is the key that signs, nil if there is none.
func (s *set) active(alg Alg) *key {
	for _, k := range s.keys {
		if k.Alg == alg && k.State == Active {
			return k
		}
	}
	return nil
}

// Sign returns claims as a JWT (RFC 7519) that the active key of ES256 has signed, in the
// compact form (RFC 7515 7.1). typ says what kind of token it is (RFC 8725 3.11), such as
// at+jwt: one of a few constants, since the header of each is kept.
func (r *Ring) Sign(ctx context.Context, typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	s, err := r.keys(ctx)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	jwt, err := s.active(ES256).sign(typ, payload)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return jwt, nil
}

// ErrNotOurs reports a token that no key of this site has signed, or not as this kind of token.
var ErrNotOurs = errors.New("this site has not signed such a token")

// Verify returns the claims of a token that Sign has made with this typ, or ErrNotOurs. Whether
// they hold, and still do, is for the caller to say: a hint is read after its end (OIDC Core
// 3.1.2.1, id_token_hint). Of the token's header nothing decides but kid and typ: the algorithm
// is that of the key (RFC 8725 3.1).
func (r *Ring) Verify(ctx context.Context, typ, jwt string) (claims []byte, err error) {
	token, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(ES256)})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	s, err := r.keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify a token: %w", err)
	}
	header := token.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != typ {
		return nil, fmt.Errorf("%w: it is of another type", ErrNotOurs)
	}
	for _, k := range s.keys {
		if k.KID != header.KeyID {
			continue
		}
		if claims, err = token.Verify(k.verifies); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotOurs, err)
		}
		return claims, nil
	}
	return nil, fmt.Errorf("%w: no key is called %q", ErrNotOurs, header.KeyID)
}

// JWKS returns the set of public keys (RFC 7517 5): active, next and old ones. The caller must
// not change it.
func (r *Ring) JWKS(ctx context.Context) ([]byte, error) {
	s, err := r.keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("publish keys: %w", err)
	}
	return s.jwks, nil
}

// keys returns the keys as they were a few seconds ago at most. One caller reads for all;
// meanwhile the others go on with what was read before.
func (r *Ring) keys(ctx context.Context) (*set, error) {
	s := r.read.Load()
	age := r.age(s)
	if age < rereadAfter {
		return s, nil
	}
	select {
	case r.reading <- struct{}{}:
	default:
		if age < staleAfter {
			return s, nil
		}
		select {
		case r.reading <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-r.reading }()
	if s = r.read.Load(); r.age(s) < rereadAfter { // somebody has read meanwhile
		return s, nil
	}
	return r.reread(ctx, s)
}

// age is how long ago a set was read, also by a clock that was set back.
func (r *Ring) age(s *set) time.Duration { return r.db.Now().Sub(s.at).Abs() }

// reread reads all keys, and makes the first ones if there is none that signs.
func (r *Ring) reread(ctx context.Context, before *set) (*set, error) {
	s, err := r.load(ctx, before)
	if err != nil {
		return nil, err
	}
	if s.active(ES256) == nil {
		if _, err := r.turnDue(ctx, ES256); err != nil {
			return nil, err
		}
		if s, err = r.load(ctx, before); err != nil {
			return nil, err
		}
		if s.active(ES256) == nil {
			return nil, errors.New("the key that was just made is gone")
		}
	}
	r.read.Store(s)
	return s, nil
}

// load reads the table. Keys that have been read before are not opened again.
func (r *Ring) load(ctx context.Context, before *set) (*set, error) {
	s := &set{at: r.db.Now()}
	rows, err := r.rows(ctx)
	if err != nil {
		return nil, err
	}
	s.jwks = append(s.jwks, `{"keys":[`...)
	for i, x := range rows {
		at := slices.IndexFunc(before.keys, func(k *key) bool { return k.same(x) })
		var k *key
		if at >= 0 {
			k = before.keys[at]
		} else if k, err = r.open(x); err != nil {
			return nil, err
		}
		s.keys = append(s.keys, k)
		if i > 0 {
			s.jwks = append(s.jwks, ',')
		}
		s.jwks = append(s.jwks, x.public...)
	}
	s.jwks = append(s.jwks, "]}"...)
	return s, nil
}

// List returns all keys: the active one, the next one, and old ones, the latest first. It makes
// none.
func (r *Ring) List(ctx context.Context) ([]Key, error) {
	rows, err := r.rows(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keysOf(rows), nil
}
