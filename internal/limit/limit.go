// Package limit says how often something may happen.
//
// A budget is a key and rates; the package knows nothing of what is counted.
// Budgets live in the database, so that all machines share them and a restart
// resets none.
//
// A rate of N per duration lets N through at once and gives one back each
// N-th of the duration (the generic cell rate algorithm, ITU-T I.371): one
// number per rate is stored, the time until which the budget is spent.
package limit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
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

// key is the row of one rate. It is a hash, so that the table holds no
// addresses and every key has one length.
func (b Budget) key(rate config.Rate) []byte {
	cluster := b.Cluster
	if cluster == "" {
		cluster = b.Key
	}
	prefix := sha256.Sum256([]byte(cluster))
	h := sha256.New()
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], uint64(rate.N))
	binary.BigEndian.PutUint64(n[8:], uint64(rate.Per))
	h.Write(n[:])
	h.Write([]byte(b.Name + "\x00" + b.Key))
	return h.Sum(prefix[:clusterBytes])[:16]
}

// cost is the time that one event takes of a rate.
func cost(r config.Rate) int64 { return max(1, r.Per.Microseconds()/int64(r.N)) }

// An Amount is so many events of a budget.
type Amount struct {
	Budget Budget
	N      int
}

// line is one row of a statement about several: a rate of a budget.
type line struct {
	key       []byte
	cost, per int64 // microseconds
}

