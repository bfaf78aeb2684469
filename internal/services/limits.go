package services

import (
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/limit"
)

// kind is one of the limits on wrong tokens.
type kind byte

const (
	// perEntryAndNetwork: a caller's own tokens, by entry and network, where the entry has
	// called from that network before. A stranger elsewhere spends nothing of it.
	perEntryAndNetwork kind = iota
	// perEntry: a caller's own tokens, by entry, over all networks from which the
	// entry has not called before.
	perEntry
	// perNetwork: a caller's own tokens, by network, over all entries that have not
	// called from there before. Those that have are exempt, so that a stranger who
	// comes by the same proxy does not lock them out.
	perNetwork
	// perCallerAndEntry: tokens a caller has verified, by caller and entry.
	perCallerAndEntry
	// perCaller: tokens a caller has verified, by caller, over all entries.
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
	// a day. What is refused takes nothing, so four services at one address that show
	// wrong tokens without end are let have them.
	networkGuesses = config.Rates{{N: 120, Per: time.Minute}, {N: 1200, Per: time.Hour}}
	// callerGuesses at all entries together: 6,000 an hour are right once a day.
	// A caller hands on what others show to it, so it has more than a network.
	callerGuesses = config.Rates{{N: 600, Per: time.Minute}, {N: 6000, Per: time.Hour}}
)

// guessMemory is how long a wrong token may still weigh: the longest of the rates.
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

// most is how many wrong tokens a limit lets pass at once.
func (k kind) burst() int { return k.rates()[0].N }

// every is how often a limit gives one back, by the longest of its rates.
func (k kind) refillEvery() time.Duration {
	r := k.rates()
	last := r[len(r)-1]
	return last.Per / time.Duration(last.N)
}

// spansEntries reports whether a limit spans all entries. Then no entry's row says that it
// was guessed at lately.
func (k kind) spansEntries() bool { return k == perNetwork || k == perCaller }

// counts reports whether a limit counts a guess; known says that the entry has called
// from the guess's network before.
func (k kind) applies(known bool) bool {
	switch k {
	case perEntryAndNetwork:
		return known
	case perEntry, perNetwork:
		return !known
	case perCallerAndEntry, perCaller:
	}
	return true
}

// name is that of an entry, or a network.
type name struct{ name, realm string }

// view is a limit as one request sees it.
type view struct {
	rateLimit
	tally *tally
	// recorded is how many wrong guesses were written down when the request read
	// the database. The read shows them.
	recorded int
	// room is how many more wrong guesses the database allowed then; until it is
	// read, as many as there can be.
	room int
}

// rateLimit is whom a limit counts for.
type rateLimit struct {
	kind  kind
	by    name // the network, or the caller; none if it is over all of them
	entry name // none if it is over all entries
}

// budget is where the database keeps the count.
func (l rateLimit) budget() limit.Budget {
	entry, caller := l.entry.name+"\x00"+l.entry.realm, l.by.name+"\x00"+l.by.realm
	b := limit.Budget{Rates: l.kind.rates(), Cluster: entry}
	switch l.kind {
	case perEntryAndNetwork:
		b.Name, b.Key = "service_caller", l.by.name+"\x00"+entry
	case perEntry:
		b.Name, b.Key = "service_strangers", entry
	case perNetwork:
		b.Name, b.Key, b.Cluster = "service_network", l.by.name, ""
	case perCallerAndEntry:
		b.Name, b.Key = "service_claim", caller+"\x00"+entry
	case perCaller:
		b.Name, b.Key, b.Cluster = "service_claims", caller, ""
	}
	return b
}

// ownLimits are those of a token that a caller shows for itself.
func ownLimits(by Caller) []rateLimit {
	network, entry := name{name: by.Network}, name{by.Name, by.Realm}
	return []rateLimit{{perEntryAndNetwork, network, entry}, {perEntry, name{}, entry}, {perNetwork, network, name{}}}
}

// claimLimits are those of a token that a caller has verified.
func claimLimits(by Caller, claim Triple) []rateLimit {
	caller := name{by.Name, by.Realm}
	return []rateLimit{{perCallerAndEntry, caller, name{claim.Name, claim.Realm}}, {perCaller, caller, name{}}}
}
