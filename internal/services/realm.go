package services

import (
	"errors"
	"fmt"
	"slices"

	"github.com/djauthy/djauthy/internal/db"
)

// The realms that the wire itself names. What their members may do is fixed.
const (
	AdminRealm = "ungleich-admin" // verify, create, list, update, delete
	AuthRealm  = "ungleich-auth"  // verify
)

// Right is what a realm's members may do.
type Right int

// Rights. Whoever may administer may verify.
const (
	Nothing Right = iota
	Verify
	Administer
)

// Realm is what the members of a realm may do. Members of a realm for which nothing is
// set may be verified, and do nothing else.
type Realm struct {
	Name  string
	Right Right
	// Only lists the realms that its members may verify; empty: all.
	Only []string
}

// ErrFixed reports a change to a realm whose rights are fixed.
var ErrFixed = fmt.Errorf("%s may always administer and %s always verify; only whom %s may verify can be set", AdminRealm, AuthRealm, AuthRealm)

// ErrUnset reports a realm for which nothing is set.
var ErrUnset = errors.New("nothing is set for this realm")

// ErrOnly reports a list of realms for a realm whose members see every seed anyway.
var ErrOnly = errors.New("whoever administers sees all seeds, so a list of realms would bind nobody")

// fixed returns the right of a realm of the wire.
func fixed(realm string) (Right, bool) {
	switch realm {
	case AdminRealm:
		return Administer, true
	case AuthRealm:
		return Verify, true
	}
	return Nothing, false
}

// SetRealm sets what a realm's members may do and whom they may verify. Members of
// ungleich-admin may always verify all. It returns ErrFixed, ErrOnly or ErrText for what
// cannot be set.
func SetRealm(tx *db.Tx, r Realm) error {
	right, isFixed := fixed(r.Name)
	switch {
	case isFixed && (r.Right != right || right == Administer && len(r.Only) > 0):
		return ErrFixed
	case r.Right == Administer && len(r.Only) > 0:
		return ErrOnly
	}
	if !Valid(r.Name) {
		return ErrText
	}
	_, err := tx.Exec(`INSERT INTO realms (realm, can_verify, can_administer, is_restricted) VALUES ($1, $2, $3, $4)
		ON CONFLICT (realm) DO UPDATE SET can_verify = excluded.can_verify, can_administer = excluded.can_administer, is_restricted = excluded.is_restricted`,
		r.Name, db.Int(r.Right >= Verify), db.Int(r.Right >= Administer), db.Int(len(r.Only) > 0))
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM realm_allows WHERE caller_realm = $1`, r.Name); err != nil {
		return err
	}
	for _, realm := range r.Only {
		if !Valid(realm) {
			return ErrText
		}
		if _, err := tx.Exec(`INSERT INTO realm_allows (caller_realm, realm) VALUES ($1, $2) ON CONFLICT (caller_realm, realm) DO NOTHING`, r.Name, realm); err != nil {
			return err
		}
	}
	return nil
}

// GetRealm returns what a realm's members may do.
func GetRealm(tx *db.Tx, name string) (Realm, error) {
	r := Realm{Name: name}
	var verify, administer bool
	err := tx.Get(`SELECT can_verify, can_administer FROM realms WHERE realm = $1`, name).Scan(&verify, &administer)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return r, err
	}
	r.Right = right(name, verify, administer)
	r.Only, err = db.All(tx, db.One[string], `SELECT realm FROM realm_allows WHERE caller_realm = $1 ORDER BY realm`, name)
	return r, err
}

func right(realm string, verify, administer bool) Right {
	r, isFixed := fixed(realm)
	switch {
	case isFixed:
		return r
	case administer:
		return Administer
	case verify:
		return Verify
	}
	return Nothing
}

// Realms lists the realms of the wire and those for which something is set.
func Realms(tx *db.Tx) (all []Realm, err error) {
	names, err := db.All(tx, db.One[string], `SELECT realm FROM realms ORDER BY realm`)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { _, isFixed := fixed(name); return isFixed })
	for _, name := range append([]string{AdminRealm, AuthRealm}, names...) {
		r, err := GetRealm(tx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// DropRealm takes back what was set for a realm. It returns ErrUnset if nothing was.
func DropRealm(tx *db.Tx, name string) error {
	// The realm's own row first, as SetRealm takes it.
	n, err := tx.Exec(`DELETE FROM realms WHERE realm = $1`, name)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM realm_allows WHERE caller_realm = $1`, name); err != nil {
		return err
	}
	if n == 0 {
		return ErrUnset
	}
	return nil
}
