package sites

import (
	"slices"
	"strings"

	"github.com/djauthy/djauthy/internal/config"
)

// Access is what a request requires. Its slices are shared: they are not to be changed.
type Access struct {
	// Public: nobody has to sign in. Otherwise everybody has, even if the rest is empty.
	Public bool
	// Levels have to be held, all of them. Each stands there once.
	Levels []string
	// Groups: of each list, the person has to be in one group.
	Groups [][]string
}

// rule is a rule of a site in the two forms in which paths are compared.
type rule struct {
	config.SiteRule
	path  string // without /*
	loose string // the same, folded and without a slash at its end
	below bool   // the path and all below it
}

func newRule(settings config.SiteRule) rule {
	path, below := settings.Prefix()
	return rule{SiteRule: settings, path: path, below: below, loose: strings.TrimSuffix(fold(path), "/")}
}

// fits compares a path byte by byte.
func (r *rule) fits(path string) bool {
	rest, ok := strings.CutPrefix(path, r.path)
	return ok && (rest == "" || r.below && rest[0] == '/')
}

// fitsFolded compares a folded path: capitals and a slash at the end make no difference.
func (r *rule) fitsFolded(path string) bool {
	rest, ok := strings.CutPrefix(path, r.loose)
	return ok && (rest == "" || rest == "/" || r.below && rest[0] == '/')
}

// counting are the rules that count for one reading of a path, by their numbers, -1 for none:
// the first that fits it as it is, for apps to which capitals matter, and the first that fits
// it folded.
func (s *Site) counting(path string) (exact, loose int) {
	folded := fold(path)
	exact, loose = -1, -1
	for i := range s.rules {
		r := &s.rules[i]
		if exact < 0 && r.fits(path) {
			exact = i
		}
		if loose < 0 && r.fitsFolded(folded) {
			loose = i
		}
	}
	return exact, loose
}

// prepared is what one rule alone requires, made once.
type prepared struct {
	none   Access
	public Access
	rules  []Access // by the number of the rule
}

func prepare(s *Site) prepared {
	ready := prepared{none: s.union(), public: Access{Public: true}}
	for i := range s.rules {
		ready.rules = append(ready.rules, s.union(i))
	}
	return ready
}

// union is what the site and some of its rules require together. A public rule among them
// requires what the site does.
func (s *Site) union(numbers ...int) (a Access) {
	add := func(level string, groups []string) {
		if level != "" && !slices.Contains(a.Levels, level) {
			a.Levels = append(a.Levels, level)
		}
		if len(groups) > 0 {
			a.Groups = append(a.Groups, groups)
		}
	}
	add(s.Level, s.Groups)
	for _, n := range numbers {
		if n >= 0 {
			add(s.rules[n].Level, s.rules[n].Groups)
		}
	}
	return a
}

// oneReading is what a path requires that every app reads in the same way. It is public only
// if the same public rule counts whether or not capitals matter.
func (s *Site) oneReading(path string) Access {
	exact, loose := s.counting(path)
	switch {
	case exact != loose:
		return s.union(min(exact, loose), max(exact, loose))
	case exact < 0:
		return s.ready.none
	case s.rules[exact].Public:
		return s.ready.public
	}
	return s.ready.rules[exact]
}

// manyReadings is what all readings of a path require together. It is never public.
func (s *Site) manyReadings(paths []string) Access {
	var all []int
	for _, path := range paths {
		exact, loose := s.counting(path)
		all = append(all, exact, loose)
	}
	slices.Sort(all)
	return s.union(slices.Compact(all)...)
}
