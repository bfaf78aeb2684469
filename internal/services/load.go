package services

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// entry is what a verification reads of an entry.
type entry struct {
	id          ID // 0: there is none
	sealed, old []byte
	failed      int64
	mark        int64 // of the last use (Use.mark), while that is fresh and not from the future; else 0
	right       Right // of its realm
}

// A verification costs what its columns cost, so SQL says what can be said there:
// the older seed only while it is good, nothing of what has ended. The first column
// is what the caller's realm may, verify (1) or administer (2), or isClaim.
const (
	isClaim      = 4
	selectCaller = `SELECT COALESCE(r.can_verify, s.is_trusted) + 2 * COALESCE(r.can_administer, 0) AS may, s.id, s.sealed,
		CASE WHEN s.old_valid_to > $1 THEN s.old_sealed END AS old, s.failed_at,
		CASE WHEN s.last_used_at > $2 AND s.last_used_at <= $3 THEN s.last_mark ELSE 0 END AS mark
		FROM services s LEFT JOIN realms r ON r.realm = s.realm
		WHERE s.place = $4 AND s.name = $5 AND s.realm = $6 AND (s.expires_at = 0 OR s.expires_at > $7)`
	// 4 is isClaim. A realm that is restricted may verify only what is written down
	// for it.
	selectBoth = selectCaller + ` UNION ALL SELECT 4, s.id, s.sealed,
		CASE WHEN s.old_valid_to > $8 THEN s.old_sealed END, s.failed_at,
		CASE WHEN s.last_used_at > $9 AND s.last_used_at <= $10 THEN s.last_mark ELSE 0 END
		FROM services s
		WHERE s.place = $11 AND s.name = $12 AND s.realm = $13 AND (s.expires_at = 0 OR s.expires_at > $14)
			AND (NOT EXISTS (SELECT 1 FROM realms WHERE realm = $15 AND is_restricted = 1)
				OR EXISTS (SELECT 1 FROM realm_allows WHERE caller_realm = $16 AND realm = s.realm))`
)

// load reads the caller's entry, and that of the claim if there is one, at one
// moment. One that does not exist, has expired, or is in a realm that the caller
// may not ask about, is the decoy, for which the same work is done.
func (s *Service) load(ctx context.Context, by Triple, claim *Triple) (who, what entry, now time.Time, err error) {
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		who, what, now = s.decoy, s.decoy, tx.Now
		return read(tx, by, claim, &who, &what)
	})
	return who, what, now, err
}

// read reads the caller's entry into who, and that of the claim, if there is one, into
// what. Where nothing is found they stay as they are.
func read(tx *db.Tx, by Triple, claim *Triple, who, what *entry) error {
	row := func(scan func(...any) error) error {
		var may int64
		var e entry
		if err := scan(&may, &e.id, &e.sealed, &e.old, &e.failed, &e.mark); err != nil {
			return err
		}
		if may == isClaim {
			*what = e
			return nil
		}
		*who = e
		who.right = right(by.Realm, may&1, may&2)
		return nil
	}
	now, fresh := tx.Millis(), tx.Millis()-useGrain.Milliseconds()
	if claim == nil {
		return tx.Each(row, selectCaller, now, fresh, now, rowKey(by.Name, by.Realm), by.Name, by.Realm, now)
	}
	return tx.Each(row, selectBoth, now, fresh, now, rowKey(by.Name, by.Realm), by.Name, by.Realm, now,
		now, fresh, now, rowKey(claim.Name, claim.Realm), claim.Name, claim.Realm, now, by.Realm, by.Realm)
}
