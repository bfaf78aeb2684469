package signin

import (
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/limit"
)

// KeptSends is a budget for each recipient beside SendPerID. Its messages, the kept sends,
// are for networks that have requested none for this recipient within a day. Somebody who
// knows an address can use up SendPerID from a few networks; the owner, in a fresh browser
// on another network, then gets a kept send. The first rate keeps many networks at once
// from flooding the recipient. A stranger with more networks than the second rate allows
// uses the kept sends up, too; then the owner signs in with a known browser.
func KeptSends() config.Rates {
	return config.Rates{{N: 1, Per: 5 * time.Minute}, {N: 60, Per: 24 * time.Hour}}
}

// lately is a rate at which each message takes a day to come back, so that a full budget
// means no message within a day. It is so large that it refuses nothing.
var lately = config.Rate{N: 100_000, Per: 100_000 * 24 * time.Hour}

// GivesBack is how often a success of an account returns what its attempt took from the
// limits. People, and programs that test each minute whether signing in works, sign in
// less often. A loop reaches the limits of strangers; otherwise history and sessions would
// grow as fast as it can read its mail.
func GivesBack() config.Rate { return config.Rate{N: 2000, Per: 24 * time.Hour} }

const (
	// knownShare times send_per_id is what all known browsers of a recipient may take
	// together.
	knownShare = 4
	// domainPeriods times the period of send_per_ip is the period in which one network may
	// request as many messages to one domain, so that nobody floods the catch-all mailbox
	// of a domain under invented names.
	domainPeriods = 24
)

// budgetKey is the key of an attempt's recipient in budgets (accounts.ID.BudgetKey).
func (a attempt) budgetKey() string { return a.addr.Implementation + ":" + a.addr.BudgetKey() }

// sendBudgets are the budgets of one message of an attempt. A known browser, which has
// signed in with the id before, has its own budget, which strangers cannot spend; it
// is not counted with the strangers of its network either.
func (s *Service) sendBudgets(a attempt) []limit.Budget {
	to, rates := a.budgetKey(), s.Settings
	if a.known {
		return []limit.Budget{
			{Name: "send_per_browser", Key: string(a.browser) + to, Rates: rates.SendPerID, Cluster: to},
			{Name: "send_per_known", Key: to, Rates: times(rates.SendPerID, knownShare, 1), Cluster: to},
		}
	}
	return append(s.networkBudgets(a, to), s.perID(to))
}

// keptBudgets are the budgets of a kept send.
func (s *Service) keptBudgets(a attempt) []limit.Budget {
	to := a.budgetKey()
	return append(s.networkBudgets(a, to), s.keptSend(to))
}

// networkBudgets are the budgets of any message that an unknown browser requests.
func (s *Service) networkBudgets(a attempt, to string) []limit.Budget {
	all := []limit.Budget{
		{Name: "send_per_ip", Key: a.network, Rates: s.Settings.SendPerIP},
		{Name: "send_per_domain", Key: a.network + " " + a.addr.Domain(), Rates: times(s.Settings.SendPerIP, 1, domainPeriods), Cluster: a.network},
		s.sentLately(a, to),
	}
	if a.isIPv6() {
		all = append(all, s.perIDPrefix(a, to))
	}
	// Somebody with many networks could make a gateway send for much money.
	if rates := s.Settings.SendPerHook[a.addr.Implementation]; len(rates) > 0 {
		all = append(all, limit.Budget{Name: "send_per_hook", Key: a.addr.Implementation, Rates: rates, Cluster: "hook " + a.addr.Implementation})
	}
	return all
}

func (a attempt) isIPv6() bool { return strings.Contains(a.network, ":") }

// perIDPrefix is the budget of one network for the messages to a recipient.
func (s *Service) perIDPrefix(a attempt, to string) limit.Budget {
	return limit.Budget{Name: "send_per_id_prefix", Key: a.network + " " + to, Rates: s.Settings.SendPerIDPrefix, Cluster: to}
}

// sentLately is the budget that shows, by the rate lately, whether a network has requested
// a message for this recipient within a day. An IPv4 network is that of perIDPrefix, and
// both are one budget, so that they share a row. An IPv6 network is a /48 here: one
// customer has many of the /64 that other limits count.
func (s *Service) sentLately(a attempt, to string) limit.Budget {
	if !a.isIPv6() {
		b := s.perIDPrefix(a, to)
		b.Rates = append(slices.Clone(b.Rates), lately)
		return b
	}
	return limit.Budget{Name: "sent_lately", Key: a.client.Prefix + " " + to, Rates: config.Rates{lately}, Cluster: to}
}

func (s *Service) perID(to string) limit.Budget {
	return limit.Budget{Name: "send_per_id", Key: to, Rates: s.Settings.SendPerID, Cluster: to}
}

func (s *Service) keptSend(to string) limit.Budget {
	return limit.Budget{Name: "kept_send", Key: to, Rates: s.Settings.KeptSends, Cluster: to}
}

// times returns rates with n times as many events and periods times as long periods.
func times(rates config.Rates, n, periods int) (all config.Rates) {
	for _, r := range rates {
		all = append(all, config.Rate{N: r.N * n, Per: r.Per * time.Duration(periods)})
	}
	return all
}

// triesBudget is the budget of tries at an id's short codes.
func (s *Service) triesBudget(a attempt) limit.Budget {
	id, to := a.addr.Implementation+":"+a.addr.Identifier, a.budgetKey()
	if a.known {
		return limit.Budget{Name: "tries_per_browser", Key: string(a.browser) + id, Rates: s.Settings.TriesPerID, Cluster: to}
	}
	return limit.Budget{Name: "tries_per_id", Key: id, Rates: s.Settings.TriesPerID, Cluster: to}
}

// taken is what an attempt has taken from all budgets, but for kept sends.
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
		to := a.budgetKey()
		add(a.sends, s.networkBudgets(a, to)...)
		add(a.sends-a.kept, s.perID(to))
	}
	return all
}
