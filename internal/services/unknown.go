package services

import (
	"encoding/binary"
	"strconv"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
)

// A name is unknown if no entry has it, if its entry has expired, or if the caller may
// not ask about it. The time of the response must not tell unknown names from known
// ones, so a wrong token for an unknown name runs as many statements and writes as many
// rows. The number of these rows is bounded, or made-up names would fill the tables.

const (
	// unknownSlots is how many rows unknown_services and unknown_history have at most.
	unknownSlots = 256
	// paddingName is the budget that a wrong token from a known network takes in place
	// of its network's limit, from which it is exempt.
	paddingName = "service_extra"
	// unknownRealm begins with what the realm of an entry cannot have.
	unknownRealm = "\x00unknown "
)

// bucket is the number under which the limits count an unknown name. There are 65,536.
// If they were few, an attacker could spend them all, and would then be refused without a
// write, and so faster, for unknown names alone; to keep 65,536 spent takes 5,400 wrong
// tokens a second.
// It is a MAC, so that nobody can choose names of one bucket.
func (s *Service) bucket(t Triple) uint16 {
	return binary.BigEndian.Uint16(s.buckets.Sum([]byte(t.Name), []byte(t.Realm)))
}

// budgets are what a wrong token takes: those of the limits that apply, in their order,
// and padding, so that there are always two. Those of an unknown name are its bucket's.
func (g *guess) budgets() (all []limit.Budget) {
	for i := range g.limits {
		v := &g.limits[i]
		if !v.applies {
			continue
		}
		l := v.rateLimit
		if g.entry == 0 && l.entry != (Key{}) {
			l.entry = Key{Realm: unknownRealm + strconv.Itoa(int(g.bucket))}
		}
		all = append(all, l.budget())
	}
	if len(all) == 1 {
		all = append(all, limit.Budget{Name: paddingName, Key: g.by.Network, Rates: networkGuesses})
	}
	return all
}

// recordUnknown writes for an unknown name what record writes for an entry.
func (g *guess) recordUnknown(tx *db.Tx, client audit.Client, detail string) error {
	slot := int64(g.bucket % unknownSlots)
	_, err := tx.Exec(`INSERT INTO unknown_services (slot, failed_at, last_used_at, last_caller, last_network, last_result, last_mark) VALUES ($1, $2, $2, $3, $4, $5, 0)
		ON CONFLICT (slot) DO UPDATE SET failed_at = excluded.failed_at, last_used_at = excluded.last_used_at, last_caller = excluded.last_caller,
			last_network = excluded.last_network, last_result = excluded.last_result, last_mark = 0`,
		slot, tx.Now, g.caller, g.by.Network, Refused)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO unknown_history (slot, id, event, prefix, agent, detail) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (slot) DO UPDATE SET id = excluded.id, event = excluded.event, prefix = excluded.prefix, agent = excluded.agent, detail = excluded.detail`,
		slot, tx.NewID(), audit.ServiceRefused, client.Prefix, client.Agent, detail)
	return err
}
