package audit

import (
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// ServiceEvent names what happened to a micro service. Administrators alone see it.
type ServiceEvent string

// Events of a micro service.
const (
	ServiceAdded   ServiceEvent = "added"
	ServiceChanged ServiceEvent = "changed"
	ServiceRotated ServiceEvent = "rotated"
	ServiceDeleted ServiceEvent = "deleted"
	ServiceRefused ServiceEvent = "refused" // a wrong token
	ServiceArrived ServiceEvent = "arrived" // it called from a network for the first time
)

// ServiceLine is one event of a micro service.
type ServiceLine struct {
	At     time.Time
	Event  ServiceEvent
	Client Client
	Detail string
}

// WriteService adds a line to a micro service's history.
func WriteService(tx *db.Tx, service int64, e ServiceEvent, by By, detail string) error {
	_, err := tx.Exec(`INSERT INTO audit (id, subject_kind, subject_id, actor_kind, actor_id, event, prefix, agent, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		tx.NewID(), ofService, service, by.Actor.kind, by.Actor.id, e, by.Client.Prefix, by.Client.Agent, detail)
	return err
}

// OfService returns the latest lines of a micro service, at most limit, newest first.
func OfService(tx *db.Tx, service int64, limit int) ([]ServiceLine, error) {
	return db.All(tx, func(l *ServiceLine, scan db.Scan) error {
		var id db.ID
		err := scan(&id, &l.Event, &l.Client.Prefix, &l.Client.Agent, &l.Detail)
		l.At = id.Time()
		return err
	}, `SELECT id, event, prefix, agent, detail FROM audit WHERE subject_kind = 'service' AND subject_id = $1 AND subject_id <> 0 ORDER BY id DESC LIMIT $2`, service, limit)
}
