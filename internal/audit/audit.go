// Package audit owns the history: a line for each event of a user or of a micro service,
// for its owner and for administrators. Tables audit and forgotten.
//
// Lines are written in the transaction of their event. They hold no code, token or
// address.
package audit

import (
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// Event names what happened; it is the last word of the message key "history.event.…".
type Event string

// Events of a person.
const (
	CodeSent          Event = "code_sent"
	SignedIn          Event = "signed_in"
	SignedInLink      Event = "signed_in_link"
	SignedInAnswer    Event = "signed_in_answer"
	SignedInProvider  Event = "signed_in_provider"
	AddressAdded      Event = "address_added"
	AddressRemoved    Event = "address_removed"
	UsersMerged       Event = "users_merged"
	ChangeUndone      Event = "change_undone"
	Renamed           Event = "renamed"
	SteppedUp         Event = "stepped_up"
	SignedInPasskey   Event = "signed_in_passkey"
	FactorAdded       Event = "factor_added"
	FactorRemoved     Event = "factor_removed"
	FactorWrong       Event = "factor_wrong"
	RecoveryUsed      Event = "recovery_used"
	PasskeyCopied     Event = "passkey_copied"
	EnrolmentLinkMade Event = "enrolment_link"
	CodeWrong         Event = "code_wrong"
	CodeExhausted     Event = "code_exhausted"
	NotMe             Event = "not_me"
	SessionEnded      Event = "session_ended"
	SessionsEnded     Event = "sessions_ended"
	SignedOut         Event = "signed_out"
	Activated         Event = "activated"
	Promoted          Event = "promoted"
	Demoted           Event = "demoted"
	Deactivated       Event = "deactivated"
	SettingsChange    Event = "settings_changed"
	Exported          Event = "exported"
	Invited           Event = "invited"
	LinkMade          Event = "link_made"
	GroupJoined       Event = "group_joined"
	GroupLeft         Event = "group_left"
	Granted           Event = "granted" // a permission
	Revoked           Event = "revoked"
)

// Client is where a request came from: never the whole address.
type Client struct {
	Prefix string // the network, IPv4 /24 or IPv6 /48; "" by command
	Agent  string // browser and system, as in "Firefox on Linux"
}

// Actor is who caused an event.
type Actor struct {
	kind string
	id   int64
}

// Actors.
var (
	Visitor = Actor{"visitor", 0} // has not proved who they are
	Command = Actor{"command", 0} // an administrator, by a command
)

// Person is the actor who is signed in as a user.
func Person(user db.ID) Actor { return Actor{"user", int64(user)} }

// Program is the actor that is a micro service.
func Program(service int64) Actor { return Actor{"service", service} }

// By is who caused an event, and from where.
type By struct {
	Actor  Actor
	Client Client
}

// Kinds of subjects. A subject's id is that of its row, 0 if it has no row: an event about
// an unknown user or service.
const (
	ofUser    = "user"
	ofService = "service"
)

// Line is one event.
type Line struct {
	At     time.Time
	Event  Event
	Client Client
}

// Write adds a line to a user's history.
func Write(tx *db.Tx, user db.ID, by Actor, e Event, c Client) error {
	return Begin(tx, tx.NewID(), user, by, e, c)
}

// Begin is Write for the first of two related events: a code was sent. id is for Finish.
func Begin(tx *db.Tx, id, user db.ID, by Actor, e Event, c Client) error {
	_, err := tx.Exec(`INSERT INTO audit (id, subject_kind, subject_id, actor_kind, actor_id, event, prefix, agent, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '')`,
		id, ofUser, user, by.kind, by.id, e, c.Prefix, c.Agent)
	return err
}

// Finish writes the second event, which the user caused, into the row of Begin, because
// two rows per sign-in cost twice as much. Without such a row it adds one. Readers see two
// lines either way.
func Finish(tx *db.Tx, id, user db.ID, e Event, c Client) error {
	n, err := tx.Exec(`UPDATE audit SET then_event = $3, then_at = $4, then_prefix = $5, then_agent = $6
		WHERE id = $1 AND subject_kind = 'user' AND subject_id = $2 AND then_event = ''`, id, user, e, tx.Now, c.Prefix, c.Agent)
	if err != nil || n == 1 {
		return err
	}
	return Write(tx, user, Person(user), e, c)
}

// Sweep removes up to limit lines older than before.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < $1 ORDER BY id LIMIT $2)`, db.FirstID(before), limit)
}
