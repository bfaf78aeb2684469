// Package limit limits how often something may happen. Table budgets.
//
// A budget is a key and rates; the package knows nothing of what is counted.
// Budgets are stored in the database, so that all machines share them and a restart
// resets none.
//
// A rate of N per duration allows N at once and one more after each N-th of the
// duration (the generic cell rate algorithm, ITU-T I.371): one number per rate is
// stored, the time until which the budget is spent. A row holds two rates, as nearly
// all budgets have.
package limit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
)

// Budget is how often one kind of event may happen for one key.
type Budget struct {
	Name  string // what is counted: "send_per_id"
	Key   string // for whom: an address, a prefix
	Rates config.Rates
	// Cluster is the same for budgets that are taken together, so that their rows are
	// adjacent in the table. "" means Key.
	Cluster string
}

// clusterBytes is how many of the 16 bytes of a row's key the rows of a cluster share. The
// other 80 bits distinguish them.
const clusterBytes = 6

// key is the key of the row for one or two rates, of which the first is given. It is a
// hash, so that the table holds no addresses and all keys have one length.
func (b Budget) key(first config.Rate) (k rowKey) {
	cluster := b.Cluster
	if cluster == "" {
		cluster = b.Key
	}
	var room [256]byte // enough for nearly all, without an allocation
	text := binary.BigEndian.AppendUint64(room[:0], uint64(first.N))
	text = binary.BigEndian.AppendUint64(text, uint64(first.Per))
	text = append(append(append(text, b.Name...), 0), b.Key...)
	prefix, rest := sha256.Sum256([]byte(cluster)), sha256.Sum256(text)
	copy(k[:], prefix[:clusterBytes])
	copy(k[clusterBytes:], rest[:])
	return k
}

// An Amount is a number of events of a budget.
type Amount struct {
	Budget Budget
	N      int
}

// rate is the cost of some events and the period of their rate, in microseconds. The zero
// rate costs nothing and refuses nothing.
type rate struct{ cost, per int64 }

func rateOf(r config.Rate, n int) rate {
	return rate{int64(n) * max(1, r.Per.Microseconds()/int64(r.N)), r.Per.Microseconds()}
}

// latest is the latest time until which a rate may be spent for the events to fit.
func (r rate) latest(now int64) int64 {
	if r == (rate{}) {
		return math.MaxInt64
	}
	return now + r.per - r.cost
}

// wait is the time until the events fit into a rate that is spent until spent.
func (r rate) wait(now, spent int64) time.Duration {
	if r == (rate{}) {
		return 0
	}
	// A rate of which nothing is taken is spent until long ago, further than a Duration goes.
	return time.Duration(max(0, spent-r.latest(now))) * time.Microsecond
}

// ahead reports whether a clock ahead of this one stored the time: no number of events
// reaches that far. Such a budget counts as not spent; otherwise it would stay locked for as
// long as that clock was ahead.
func (r rate) ahead(now, spent int64) bool {
	return r != (rate{}) && spent > now+r.per+db.Skew.Microseconds()
}

// rowKey is the primary key of a row.
type rowKey [16]byte

// row is a row of the table: one rate of a budget, or two.
type row struct {
	key   rowKey
	rates [2]rate
}

// rowsOf returns the rows of amounts, two rates each, in the order of their keys. All
// statements lock rows in this order, so that no two deadlock.
func rowsOf(amounts []Amount) (all []row) {
	for _, a := range amounts {
		if a.N == 0 {
			continue
		}
		for pair := range slices.Chunk(a.Budget.Rates, 2) {
			l := row{key: a.Budget.key(pair[0])}
			for i, r := range pair {
				l.rates[i] = rateOf(r, a.N)
			}
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b row) int { return bytes.Compare(a.key[:], b.key[:]) })
	// One statement cannot change a row twice.
	return slices.CompactFunc(all, func(a, b row) bool { return a.key == b.key })
}

// each is one event of every budget.
func each(budgets []Budget) (amounts []Amount) {
	for _, b := range budgets {
		amounts = append(amounts, Amount{b, 1})
	}
	return amounts
}

