package multifactor

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Factor names something that a person can prove and a level can need. Beside the
// constants, the name of an implementation ("email", "jabber", a hook's name, "openid",
// "oauth") and that of a configured provider are factors.
type Factor string

// Factors that are not implementations.
const (
	AnyCode         Factor = "code"       // a one-time code over any channel
	Passkey         Factor = "passkey"    // WebAuthn
	VerifiedPasskey Factor = "passkey:uv" // WebAuthn with user verification: a PIN, a fingerprint
	TOTP            Factor = "totp"       // an authenticator app (RFC 6238)
	Recovery        Factor = "recovery"   // a recovery code, which stands for a factor that was lost (func standsFor)
	Bound           Factor = "bound"      // the session is bound to a key of the device
)

// Need is a set of factors, all of which are needed, in the order in which the administrator
// wrote them. A factor that stands twice needs two accounts or authenticators.
type Need []Factor

// Bounds of a level, so that deciding stays fast whatever an administrator writes.
const (
	MaxFactors = 6   // of one set
	MaxNeeds   = 16  // sets of one level
	MaxRank    = 1e6 // the highest rank
)

// ParseNeed reads a set as commands take it: "email+totp".
func ParseNeed(text string) (n Need, err error) {
	for name := range strings.SplitSeq(text, "+") {
		if name == "" {
			return nil, fmt.Errorf("%q: factors with + between, such as email+totp", text)
		}
		n = append(n, Factor(name))
	}
	return n, nil
}

func (n Need) String() string {
	all := make([]string, len(n))
	for i, f := range n {
		all[i] = string(f)
	}
	return strings.Join(all, "+")
}

// Span is a duration that is printed as an administrator wrote it: "90m" or "5400".
type Span struct {
	time.Duration
	Text string
}

// MarshalText returns the text.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.Text), nil }

// UnmarshalText reads a duration, such as "1h", or whole seconds.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		if d, err = time.ParseDuration(string(text) + "s"); err != nil {
			return fmt.Errorf("%q: a duration such as 10m, or whole seconds", text)
		}
	}
	if d <= 0 {
		return fmt.Errorf("%q: more than nothing", text)
	}
	*s = Span{d, string(text)}
	return nil
}

// UnmarshalJSON also takes a number of seconds.
func (s *Span) UnmarshalJSON(text []byte) error {
	var quoted string
	if json.Unmarshal(text, &quoted) == nil {
		return s.UnmarshalText([]byte(quoted))
	}
	return s.UnmarshalText(text)
}

// Kind says what a level guards.
type Kind string

// Kinds of what levels guard.
const (
	Permission Kind = "permission"
	Group      Kind = "group"
	App        Kind = "app"
	Site       Kind = "site"
	Action     Kind = "action"
	// Begun is an action that a session was allowed to begin. It is guarded as the action; how
	// fresh proofs are was asked then.
	Begun Kind = "begun"
	// Enroll is the action factors.change where something is added, which an enrolment link
	// allows.
	Enroll Kind = "enroll"
	// ByName asks for a level by its name, as ?level= and acr_values do.
	ByName Kind = "level"
)

// Thing is something that somebody wants to use or do, and that levels may guard.
type Thing struct {
	Kind Kind
	Name string
}

func (t Thing) String() string { return string(t.Kind) + " " + t.Name }

// Actions that a level can guard: what people do to their own account, and all of /admin.
const (
	AddAddress    = "address.add"
	RemoveAddress = "address.remove"
	ChangeFactors = "factors.change"
	DeleteAccount = "account.delete"
	EndSessions   = "sessions.end"
	Administer    = "admin"
)

// Actions lists all actions, as levels name them.
var Actions = []string{"address.add", "address.remove", "factors.change", "account.delete", "sessions.end", "admin"}

// Guards is what a level guards, by name.
type Guards struct {
	Permissions []string `json:"permissions"`
	Groups      []string `json:"groups"`
	Apps        []string `json:"apps"`
	Sites       []string `json:"sites"`
	Actions     []string `json:"actions"`
}

