package services

import (
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/limit"
)

// kind is one of the limits on wrong tokens.
type kind byte

const (
	// perEntryAndNetwork: a caller's own tokens, by entry and network, if the entry has
	// called from the network before. Nobody on another network can spend it.
	perEntryAndNetwork kind = iota
	// perEntry: a caller's own tokens, by entry, over all networks from which the entry
	// has not called before.
	perEntry
	// perNetwork: a caller's own tokens, by network, over all entries that have not
	// called from it before. Those that have are exempt, so that nobody who comes by the
	// same proxy can lock them out.
	perNetwork
	// perCallerAndEntry: tokens that a caller has verified, by caller and entry.
	perCallerAndEntry
	// perCaller: tokens that a caller has verified, by caller, over all entries.
	perCaller
)

// How many wrong tokens are compared before even a right one is refused. Of a million
// tokens seven are good at once.
var (
	// guesses at one entry: wide enough for a caller whose clock drifts, or who tries
	// a wrong token again each second. 300 an hour are right once in twenty days,
	// evenly taken (300 × 24 × 7/10⁶ = 0.05 a day).
	guesses = config.Rates{{N: 30, Per: time.Minute}, {N: 300, Per: time.Hour}}
	// networkGuesses at all entries together, however many there are: 1,200 an hour
	// are right once in five days (1,200 × 24 × 7/10⁶ = 0.2 a day). Without this limit
	// a million entries would be guessed at with 300 an hour each, and 50,000 found in
	// a day. Refused tokens take nothing of it, so four services on one network that
	// present wrong tokens all the time do not spend it.
	networkGuesses = config.Rates{{N: 120, Per: time.Minute}, {N: 1200, Per: time.Hour}}
	// callerGuesses at all entries together: 6,000 an hour are right once a day.
	// A caller passes on the tokens of many services, so it has more than a network.
	callerGuesses = config.Rates{{N: 600, Per: time.Minute}, {N: 6000, Per: time.Hour}}
)

// guessMemory is how long a wrong token counts: the longest of the rates.
const guessMemory = time.Hour

// rates are those of a limit, the shortest first.
func (k kind) rates() config.Rates {
	switch k {
	case perNetwork:
		return networkGuesses
	case perCaller:
		return callerGuesses
	case perEntryAndNetwork, perEntry, perCallerAndEntry:
	}
	return guesses
}

// burst is how many wrong tokens a limit allows at once.
func (k kind) burst() int { return k.rates()[0].N }

// refillEvery is how often a limit gives one back, by the longest of its rates.
func (k kind) refillEvery() time.Duration {
	r := k.rates()
	last := r[len(r)-1]
	return last.Per / time.Duration(last.N)
}

// spansEntries reports whether a limit is over all entries. Then no entry's row says
// that the limit has been used lately.
func (k kind) spansEntries() bool { return k == perNetwork || k == perCaller }

// applies reports whether a limit counts a token that comes from a network from which
// its entry has called before, or from another.
func (k kind) applies(knownNetwork bool) bool {
	switch k {
	case perEntryAndNetwork:
		return knownNetwork
	case perEntry, perNetwork:
		return !knownNetwork
	case perCallerAndEntry, perCaller:
	}
	return true
}

// rateLimit is a limit and whom it counts for.
type rateLimit struct {
	kind  kind
	by    Key // the caller, or a network as its Name; zero if the limit is over all of them
	entry Key // zero if the limit is over all entries
}

// budget is where the database keeps the count.
func (l rateLimit) budget() limit.Budget {
	entry, caller := l.entry.Name+"\x00"+l.entry.Realm, l.by.Name+"\x00"+l.by.Realm
	b := limit.Budget{Rates: l.kind.rates(), Cluster: entry}
	switch l.kind {
	case perEntryAndNetwork:
		b.Name, b.Key = "service_caller", l.by.Name+"\x00"+entry
	case perEntry:
		b.Name, b.Key = "service_strangers", entry
	case perNetwork:
		b.Name, b.Key, b.Cluster = "service_network", l.by.Name, ""
	case perCallerAndEntry:
		b.Name, b.Key = "service_claim", caller+"\x00"+entry
	case perCaller:
		b.Name, b.Key, b.Cluster = "service_claims", caller, ""
	}
	return b
}

// ownKinds is how many of limitsOf are for the caller's own token. They come first.
const ownKinds = 3

// limitsOf are the limits for the caller's own token, and for that of the claim, if
// there is one.
func limitsOf(by Caller, claim *Triple) []rateLimit {
	network, caller := Key{Name: by.Network}, by.Key()
	all := make([]rateLimit, 0, ownKinds+2)
	all = append(all, rateLimit{kind: perEntryAndNetwork, by: network, entry: caller}, rateLimit{kind: perEntry, entry: caller}, rateLimit{kind: perNetwork, by: network})
	if claim != nil {
		all = append(all, rateLimit{kind: perCallerAndEntry, by: caller, entry: claim.Key()}, rateLimit{kind: perCaller, by: caller})
	}
	return all
}
