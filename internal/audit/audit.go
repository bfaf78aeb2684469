// Package audit owns what happened: a line for each event of a user or of a
// micro service, for its owner and for administrators.
//
// Lines are written in the transaction of what they tell of. They hold no
// code, token or address.
package audit

import (
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// Event says what happened; it is the last word of the message key
// "history.event.…".
type Event string

// Events of a person.
const (
	CodeSent       Event = "code_sent"
	SignedIn       Event = "signed_in"
	SignedInLink   Event = "signed_in_link"
	CodeWrong      Event = "code_wrong"
	CodeExhausted  Event = "code_exhausted"
	NotMe          Event = "not_me"
	SessionEnded   Event = "session_ended"
	SessionsEnded  Event = "sessions_ended"
	SignedOut      Event = "signed_out"
	Activated      Event = "activated"
	Promoted       Event = "promoted"
	Demoted        Event = "demoted"
	Deactivated    Event = "deactivated"
	SettingsChange Event = "settings_changed"
	Exported       Event = "exported"
	Invited        Event = "invited"
	LinkMade       Event = "link_made"
)

// ServiceEvent says what happened to a micro service. Administrators alone see it.
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

// Client is who asked: never the whole address.
type Client struct {
	Prefix string // the network, IPv4 /24 or IPv6 /48; "" by command
	Agent  string // browser and system, as in "Firefox on Linux"
}

// Line is one event.
type Line struct {
	At     time.Time
	Event  Event
	Client Client
}

// Write adds a line to a user's history.
func Write(tx *db.Tx, user db.ID, e Event, c Client) error {
	_, err := tx.Exec(`INSERT INTO audit (id, user_id, event, prefix, agent, detail) VALUES ($1, $2, $3, $4, $5, '')`,
		tx.NewID(), user, e, c.Prefix, c.Agent)
	return err
}

// WriteService adds a line to a micro service's history.
func WriteService(tx *db.Tx, service int64, e ServiceEvent, c Client, detail string) error {
	_, err := tx.Exec(`INSERT INTO audit (id, user_id, service_id, event, prefix, agent, detail) VALUES ($1, 0, $2, $3, $4, $5, $6)`,
		tx.NewID(), service, e, c.Prefix, c.Agent, detail)
	return err
}

// OfService returns up to limit of a micro service's last lines, newest first.
func OfService(tx *db.Tx, service int64, limit int) (all []ServiceLine, err error) {
	err = tx.Each(func(scan func(...any) error) error {
		var l ServiceLine
		var id db.ID
		err := scan(&id, &l.Event, &l.Client.Prefix, &l.Client.Agent, &l.Detail)
		l.At = id.Time()
		all = append(all, l)
		return err
	}, `SELECT id, event, prefix, agent, detail FROM audit WHERE service_id = $1 AND service_id <> 0 ORDER BY id DESC LIMIT $2`, service, limit)
	return all, err
}

// Of returns a user's last lines, newest first, from before the id given (0:
// from the newest), and the id from which to go on, 0 at the end.
func Of(tx *db.Tx, user db.ID, before db.ID, limit int) (all []Line, next db.ID, err error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	err = tx.Each(func(scan func(...any) error) error {
		var l Line
		err := scan(&next, &l.Event, &l.Client.Prefix, &l.Client.Agent)
		l.At = next.Time()
		all = append(all, l)
		return err
	}, `SELECT id, event, prefix, agent FROM audit WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, user, before, limit)
	if len(all) < limit {
		next = 0
	}
	return all, next, err
}

// forgetAtOnce is how many lines one transaction removes, so that nobody else waits for
// a long history to go.
const forgetAtOnce = 1000

// Forget removes a user's history. What is more than one transaction should remove is
// noted, and goes by ForgetMore.
func Forget(tx *db.Tx, user db.ID) error {
	n, err := forget(tx, user, forgetAtOnce)
	if err != nil || n < forgetAtOnce {
		return err
	}
	_, err = tx.Exec(`INSERT INTO forgotten (user_id, since) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING`, user, tx.Millis())
	return err
}

func forget(tx *db.Tx, user db.ID, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE user_id = $1 ORDER BY id LIMIT $2)`, user, limit)
}

// ForgetMore removes up to limit lines of a user whom Forget has not forgotten whole, and
// reports whether there may be more.
func ForgetMore(tx *db.Tx, limit int) (removed int64, more bool, err error) {
	var user db.ID
	err = tx.Get(`SELECT user_id FROM forgotten ORDER BY user_id LIMIT 1`).Scan(&user)
	if errors.Is(err, db.ErrNotFound) {
		return 0, false, nil
	} else if err != nil {
		return 0, false, err
	}
	removed, err = forget(tx, user, limit)
	if err != nil || removed == int64(limit) {
		return removed, true, err
	}
	_, err = tx.Exec(`DELETE FROM forgotten WHERE user_id = $1`, user)
	return removed, true, err
}

// Sweep removes up to limit lines older than before.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < $1 ORDER BY id LIMIT $2)`, db.FirstID(before), limit)
}