// Take counts one event in every budget and returns 0 if all of them allow it. Otherwise
// it counts nothing and returns how long until they do. A db.ReadCommitted part is enough
// for it.
func Take(tx *db.Tx, budgets ...Budget) (wait time.Duration, err error) {
	all := rowsOf(each(budgets))
	if len(all) == 0 {
		return 0, nil
	}
	return take(tx, all)
}

func take(tx *db.Tx, all []row) (wait time.Duration, err error) {
	id := tx.NewID()
	fitted, err := tx.Exec(takeText(len(all)), takeArgs(all, tx.Now.UnixMicro(), id)...)
	if err != nil || fitted == int64(len(all)) {
		return 0, err
	}
	return refused(tx, all, id)
}

// refused rolls back the rows that had room and returns the wait for the others.
func refused(tx *db.Tx, all []row, id db.ID) (wait time.Duration, err error) {
	var fitted, ahead []row
	now := tx.Now.UnixMicro()
	for _, l := range all {
		var spent [2]int64
		var last db.ID
		if err := tx.Get(`SELECT spent_to, spent_to_2, last_take FROM budgets WHERE key = $1`, l.key[:]).Scan(&spent[0], &spent[1], &last); err != nil {
			return 0, err
		}
		if last == id {
			fitted = append(fitted, l)
			continue
		}
		if l.rates[0].ahead(now, spent[0]) || l.rates[1].ahead(now, spent[1]) {
			ahead = append(ahead, l)
		}
		wait = max(wait, l.rates[0].wait(now, spent[0]), l.rates[1].wait(now, spent[1]))
	}
	if len(fitted) == len(all) {
		return 0, errors.New("budgets: another take has the same id") // its counts must not pass for ours
	}
	if err := giveBack(tx, fitted); err != nil || len(ahead) == 0 {
		return wait, err
	}
	for _, l := range ahead {
		if err := l.clearAhead(tx, now); err != nil {
			return 0, err
		}
	}
	return take(tx, all)
}

// clearAhead resets the times that a clock ahead of this one stored.
func (l row) clearAhead(tx *db.Tx, now int64) error {
	_, err := tx.Exec(`UPDATE budgets SET spent_to = CASE WHEN spent_to > $2 THEN 0 ELSE spent_to END,
		spent_to_2 = CASE WHEN spent_to_2 > $3 THEN 0 ELSE spent_to_2 END WHERE key = $1`, l.key[:], now+l.rates[0].per, now+l.rates[1].per)
	return err
}

// Spend counts one event of a rate whose state the caller stores: the time until which it
// is spent, in microseconds since 1970, 0 at first. It returns the new state, or the old
// one and false if there is no room. The zero rate has room for everything.
func Spend(r config.Rate, spentTo int64, at time.Time) (int64, bool) {
	if r.N == 0 {
		return spentTo, true
	}
	event, now := rateOf(r, 1), at.UnixMicro()
	if event.ahead(now, spentTo) {
		spentTo = now
	}
	if next := max(spentTo, now) + event.cost; next <= now+event.per {
		return next, true
	}
	return spentTo, false
}

// Room returns how many events a budget allows at once. Charge may have put it into debt.
func Room(tx *db.Tx, b Budget) (int, error) {
	return room(tx, b, func(r rate) int64 { return r.per })
}

// room is Room for budgets that may be in debt by up to debt microseconds.
func room(tx *db.Tx, b Budget, debt func(rate) int64) (int, error) {
	least := int64(math.MaxInt32)
	now := tx.Now.UnixMicro()
	for _, l := range rowsOf(each([]Budget{b})) {
		var spent [2]int64
		err := tx.Get(`SELECT spent_to, spent_to_2 FROM budgets WHERE key = $1`, l.key[:]).Scan(&spent[0], &spent[1])
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return 0, err
		}
		for i, r := range l.rates {
			if r == (rate{}) {
				continue
			}
			if r.ahead(now+debt(r), spent[i]) {
				spent[i] = now
			}
			least = min(least, max(0, (now+r.per-max(spent[i], now))/r.cost))
		}
	}
	return int(least), nil
}

