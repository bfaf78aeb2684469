// Package limit says how often something may happen.
//
// A budget is a key and rates; the package knows nothing of what is counted.
// Budgets live in the database, so that all machines share them and a restart
// resets none.
//
// A rate of N per duration lets N through at once and gives one back each
// N-th of the duration (the generic cell rate algorithm, ITU-T I.371): one
// number per rate is stored, the time until which the budget is spent. A row holds
// two rates, as nearly all budgets have.
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

// Budget is something that may happen so and so often.
type Budget struct {
	Name  string // what is counted: "send_per_id"
	Key   string // for whom: an address, a prefix
	Rates config.Rates
	// Cluster is what budgets that are taken together have in common; their rows
	// then lie on one page of the table. "" is the Key.
	Cluster string
}

// clusterBytes are the bytes of a key that the rows of a cluster share, of 16 in all. What is
// left, 80 bits, tells them apart.
const clusterBytes = 6

// key is the row of one or two rates, the first of which is given. It is a hash, so that
// the table holds no addresses and every key has one length.
func (b Budget) key(first config.Rate) []byte {
	cluster := b.Cluster
	if cluster == "" {
		cluster = b.Key
	}
	prefix := sha256.Sum256([]byte(cluster))
	h := sha256.New()
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], uint64(first.N))
	binary.BigEndian.PutUint64(n[8:], uint64(first.Per))
	h.Write(n[:])
	h.Write([]byte(b.Name + "\x00" + b.Key))
	return h.Sum(prefix[:clusterBytes])[:16]
}

// An Amount is so many events of a budget.
type Amount struct {
	Budget Budget
	N      int
}

// rate is what events take of a rate, and its period, in microseconds. The zero rate
// takes nothing and refuses nothing.
type rate struct{ cost, per int64 }

func rateOf(r config.Rate, n int) rate {
	return rate{int64(n) * max(1, r.Per.Microseconds()/int64(r.N)), r.Per.Microseconds()}
}

// most is until when a rate may be spent, at most, for events to fit.
func (r rate) most(now int64) int64 {
	if r == (rate{}) {
		return math.MaxInt64
	}
	return now + r.per - r.cost
}

// wait is how long until events fit into a rate that is spent until then.
func (r rate) wait(now, spent int64) time.Duration {
	if r == (rate{}) {
		return 0
	}
	return time.Duration(spent-r.most(now)) * time.Microsecond
}

// ahead reports whether a time was written by a clock that was ahead of this one: so
// much is never taken. Then it counts as not spent, or it would lock its budget for as
// long as the clock was ahead.
func (r rate) ahead(now, spent int64) bool {
	return r != (rate{}) && spent > now+r.per+db.Skew.Microseconds()
}

// line is a row of the table: one rate of a budget, or two.
type line struct {
	key   []byte
	rates [2]rate
}

// lines lists the rates of amounts, two by two, in the order of their keys, in which
// every statement takes its rows, so that no two wait for each other.
func lines(amounts []Amount) (all []line) {
	for _, a := range amounts {
		if a.N == 0 {
			continue
		}
		for pair := range slices.Chunk(a.Budget.Rates, 2) {
			l := line{key: a.Budget.key(pair[0])}
			for i, r := range pair {
				l.rates[i] = rateOf(r, a.N)
			}
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b line) int { return bytes.Compare(a.key, b.key) })
	// One statement cannot change a row twice.
	return slices.CompactFunc(all, func(a, b line) bool { return bytes.Equal(a.key, b.key) })
}

func each(budgets []Budget) (amounts []Amount) {
	for _, b := range budgets {
		amounts = append(amounts, Amount{b, 1})
	}
	return amounts
}

// Take counts one event in every budget. It returns 0 if all of them allow it,
// else how long until they do, and then it has taken nothing. It is right in a
// db.ReadCommitted part.
func Take(tx *db.Tx, budgets ...Budget) (wait time.Duration, err error) {
	all := lines(each(budgets))
	if len(all) == 0 {
		return 0, nil
	}
	return take(tx, all)
}

func take(tx *db.Tx, all []line) (wait time.Duration, err error) {
	id := tx.NewID()
	fitted, err := tx.Exec(takeText(len(all)), takeArgs(all, tx.Now.UnixMicro(), id)...)
	if err != nil || fitted == int64(len(all)) {
		return 0, err
	}
	return refused(tx, all, id)
}

