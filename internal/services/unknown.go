package services

import (
	"encoding/binary"
	"strconv"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
)

// A name that no entry has, one that has expired, and one that the caller may not ask
// about are unknown. The time that an answer takes must not tell them from a name that
// is known, so a wrong token for an unknown one runs as many statements and writes as
// many rows. It does so into a bounded number of rows, or made-up names would fill the
// tables.

const (
	// unknownSlots is how many rows unknown_services and unknown_history have at most.
	unknownSlots = 256
	// paddingName is the budget that a known pair's wrong token takes in place of its
	// network's limit, from which it is exempt.
	paddingName = "service_extra"
)

// bucket is the number under which the limits count a name that is unknown. There are
// 65,536. With few, a stranger could spend them all, and then be refused without a
// write, and so faster, at unknown names alone; to keep these spent takes 5,400 wrong
// tokens a second. The key keeps anybody from choosing names of one bucket.
func (s *Service) bucket(t Triple) uint16 {
	return binary.BigEndian.Uint16(s.buckets.Sum([]byte(t.Name), []byte(t.Realm)))
}

// countedFor is whom a limit counts for: in place of a name that is unknown, its bucket.
func (g *guess) countedFor(l rateLimit) rateLimit {
	if g.entry == 0 && l.entry != (name{}) {
		l.entry = name{realm: unknownRealm + strconv.Itoa(int(g.bucket))}
	}
	return l
}

// unknownRealm begins with what the realm of an entry cannot have.
const unknownRealm = "\x00unknown "

// extra is a budget of no meaning. A wrong token takes of two budgets, also where only
// one of them limits it.
func (g *guess) padding() limit.Budget {
	return limit.Budget{Name: paddingName, Key: g.by.Network, Rates: networkGuesses}
}

// recordUnknown writes for an unknown name what record does for an entry.
func (g *guess) recordUnknown(tx *db.Tx, client audit.Client) error {
	slot := int64(g.bucket % unknownSlots)
	_, err := tx.Exec(`INSERT INTO unknown_services (slot, failed_at, last_used_at, last_caller, last_network, last_result, last_mark) VALUES ($1, $2, $2, $3, $4, $5, 0)
		ON CONFLICT (slot) DO UPDATE SET failed_at = excluded.failed_at, last_used_at = excluded.last_used_at, last_caller = excluded.last_caller,
			last_network = excluded.last_network, last_result = excluded.last_result, last_mark = 0`,
		slot, tx.Millis(), g.caller, g.by.Network, Refused)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO unknown_history (slot, id, event, prefix, agent, detail) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (slot) DO UPDATE SET id = excluded.id, event = excluded.event, prefix = excluded.prefix, agent = excluded.agent, detail = excluded.detail`,
		slot, tx.NewID(), audit.ServiceRefused, client.Prefix, client.Agent, g.asked())
	return err
}