// Unused reports whether nothing is taken of one rate of a budget.
func Unused(tx *db.Tx, b Budget, of config.Rate) (bool, error) {
	for pair := range slices.Chunk(b.Rates, 2) {
		i := slices.Index(pair, of)
		if i < 0 {
			continue
		}
		var spent [2]int64
		key := b.key(pair[0])
		err := tx.Get(`SELECT spent_to, spent_to_2 FROM budgets WHERE key = $1`, key[:]).Scan(&spent[0], &spent[1])
		if errors.Is(err, db.ErrNotFound) {
			return true, nil
		}
		now := tx.Now.UnixMicro()
		return err == nil && (spent[i] <= now || rateOf(of, 1).ahead(now, spent[i])), err
	}
	return true, nil
}

// Left reports whether a Take of all budgets would be allowed.
func Left(tx *db.Tx, budgets ...Budget) (bool, error) {
	for _, b := range budgets {
		if n, err := room(tx, b, func(rate) int64 { return 0 }); err != nil || n == 0 {
			return false, err
		}
	}
	return true, nil
}

// Charge counts one event, which has already happened, in every budget. One without room
// goes into debt. A db.ReadCommitted part is enough for it.
func Charge(tx *db.Tx, budgets ...Budget) error {
	all := rowsOf(each(budgets))
	if len(all) == 0 {
		return nil
	}
	_, err := tx.Exec(countText(len(all)), countArgs(all, tx.Now.UnixMicro(), 0)...)
	return err
}

// GiveBack returns events to their budgets.
func GiveBack(tx *db.Tx, amounts ...Amount) error { return giveBack(tx, rowsOf(amounts)) }

func giveBack(tx *db.Tx, all []row) error {
	if len(all) == 0 {
		return nil
	}
	args := make([]any, 0, 3*len(all))
	for i := range all {
		l := &all[i]
		args = append(args, l.key[:], l.rates[0].cost, l.rates[1].cost)
	}
	_, err := tx.Exec(giveBackText(len(all)), args...)
	return err
}

// block is the key of the row that blocks a name and key.
func block(name, key string) []byte {
	k := Budget{Name: name, Key: key}.key(config.Rate{N: 1})
	return k[:]
}

// Block blocks a name and key until the given time.
func Block(tx *db.Tx, name, key string, until time.Time) error {
	_, err := tx.Exec(`INSERT INTO budgets (key, spent_to, last_take) VALUES ($1, $2, 0)
		ON CONFLICT (key) DO UPDATE SET spent_to = $2`, block(name, key), until.UnixMicro())
	return err
}

// Blocked reports whether a Block is in force. One that lasts longer than longest was set
// by a clock ahead of this one and does not count.
func Blocked(tx *db.Tx, name, key string, longest time.Duration) (bool, error) {
	var until int64
	err := tx.Get(`SELECT spent_to FROM budgets WHERE key = $1`, block(name, key)).Scan(&until)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	now := tx.Now.UnixMicro()
	return until > now && until <= now+(longest+db.Skew).Microseconds(), err
}

// Unblock ends a Block.
func Unblock(tx *db.Tx, name, key string) error {
	_, err := tx.Exec(`DELETE FROM budgets WHERE key = $1`, block(name, key))
	return err
}

// Sweep looks at the next limit rows after the key from, in the order of keys, and removes
// those of which nothing is spent any more. It returns how many it removed and where to go
// on; next is "" at the end. Walking over the primary key needs no index on spent_to, which
// changes with every event. Rows that others have locked are skipped: a take locks rows in
// the order of keys, a DELETE in any, so that the two could deadlock.
func Sweep(tx *db.Tx, from string, limit int) (removed int64, next string, err error) {
	var last []byte
	err = tx.Get(`SELECT key FROM (SELECT key FROM budgets WHERE key > $1 ORDER BY key LIMIT $2) walk ORDER BY key DESC LIMIT 1`, []byte(from), limit).Scan(&last)
	if errors.Is(err, db.ErrNotFound) {
		return 0, "", nil
	} else if err != nil {
		return 0, "", err
	}
	removed, err = tx.Exec(`DELETE FROM budgets WHERE key IN (SELECT key FROM budgets WHERE key > $1 AND key <= $2 AND spent_to <= $3 AND spent_to_2 <= $3`+tx.SkipLocked()+`)`, []byte(from), last, tx.Now.UnixMicro())
	return removed, string(last), err
}