// refused rolls back the rows that did fit and returns the wait for the others.
func refused(tx *db.Tx, all []line, id db.ID) (wait time.Duration, err error) {
	var fitted, ahead []line
	now := tx.Now.UnixMicro()
	for _, l := range all {
		var spent [2]int64
		var last db.ID
		if err := tx.Get(`SELECT spent_to, spent_to_2, last_take FROM budgets WHERE key = $1`, l.key).Scan(&spent[0], &spent[1], &last); err != nil {
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
		return 0, errors.New("budgets: a take had no room, and yet all of it") // two ids alike; it must not pass
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

// clearAhead resets what was written by a clock that was ahead.
func (l line) clearAhead(tx *db.Tx, now int64) error {
	_, err := tx.Exec(`UPDATE budgets SET spent_to = CASE WHEN spent_to > $2 THEN 0 ELSE spent_to END,
		spent_to_2 = CASE WHEN spent_to_2 > $3 THEN 0 ELSE spent_to_2 END WHERE key = $1`, l.key, now+l.rates[0].per, now+l.rates[1].per)
	return err
}

// Spend takes an event of a rate whose state is kept in a row of the caller's own, as
// until when it is spent, in microseconds since 1970; 0 is a rate of which nothing is
// taken. It returns the new state, and false with the old one if there is no room. The
// zero rate has room for everything.
func Spend(r config.Rate, spentTo int64, at time.Time) (int64, bool) {
	if r.N == 0 {
		return spentTo, true
	}
	one, now := rateOf(r, 1), at.UnixMicro()
	if one.ahead(now, spentTo) {
		spentTo = now
	}
	if next := max(spentTo, now) + one.cost; next <= now+one.per {
		return next, true
	}
	return spentTo, false
}

// Room returns how many events in a row a budget would allow. It may be in debt by
// Charge.
func Room(tx *db.Tx, b Budget) (int, error) {
	return room(tx, b, func(r rate) int64 { return r.per })
}

// room is Room for budgets that may be in debt by so many microseconds.
func room(tx *db.Tx, b Budget, debt func(rate) int64) (int, error) {
	least := int64(math.MaxInt32)
	now := tx.Now.UnixMicro()
	for _, l := range lines(each([]Budget{b})) {
		var spent [2]int64
		err := tx.Get(`SELECT spent_to, spent_to_2 FROM budgets WHERE key = $1`, l.key).Scan(&spent[0], &spent[1])
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

// Left reports whether a Take of all budgets would be allowed.
func Left(tx *db.Tx, budgets ...Budget) (bool, error) {
	for _, b := range budgets {
		if n, err := room(tx, b, func(rate) int64 { return 0 }); err != nil || n == 0 {
			return false, err
		}
	}
	return true, nil
}

// Charge counts one event in every budget whether or not there is room: it has
// happened, and the budget is in debt for it. It is right in a db.ReadCommitted part.
func Charge(tx *db.Tx, budgets ...Budget) error {
	all := lines(each(budgets))
	if len(all) == 0 {
		return nil
	}
	_, err := tx.Exec(countText(len(all)), countArgs(all, tx.Now.UnixMicro(), 0)...)
	return err
}

// GiveBack returns events to their budgets.
func GiveBack(tx *db.Tx, amounts ...Amount) error { return giveBack(tx, lines(amounts)) }

func giveBack(tx *db.Tx, all []line) error {
	if len(all) == 0 {
		return nil
	}
	args := make([]any, 0, 3*len(all))
	for _, l := range all {
		args = append(args, l.key, l.rates[0].cost, l.rates[1].cost)
	}
	_, err := tx.Exec(giveBackText(len(all)), args...)
	return err
}

// block is the row that stops everything under a name and key.
func block(name, key string) []byte { return Budget{Name: name, Key: key}.key(config.Rate{N: 1}) }

// Block stops what goes by name and key until the given time.
func Block(tx *db.Tx, name, key string, until time.Time) error {
	_, err := tx.Exec(`INSERT INTO budgets (key, spent_to, last_take) VALUES ($1, $2, 0)
		ON CONFLICT (key) DO UPDATE SET spent_to = $2`, block(name, key), until.UnixMicro())
	return err
}

// Blocked reports whether a Block holds, of those that last no longer than longest:
// what ends later was set by a clock that was ahead.
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

// Sweep removes spent-out rows among the next limit rows after the key from, in
// the order of keys, and returns how many went and where to go on; next is ""
// at the end. Keys are random, so a walk is the one way that needs no index on
// a column that changes with every event. It passes over rows that somebody else holds:
// a take goes through them in the order of their keys, and this may not.
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
