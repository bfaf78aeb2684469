package signin

import "github.com/djauthy/djauthy/internal/limit"

// sendBudgets are what one message of an attempt takes. A browser that had
// signed in with the id before has a budget of its own, which no stranger can
// spend.
func (s *Service) sendBudgets(a attempt) []limit.Budget {
	mailbox := a.addr.Implementation + ":" + a.addr.Mailbox()
	perIP := limit.Budget{Name: "send_per_ip", Key: a.network, Rates: s.Settings.SendPerIP}
	if a.known {
		return []limit.Budget{perIP, {Name: "send_per_browser", Key: string(a.browser) + mailbox, Rates: s.Settings.SendPerID, Near: mailbox}}
	}
	return []limit.Budget{
		perIP,
		{Name: "send_per_id_prefix", Key: a.network + " " + mailbox, Rates: s.Settings.SendPerIDPrefix, Near: mailbox},
		{Name: "send_per_id", Key: mailbox, Rates: s.Settings.SendPerID},
	}
}

// triesBudget is what tries at an id's short codes take.
func (s *Service) triesBudget(a attempt) limit.Budget {
	id, mailbox := a.addr.Implementation+":"+a.addr.Identifier, a.addr.Implementation+":"+a.addr.Mailbox()
	if a.known {
		return limit.Budget{Name: "tries_per_browser", Key: string(a.browser) + id, Rates: s.Settings.TriesPerID, Near: mailbox}
	}
	return limit.Budget{Name: "tries_per_id", Key: id, Rates: s.Settings.TriesPerID, Near: mailbox}
}

// taken is what an attempt has taken of all budgets.
func (s *Service) taken(a attempt) []limit.Amount {
	all := []limit.Amount{{Budget: s.triesBudget(a), N: a.triesTaken}}
	if a.rescue {
		return all
	}
	for _, b := range s.sendBudgets(a) {
		all = append(all, limit.Amount{Budget: b, N: a.sends})
	}
	return all
}