// lines lists the rates of amounts in the order of their keys, in which every
// statement takes its rows, so that no two wait for each other.
func lines(amounts []Amount) (all []line) {
	for _, a := range amounts {
		for _, r := range a.Budget.Rates {
			if a.N > 0 {
				all = append(all, line{a.Budget.key(r), int64(a.N) * cost(r), r.Per.Microseconds()})
			}
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

// rows is "($2, $3, $4), ($5, $6, $7)" for n rows of width places, counted from
// first.
func rows(n, width, first int) string {
	var b strings.Builder
	for i := range n * width {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%width == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String() + ")"
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
	now, id := tx.Now.UnixMicro(), tx.NewID()
	args := make([]any, 0, 1+4*len(all))
	args = append(args, now)
	for _, l := range all {
		args = append(args, l.key, now+l.cost, id)
	}
	for _, l := range all {
		args = append(args, now+l.per-l.cost)
	}
	var text string
	if len(all) < len(takes) {
		text = takes[len(all)]
	} else {
		text = takeText(len(all))
	}
	fitted, err := tx.Exec(text, args...)
	if err != nil || fitted == int64(len(all)) {
		return 0, err
	}
	return refused(tx, all, id)
}

// ahead reports whether a row was written by a clock that was ahead of this one: so
// much is never taken. Then it is as good as none, or it would lock its budget for as
// long as the clock was ahead.
func (l line) ahead(now, spent int64) bool { return spent > now+l.per+db.Skew.Microseconds() }

// refused gives back what a take was let have and returns how long to wait for
// the rest.
func refused(tx *db.Tx, all []line, id db.ID) (wait time.Duration, err error) {
	var fitted, ahead []line
	for _, l := range all {
		var spent int64
		var last db.ID
		if err := tx.Get(`SELECT spent_to, last_take FROM budgets WHERE key = $1`, l.key).Scan(&spent, &last); err != nil {
			return 0, err
		}
		if last == id {
			fitted = append(fitted, l)
			continue
		}
		if l.ahead(tx.Now.UnixMicro(), spent) {
			ahead = append(ahead, l)
		}
		wait = max(wait, time.Duration(spent+l.cost-tx.Now.UnixMicro()-l.per)*time.Microsecond)
	}
	if len(fitted) == len(all) {
		return 0, errors.New("budgets: a take had no room, and yet all of it") // two ids alike; it must not pass
	}
	if err := giveBack(tx, fitted); err != nil || len(ahead) == 0 {
		return wait, err
	}
	for _, l := range ahead {
		if _, err := tx.Exec(`DELETE FROM budgets WHERE key = $1 AND spent_to > $2`, l.key, tx.Now.UnixMicro()+l.per); err != nil {
			return 0, err
		}
	}
	return take(tx, all)
}

// Spend takes an event of a rate whose state is kept in a row of the caller's own, as
// until when it is spent, in microseconds since 1970; 0 is a rate of which nothing is
// taken. It returns the new state, and false with the old one if there is no room. The
// zero rate has room for everything.
func Spend(r config.Rate, spentTo int64, at time.Time) (int64, bool) {
	if r.N == 0 {
		return spentTo, true
	}
	l, now := line{cost: cost(r), per: r.Per.Microseconds()}, at.UnixMicro()
	if l.ahead(now, spentTo) {
		spentTo = now
	}
	if next := max(spentTo, now) + l.cost; next <= now+l.per {
		return next, true
	}
	return spentTo, false
}

// takes are the statements that take few rates, made once.
var takes = func() (texts [8]string) {
	for n := range texts {
		texts[n] = takeText(n)
	}
	return texts
}()

// countText is the statement that counts an event in n rates. A row in the past is
// as good as none.
func countText(n int) string {
	return `INSERT INTO budgets (key, spent_to, last_take) VALUES ` + rows(n, 3, 2) + `
		ON CONFLICT (key) DO UPDATE SET last_take = excluded.last_take,
			spent_to = CASE WHEN budgets.spent_to <= $1 THEN excluded.spent_to ELSE budgets.spent_to + excluded.spent_to - $1 END`
}

// takeText is the statement that takes n rates. A rate that has no room is left as
// it is, and the statement counts the others; RETURNING which would cost as much as
// all the rest.
func takeText(n int) string {
	var b strings.Builder
	b.WriteString(countText(n) + ` WHERE budgets.spent_to <= CASE budgets.key`)
	for i := range n {
		fmt.Fprintf(&b, " WHEN $%d THEN CAST($%d AS BIGINT)", 2+3*i, 2+3*n+i)
	}
	b.WriteString(" END")
	return b.String()
}

// Room returns how many events in a row a budget would allow. It may be in debt by
// Charge.
func Room(tx *db.Tx, b Budget) (int, error) {
	return room(tx, b, func(l line) int64 { return l.per })
}

// room is Room for budgets that may be in debt by so many microseconds.
func room(tx *db.Tx, b Budget, debt func(line) int64) (int, error) {
	least := int64(math.MaxInt32)
	for _, l := range lines(each([]Budget{b})) {
		var spent int64
		err := tx.Get(`SELECT spent_to FROM budgets WHERE key = $1`, l.key).Scan(&spent)
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return 0, err
		}
		now := tx.Now.UnixMicro()
		if l.ahead(now+debt(l), spent) {
			spent = now
		}
		least = min(least, max(0, (now+l.per-max(spent, now))/l.cost))
	}
	return int(least), nil
}

// Left reports whether a Take of all budgets would be allowed.
func Left(tx *db.Tx, budgets ...Budget) (bool, error) {
	for _, b := range budgets {
		if n, err := room(tx, b, func(line) int64 { return 0 }); err != nil || n == 0 {
			return false, err
		}
	}
	return true, nil
}

// Charge counts one event in every budget whether or not there is room: it has
// happened, and the budget is in debt for it. It is right in a db.ReadCommitted part.
func Charge(tx *db.Tx, budgets ...Budget) error {
	all := lines(each(budgets))
	args := []any{tx.Now.UnixMicro()}
	for _, l := range all {
		args = append(args, l.key, tx.Now.UnixMicro()+l.cost, 0)
	}
	if len(all) == 0 {
		return nil
	}
	_, err := tx.Exec(countText(len(all)), args...)
	return err
}

// GiveBack returns events to their budgets.
func GiveBack(tx *db.Tx, amounts ...Amount) error { return giveBack(tx, lines(amounts)) }

// giveBack moves the rows back. One that the sweeper took comes to life in the
// far past, which is as good as none.
func giveBack(tx *db.Tx, all []line) error {
	if len(all) == 0 {
		return nil
	}
	args := make([]any, 0, 3*len(all))
	for _, l := range all {
		args = append(args, l.key, l.cost, 0)
	}
	_, err := tx.Exec(`INSERT INTO budgets (key, spent_to, last_take) VALUES `+rows(len(all), 3, 1)+`
		ON CONFLICT (key) DO UPDATE SET spent_to = budgets.spent_to - excluded.spent_to`, args...)
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
// the order of keys, and returns how many went and where to go on; next is nil
// at the end. Keys are random, so a walk is the one way that needs no index on
// a column that changes with every event. It passes over rows that somebody else holds:
// a take goes through them in the order of their keys, and this may not.
func Sweep(tx *db.Tx, from []byte, limit int) (removed int64, next []byte, err error) {
	if from == nil {
		from = []byte{}
	}
	err = tx.Each(func(scan func(...any) error) error { return scan(&next) },
		`SELECT key FROM (SELECT key FROM budgets WHERE key > $1 ORDER BY key LIMIT $2) walk ORDER BY key DESC LIMIT 1`, from, limit)
	if err != nil || next == nil {
		return 0, nil, err
	}
	removed, err = tx.Exec(`DELETE FROM budgets WHERE key IN (SELECT key FROM budgets WHERE key > $1 AND key <= $2 AND spent_to <= $3`+tx.SkipLocked()+`)`, from, next, tx.Now.UnixMicro())
	return removed, next, err
}
