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
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
)

// Budget is something that may happen so and so often.
type Budget struct {
	Name  string // what is counted: "send_per_id"
	Key   string // for whom: an address, a prefix
	Rates config.Rates
}

// key is the row of one rate. It is a hash, so that the table holds no
// addresses and every key has one length.
func (b Budget) key(rate config.Rate) []byte {
	h := sha256.New()
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], uint64(rate.N))   //nolint:gosec // positive
	binary.BigEndian.PutUint64(n[8:], uint64(rate.Per)) //nolint:gosec // positive
	h.Write(n[:])
	h.Write([]byte(b.Name + "\x00" + b.Key))
	return h.Sum(nil)[:16]
}

// cost is the time that one event takes of a rate.
func cost(r config.Rate) int64 { return r.Per.Microseconds() / int64(r.N) }

// Take counts one event in every rate of a budget. It returns 0 if all of them
// allow it, else how long until they do. What a refused event took of the
// other rates stays taken. It is one statement a rate, so it may run in a
// db.Shared part.
func Take(tx *db.Tx, b Budget) (wait time.Duration, err error) {
	for _, r := range b.Rates {
		w, err := take(tx, b.key(r), cost(r), r.Per.Microseconds())
		if err != nil {
			return 0, err
		}
		wait = max(wait, w)
	}
	return wait, nil
}

func take(tx *db.Tx, key []byte, cost, per int64) (time.Duration, error) {
	now := tx.Now.UnixMicro()
	// A row in the past is as good as none. An event that does not fit leaves
	// the row as it is, and granted tells which of the two happened.
	var spent, granted int64
	err := tx.Get(`INSERT INTO budgets (key, spent_to, granted) VALUES ($1, $2 + $3, 1)
		ON CONFLICT (key) DO UPDATE SET
			granted = CASE WHEN budgets.spent_to + $3 <= $2 + $4 THEN 1 ELSE 0 END,
			spent_to = CASE
				WHEN budgets.spent_to <= $2 THEN $2 + $3
				WHEN budgets.spent_to + $3 <= $2 + $4 THEN budgets.spent_to + $3
				ELSE budgets.spent_to END
		RETURNING spent_to, granted`, key, now, cost, per).Scan(&spent, &granted)
	if err != nil || granted == 1 {
		return 0, err
	}
	return time.Duration(spent+cost-now-per) * time.Microsecond, nil
}

// Left reports whether Take would allow n events at once.
func Left(tx *db.Tx, b Budget, n int) (bool, error) {
	for _, r := range b.Rates {
		var one int64
		err := tx.Get(`SELECT count(*) FROM budgets WHERE key = $1 AND spent_to + $2 > $3`,
			b.key(r), int64(n)*cost(r), tx.Now.UnixMicro()+r.Per.Microseconds()).Scan(&one)
		if err != nil || one > 0 {
			return false, err
		}
	}
	return true, nil
}

// GiveBack returns n events to a budget.
func GiveBack(tx *db.Tx, b Budget, n int) error {
	if n == 0 {
		return nil
	}
	for _, r := range b.Rates {
		if _, err := tx.Exec(`UPDATE budgets SET spent_to = spent_to - $2 WHERE key = $1`, b.key(r), int64(n)*cost(r)); err != nil {
			return err
		}
	}
	return nil
}

// block is the row that stops everything under a name and key.
func block(name, key string) []byte { return Budget{Name: name, Key: key}.key(config.Rate{N: 1}) }

// Block stops what goes by name and key until the given time.
func Block(tx *db.Tx, name, key string, until time.Time) error {
	_, err := tx.Exec(`INSERT INTO budgets (key, spent_to, granted) VALUES ($1, $2, 0)
		ON CONFLICT (key) DO UPDATE SET spent_to = $2`, block(name, key), until.UnixMicro())
	return err
}

// Blocked reports whether Block holds.
func Blocked(tx *db.Tx, name, key string) (bool, error) {
	var n int64
	err := tx.Get(`SELECT count(*) FROM budgets WHERE key = $1 AND spent_to > $2`, block(name, key), tx.Now.UnixMicro()).Scan(&n)
	return n > 0, err
}

// Unblock ends a Block.
func Unblock(tx *db.Tx, name, key string) error {
	_, err := tx.Exec(`DELETE FROM budgets WHERE key = $1`, block(name, key))
	return err
}

// Sweep removes spent-out rows among the next limit rows after the key from, in
// the order of keys, and returns how many went and where to go on; next is nil
// at the end. Keys are random, so a walk is the one way that needs no index on
// a column that changes with every event.
func Sweep(tx *db.Tx, from []byte, limit int) (removed int64, next []byte, err error) {
	if from == nil {
		from = []byte{}
	}
	err = tx.Each(func(scan func(...any) error) error { return scan(&next) },
		`SELECT key FROM (SELECT key FROM budgets WHERE key > $1 ORDER BY key LIMIT $2) walk ORDER BY key DESC LIMIT 1`, from, limit)
	if err != nil || next == nil {
		return 0, nil, err
	}
	removed, err = tx.Exec(`DELETE FROM budgets WHERE key > $1 AND key <= $2 AND spent_to <= $3`, from, next, tx.Now.UnixMicro())
	return removed, next, err
}
