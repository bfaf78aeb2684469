package signin

import (
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/limit"
)

// KeptSends are kept for a mailbox beside SendPerID, for networks that have taken none
// of its messages lately. Who knows an address can ask for messages to it from a few
// networks, as fast as its budget comes back; the owner, who asks in a fresh browser from
// another network, finds one that is kept. They are few at once, so that a flood from many
// networks at once is none of the mailbox, and so many a day: whoever has more networks than
// that takes these, too, and then a known browser is the way in.
func KeptSends() config.Rates {
	return config.Rates{{N: 1, Per: 5 * time.Minute}, {N: 60, Per: 24 * time.Hour}}
}

// lately is a rate of which each message to a mailbox takes a day: a network that has
// none of it taken has asked for none within that. It is so large that it refuses nobody.
var lately = config.Rate{N: 100_000, Per: 100_000 * 24 * time.Hour}

// GivesBack is how often the successes of one account give back what their attempts
// took. A person, and a program that looks each minute whether signing in works, sign in
// less often; whoever does so in a loop comes to the limits of strangers, or history and
// sessions would grow as fast as their mailbox answers.
func GivesBack() config.Rate { return config.Rate{N: 2000, Per: 24 * time.Hour} }

const (
	// knownShare is how many times send_per_id all known browsers of a mailbox may
	// take together.
	knownShare = 4
	// domainPeriods is in how many times the period of send_per_ip one network may
	// ask for as many messages to one domain, so that nobody floods the catch-all
	// mailbox of a domain under invented names.
	domainPeriods = 24
)

// budgetKey is where an attempt's messages end up, as budgets count it.
func (a attempt) budgetKey() string { return a.addr.Implementation + ":" + a.addr.BudgetKey() }

// sendBudgets are what one message of an attempt takes. A browser that had
// signed in with the id before has a budget of its own, which no stranger can
// spend, and is not counted with the strangers of its network either.
func (s *Service) sendBudgets(a attempt) []limit.Budget {
	to, rates := a.budgetKey(), s.Settings
	if a.known {
		return []limit.Budget{
			{Name: "send_per_browser", Key: string(a.browser) + to, Rates: rates.SendPerID, Cluster: to},
			{Name: "send_per_known", Key: to, Rates: times(rates.SendPerID, knownShare, 1), Cluster: to},
		}
	}
	return append(s.networkBudgets(a), s.perID(a))
}

// keptBudgets are what a message takes that is kept for a network which has taken none.
func (s *Service) keptBudgets(a attempt) []limit.Budget {
	return append(s.networkBudgets(a), s.keptSend(a))
}

// networkBudgets are what any message takes that a stranger asks for.
func (s *Service) networkBudgets(a attempt) []limit.Budget {
	_, domain, _ := strings.Cut(a.budgetKey(), "@")
	all := []limit.Budget{
		{Name: "send_per_ip", Key: a.network, Rates: s.Settings.SendPerIP},
		{Name: "send_per_domain", Key: a.network + " " + domain, Rates: times(s.Settings.SendPerIP, 1, domainPeriods), Cluster: a.network},
		s.sentLately(a),
	}
	if a.isIPv6() {
		all = append(all, s.perIDPrefix(a))
	}
	return all
}

func (a attempt) isIPv6() bool { return strings.Contains(a.network, ":") }

// perIDPrefix is what one network takes of the messages to a mailbox.
func (s *Service) perIDPrefix(a attempt) limit.Budget {
	to := a.budgetKey()
	return limit.Budget{Name: "send_per_id_prefix", Key: a.network + " " + to, Rates: s.Settings.SendPerIDPrefix, Cluster: to}
}

// sentLately records by the rate lately that a network has taken a message to a mailbox.
// Of IPv4 the network is the one of perIDPrefix, and both are one budget, so that they
// share a row. Of IPv6 it is the /48, for one customer has many of the /64.
func (s *Service) sentLately(a attempt) limit.Budget {
	if !a.isIPv6() {
		b := s.perIDPrefix(a)
		b.Rates = append(slices.Clone(b.Rates), lately)
		return b
	}
	to := a.budgetKey()
	return limit.Budget{Name: "sent_lately", Key: a.client.Prefix + " " + to, Rates: config.Rates{lately}, Cluster: to}
}

func (s *Service) perID(a attempt) limit.Budget {
	return limit.Budget{Name: "send_per_id", Key: a.budgetKey(), Rates: s.Settings.SendPerID, Cluster: a.budgetKey()}
}

func (s *Service) keptSend(a attempt) limit.Budget {
	return limit.Budget{Name: "kept_send", Key: a.budgetKey(), Rates: s.Settings.KeptSends, Cluster: a.budgetKey()}
}

// times are rates with n times as many events, in so many times their periods.
func times(rates config.Rates, n, periods int) (all config.Rates) {
	for _, r := range rates {
		all = append(all, config.Rate{N: r.N * n, Per: r.Per * time.Duration(periods)})
	}
	return all
}

// triesBudget is what tries at an id's short codes take.
func (s *Service) triesBudget(a attempt) limit.Budget {
	id, to := a.addr.Implementation+":"+a.addr.Identifier, a.budgetKey()
	if a.known {
		return limit.Budget{Name: "tries_per_browser", Key: string(a.browser) + id, Rates: s.Settings.TriesPerID, Cluster: to}
	}
	return limit.Budget{Name: "tries_per_id", Key: id, Rates: s.Settings.TriesPerID, Cluster: to}
}

// taken is what an attempt has taken of all budgets.
func (s *Service) taken(a attempt) []limit.Amount {
	all := []limit.Amount{{Budget: s.triesBudget(a), N: a.triesTaken}}
	add := func(n int, budgets ...limit.Budget) {
		for _, b := range budgets {
			all = append(all, limit.Amount{Budget: b, N: n})
		}
	}
	switch {
	case a.purpose == forRecovery:
	case a.known:
		add(a.sends, s.sendBudgets(a)...)
	default:
		add(a.sends, s.networkBudgets(a)...)
		add(a.sends-a.kept, s.perID(a))
	}
	return all
}
