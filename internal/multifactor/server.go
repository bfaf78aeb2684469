package multifactor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// Server is what factors this server has, by its settings.
type Server struct {
	// Has lists the factors that it knows; false are those that it cannot have as it is set up.
	Has map[Factor]bool
	// Providers are the configured ones.
	Providers []accounts.ProviderIDs
}

// Problem returns why nobody could ever hold a level on this server, or which factor of it
// does not exist; "" if nothing is wrong.
func (s Server) Problem(l Level) string {
	for _, n := range append(slices.Clone(l.Need), slices.Collect(maps.Keys(l.Valid))) {
		for _, f := range n {
			if _, known := s.Has[f]; !known {
				return fmt.Sprintf("there is no factor %q here: this server knows %s", f, s.names())
			}
		}
	}
	var lacks []string
	for _, n := range l.Need {
		missing := slices.DeleteFunc(slices.Clone(n), func(f Factor) bool { return s.Has[f] })
		if len(missing) == 0 {
			return ""
		}
		lacks = append(lacks, missing.String())
	}
	return "nobody could reach it: this server is not set up for " + strings.Join(lacks, ", nor for ")
}

// Reaches reports whether the server has all factors of one of the sets of a level.
func (s Server) Reaches(l Level) bool {
	return slices.ContainsFunc(l.Need, func(n Need) bool {
		return !slices.ContainsFunc(n, func(f Factor) bool { return !s.Has[f] })
	})
}

// AtSites is the server as sites on other hosts find it: the cookie there is bound to nothing.
func (s Server) AtSites() Server {
	s.Has = maps.Clone(s.Has)
	s.Has[Bound] = false
	return s
}

func (s Server) names() string {
	var all []string
	for f := range s.Has {
		all = append(all, string(f))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// Ways returns what a user could prove now: their proved accounts, as far as this server
// reaches them, and their authenticators. Of somebody who was invited and has proved none
// yet, all accounts count.
func (s Server) Ways(tx *db.Tx, user accounts.UserID) (all []Way, err error) {
	held, err := accounts.Of(tx, user)
	if err != nil {
		return nil, err
	}
	none := !slices.ContainsFunc(held, func(a accounts.Account) bool { return a.Active })
	for _, a := range held {
		if w := s.Way(a); (a.Active || none) && s.Has[w.Factors[0]] {
			all = append(all, w)
		}
	}
	enrolled, err := Authenticators(tx, user)
	for _, a := range enrolled {
		if a.isUseful() && s.Has[a.Kind] {
			all = append(all, a.Way())
		}
	}
	return all, err
}

// Usual returns the proof of somebody who has only just signed in by the account that they
// used last, none for somebody who never has.
func (s Server) Usual(tx *db.Tx, user accounts.UserID, life time.Duration) ([]Held, error) {
	all, err := accounts.Of(tx, user)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(a accounts.Account) bool { return !a.Active })
	if len(all) == 0 {
		return nil, nil
	}
	last := slices.MaxFunc(all, func(a, b accounts.Account) int { return a.LastUsed.Compare(b.LastUsed) })
	return []Held{{Way: s.Way(last), Verified: tx.Now, Expires: tx.Now.Add(life)}}, nil
}

// Way is an account as levels see it.
func (s Server) Way(a accounts.Account) Way {
	return Way{Factors: FactorsOf(a.Addr.Implementation, s.Provider(a.Addr)), Key: Key{Account: a.ID}}
}

// FactorsOf is what a proof by an account counts as: its implementation, and a code or the
// name of a configured provider ("" for none).
func FactorsOf(implementation, provider string) []Factor {
	all := []Factor{Factor(implementation)}
	switch {
	case !accounts.Redirects(implementation):
		all = append(all, AnyCode)
	case provider != "":
		all = append(all, Factor(provider))
	}
	return all
}

// Provider is the name of the configured provider at which an account is, "" for none.
func (s Server) Provider(id accounts.ID) string {
	for _, p := range s.Providers {
		if p.Kind == id.Implementation && (p.Kind == accounts.OpenID && strings.HasPrefix(id.Identifier, p.Issuer+" ") ||
			p.Kind == accounts.OAuth && strings.HasPrefix(id.Identifier, p.Name+":")) {
			return p.Name
		}
	}
	return ""
}
