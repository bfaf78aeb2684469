package audit

import "github.com/djauthy/djauthy/internal/db"

// Right is something by which people may do more or less. Administrators alone see its
// history.
type Right string

// Rights.
const (
	AGroup      Right = "group"
	APermission Right = "permission"
	ALevel      Right = "level"
	AKey        Right = "key" // that signs tokens
)

// RightEvent names what happened to a right.
type RightEvent string

// Events of a right.
const (
	RightAdded   RightEvent = "added"
	RightChanged RightEvent = "changed"
	RightDeleted RightEvent = "deleted"
	RightGranted RightEvent = "granted" // to a group
	RightRevoked RightEvent = "revoked" // from a group
)

// WriteRight adds a line about a right. detail says which it is and what has changed.
func WriteRight(tx *db.Tx, kind Right, e RightEvent, by Actor, detail string) error {
	_, err := tx.Exec(`INSERT INTO audit (id, subject_kind, subject_id, actor_kind, actor_id, event, prefix, agent, detail) VALUES ($1, $2, 0, $3, $4, $5, '', '', $6)`,
		tx.NewID(), kind, by.kind, by.id, e, detail)
	return err
}
