package multifactor

import (
	"cmp"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// Way is an account or an authenticator of a person, as levels see it.
type Way struct {
	// Factors is what a proof by it counts as: of an email address "email" and "code".
	Factors []Factor
	// Key is which account or authenticator it is. Two proofs of one key count as one.
	Key Key
}

// Key names an account or an authenticator of a person. The zero Key is the session itself,
// bound to a key of the device.
type Key struct {
	Account       accounts.AccountID
	Authenticator db.ID
}

// Is reports whether a proof by the way counts as a factor.
func (w Way) Is(f Factor) bool { return slices.Contains(w.Factors, f) }

// Held is a proof that a session holds.
type Held struct {
	Way
	Verified, Expires time.Time
}

// Rule is a level that guards something that somebody wants.
type Rule struct {
	Level   *Level
	Because Thing
}

// Decision says whether somebody may do what some rules guard.
type Decision struct {
	Allowed bool
	// Rules are all rules that were asked, the highest rank first.
	Rules []Rule
	// Missing is what is to be proved, in the order that is the least trouble for this person.
	// Empty if allowed.
	Missing []Factor
	// Enroll lists those of Missing for which the person has no account or authenticator yet.
	Enroll []Factor
	// Until is when an Allowed ends by itself, if nothing is proved until then; zero: without
	// rules it does not end. Not allowed: zero.
	Until time.Time
}

// Asks is the rule that asks for more: the first that is not met. ok is false if all are.
func (d Decision) Asks(held []Held, now time.Time) (Rule, bool) {
	for _, r := range d.Rules {
		if !r.Level.HeldBy(held, now) {
			return r, true
		}
	}
	return Rule{}, false
}

// Decide decides by all of the rules: each has to be met. ways is what the person could
// prove. It is pure: the same values give the same decision, in whatever order the rules
// stand.
func Decide(rules []Rule, ways []Way, held []Held, now time.Time) Decision {
	d := Decision{Allowed: true, Rules: inOrder(rules)}
	valid := counting(held, now)
	for _, r := range d.Rules {
		until, ok := valid.until(r.Level)
		if !ok {
			d.Allowed = false
			missing, enroll := r.Level.missing(ways, valid)
			d.Missing, d.Enroll = atLeast(d.Missing, missing), atLeast(d.Enroll, enroll)
			continue
		}
		if d.Until.IsZero() || until.Before(d.Until) {
			d.Until = until
		}
	}
	if !d.Allowed {
		d.Until = time.Time{}
	}
	slices.SortStableFunc(d.Missing, func(a, b Factor) int {
		return cmp.Or(cmp.Compare(trouble(a, ways), trouble(b, ways)), cmp.Compare(a, b))
	})
	return d
}

// inOrder returns each rule once, those of the highest rank first.
func inOrder(rules []Rule) []Rule {
	all := slices.Clone(rules)
	slices.SortFunc(all, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(b.Level.Rank, a.Level.Rank), cmp.Compare(a.Level.Name, b.Level.Name),
			cmp.Compare(a.Because.Kind, b.Because.Kind), cmp.Compare(a.Because.Name, b.Because.Name))
	})
	return slices.CompactFunc(all, func(a, b Rule) bool { return a.Level == b.Level && a.Because == b.Because })
}

// Highest is the level of the highest rank that a session holds, or nil.
func Highest(levels []*Level, held []Held, now time.Time) (highest *Level) {
	for _, l := range levels {
		above := highest == nil || l.Rank > highest.Rank || l.Rank == highest.Rank && l.Name < highest.Name
		if above && l.HeldBy(held, now) {
			highest = l
		}
	}
	return highest
}

// HeldBy reports whether the proofs meet the level.
func (l *Level) HeldBy(held []Held, now time.Time) bool {
	_, ok := counting(held, now).until(l)
	return ok
}

// missing returns what a person has to prove for the level: of its sets the one that is the
// least trouble.
func (l *Level) missing(ways []Way, held proofs) (missing, enroll []Factor) {
	least := 0
	for _, n := range l.Need {
		need, lacks := l.missingOf(n, ways, held)
		sum := enrolling * len(lacks)
		for _, f := range need {
			sum += trouble(f, ways)
		}
		if missing == nil || sum < least {
			missing, enroll, least = need, lacks, sum
		}
	}
	return missing, enroll
}

// missingOf returns the factors of a set that no proof fills, and those of them for which
// the person has no account or authenticator left.
func (l *Level) missingOf(n Need, ways []Way, held proofs) (missing, enroll []Factor) {
	// What is the most trouble is filled first, and what fewer ways can prove: then what stays
	// open is the least.
	dearest := slices.Clone(n)
	slices.SortStableFunc(dearest, func(a, b Factor) int {
		return cmp.Or(cmp.Compare(trouble(b, ways), trouble(a, ways)), cmp.Compare(count(a, ways), count(b, ways)))
	})
	filled := pair(dearest, len(held.all), func(f Factor, i int) bool { return held.end(l, n, f, i).After(held.now) })
	taken := map[Key]bool{}
	for i, at := range filled.of {
		if at < 0 {
			missing = append(missing, dearest[i])
		} else {
			taken[held.all[at].Key] = true
		}
	}
	open := pair(missing, len(ways), func(f Factor, i int) bool { return ways[i].Is(f) && !taken[ways[i].Key] })
	for i, at := range open.of {
		if at < 0 {
			enroll = append(enroll, missing[i])
		}
	}
	return missing, enroll
}

// enrolling is how much more trouble a factor is that has to be set up first.
const enrolling = 100

// count is how many ways prove a factor.
func count(f Factor, ways []Way) (n int) {
	for _, w := range ways {
		if w.Is(f) {
			n++
		}
	}
	return n
}

// trouble is how much trouble it is for a person to prove a factor.
func trouble(f Factor, ways []Way) int {
	if count(f, ways) == 0 {
		return enrolling
	}
	switch f {
	case Bound:
		return 0
	case VerifiedPasskey, Passkey:
		return 1
	case TOTP:
		return 2
	case Recovery:
		return 20
	}
	return 3 // a message has to arrive, or a provider to answer
}

// atLeast adds to a list what another has and it has not, each as often as there.
func atLeast(all, more []Factor) []Factor {
	left := slices.Clone(all)
	for _, f := range more {
		if i := slices.Index(left, f); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		all = append(all, f)
	}
	return all
}