// lists are the lists of g by their kind, in the order of Things.
func (g *Guards) lists() []struct {
	kind  Kind
	names *[]string
} {
	return []struct {
		kind  Kind
		names *[]string
	}{{Permission, &g.Permissions}, {Group, &g.Groups}, {App, &g.Apps}, {Site, &g.Sites}, {Action, &g.Actions}}
}

// Things lists what g guards.
func (g Guards) Things() (all []Thing) {
	for _, l := range g.lists() {
		for _, name := range *l.names {
			all = append(all, Thing{l.kind, name})
		}
	}
	return all
}

// Add adds a thing.
func (g *Guards) Add(t Thing) {
	for _, l := range g.lists() {
		if l.kind == t.Kind && !slices.Contains(*l.names, t.Name) {
			*l.names = append(*l.names, t.Name)
		}
	}
}

// Level is a factor level (MultiFactorConf in the specification): what has to be proved for
// whatever it guards.
type Level struct {
	Name string `json:"name"`
	// Rank orders levels: of those that a session holds, the one of the highest rank is its
	// acr (OIDC Core 2).
	Rank int `json:"rank"`
	// Need lists sets of factors, any one of which is enough.
	Need []Need `json:"need"`
	// Valid is how long a proof of a factor counts for this level; without an entry as long as
	// the proof lives.
	Valid map[Factor]Span `json:"valid"`
	For   Guards          `json:"for"`
}

// Normal returns the level as it is stored and printed: what it guards in order, each once,
// and empty lists for nil.
func (l Level) Normal() Level {
	l.For = Guards{
		Permissions: inLine(l.For.Permissions), Groups: inLine(l.For.Groups), Apps: inLine(l.For.Apps), Sites: inLine(l.For.Sites), Actions: inLine(l.For.Actions),
	}
	if l.Valid == nil {
		l.Valid = map[Factor]Span{}
	}
	return l
}

// TimedFactors lists the factors of Valid in order.
func (l Level) TimedFactors() []Factor { return slices.Sorted(maps.Keys(l.Valid)) }

// inLine returns names in order, each once.
func inLine(names []string) []string {
	all := append([]string{}, names...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Equal reports whether two levels are the same.
func (l Level) Equal(o Level) bool {
	a, err := json.Marshal(l.Normal())
	b, err2 := json.Marshal(o.Normal())
	return err == nil && err2 == nil && string(a) == string(b)
}

// asksAs reports whether two levels need the same, whatever they guard.
func (l Level) asksAs(o Level) bool {
	l.For, o.For = Guards{}, Guards{}
	return l.Equal(o)
}

// levelName is the form of a level's name, which is part of addresses and acr values.
var levelName = regexp.MustCompile(`^[a-z0-9][a-z0-9._:-]{0,63}$`)

// Problem returns what is wrong with the level by itself, whatever factors a server has;
// "" if nothing is.
func (l Level) Problem() string {
	switch {
	case !levelName.MatchString(l.Name):
		return fmt.Sprintf("the name %q: 1 to 64 small letters, digits, dots, colons, hyphens and underscores, a letter or digit first", l.Name)
	case l.Rank < 0 || l.Rank > MaxRank:
		return fmt.Sprintf("the rank %d: 0 to %d", l.Rank, int(MaxRank))
	case len(l.Need) == 0:
		return "it needs nothing: name at least one set of factors, such as --need email+totp"
	case len(l.Need) > MaxNeeds:
		return fmt.Sprintf("%d sets of factors: at most %d", len(l.Need), MaxNeeds)
	}
	for _, n := range l.Need {
		if len(n) == 0 || len(n) > MaxFactors {
			return fmt.Sprintf("the set %q: 1 to %d factors", n, MaxFactors)
		}
		if slices.Equal(n, Need{Recovery}) {
			return fmt.Sprintf("the set %q: a recovery code counts beside another factor only", n)
		}
	}
	for f, s := range l.Valid {
		if s.Duration <= 0 {
			return fmt.Sprintf("valid for %q: more than nothing", f)
		}
	}
	for _, action := range l.For.Actions {
		if !slices.Contains(Actions, action) {
			return fmt.Sprintf("the action %q: one of %s", action, strings.Join(Actions, ", "))
		}
	}
	return ""
}
