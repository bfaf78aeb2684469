package services

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// entry is what a verification reads of an entry.
type entry struct {
	id     ID     // 0: there is none
	sealed []byte // its seed
	old    []byte // the seed before, while that is good
	failed time.Time
	mark   int64 // of the last use (Use.mark), while that is fresh and not in the future; else 0
	right  Right // of its realm
}

// Each column that is read costs time, so SQL decides what it can: it returns the older
// seed only while that is good, and no entry that has expired. The first column is what
// the caller's realm may do, verify (1) or administer (2), or isClaim.
const (
	isClaim      = 4
	selectCaller = `SELECT COALESCE(r.can_verify, s.is_trusted) + 2 * COALESCE(r.can_administer, 0) AS may, s.id, s.sealed,
		CASE WHEN s.old_valid_to > $1 THEN s.old_sealed END AS old, s.failed_at,
		CASE WHEN s.last_used_at > $2 AND s.last_used_at <= $3 THEN s.last_mark ELSE 0 END AS mark
		FROM services s LEFT JOIN realms r ON r.realm = s.realm
		WHERE s.place = $4 AND s.name = $5 AND s.realm = $6 AND (s.expires_at = 0 OR s.expires_at > $7)`
	// 4 is isClaim. A realm that is restricted may verify only the realms that are
	// listed for it.
	selectBoth = selectCaller + ` UNION ALL SELECT 4, s.id, s.sealed,
		CASE WHEN s.old_valid_to > $8 THEN s.old_sealed END, s.failed_at,
		CASE WHEN s.last_used_at > $9 AND s.last_used_at <= $10 THEN s.last_mark ELSE 0 END
		FROM services s
		WHERE s.place = $11 AND s.name = $12 AND s.realm = $13 AND (s.expires_at = 0 OR s.expires_at > $14)
			AND (NOT EXISTS (SELECT 1 FROM realms WHERE realm = $15 AND is_restricted = 1)
				OR EXISTS (SELECT 1 FROM realm_allows WHERE caller_realm = $16 AND realm = s.realm))`
)

// load reads the caller's entry, and that of the claim if there is one, at one moment.
// In place of an entry that does not exist, has expired, or is in a realm that the
// caller may not ask about it returns the decoy, for which the same work is done.
func (s *Service) load(ctx context.Context, by Triple, claim *Triple) (who, what entry, now time.Time, err error) {
	err = s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		who, what, err = s.read(tx, by, claim)
		return err
	})
	return who, what, now, err
}

// read is load in a transaction.
func (s *Service) read(tx *db.Tx, by Triple, claim *Triple) (who, what entry, err error) {
	who, what = s.decoy, s.decoy
	now, fresh := tx.Millis(), tx.Millis()-useGrain.Milliseconds()
	query, args := selectCaller, []any{now, fresh, now, rowKey(by.Key()), by.Name, by.Realm, now}
	if claim != nil {
		query = selectBoth
		args = append(args, now, fresh, now, rowKey(claim.Key()), claim.Name, claim.Realm, now, by.Realm, by.Realm)
	}
	rows, err := db.All(tx, scanLoaded, query, args...)
	for _, row := range rows {
		if row.may == isClaim {
			what = row.entry
			continue
		}
		who = row.entry
		who.right = right(by.Realm, row.may&1 != 0, row.may&2 != 0)
	}
	return who, what, err
}

type loaded struct {
	entry
	may int64
}

func scanLoaded(row *loaded, scan db.Scan) error {
	return scan(&row.may, &row.id, &row.sealed, &row.old, &row.failed, &row.mark)
}
