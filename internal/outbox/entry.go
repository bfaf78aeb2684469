package outbox

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// state of a job, as the table holds it.
type state int

const (
	waiting state = iota
	sent
	bounced // a server refused it for good
	silent  // mute: never sent, written against user enumeration
	givenUp // its code expired before it could be sent
)

func (s state) String() string {
	return []string{"waiting", "sent", "bounced", "silent", "given-up"}[s]
}

// Number is a row's id as operators see it: without its upper bits, so that it is exact as
// a JSON number (RFC 8259 6). It is unique among the rows of 24 days; the sweeper keeps rows
// for one day.
func Number(id db.ID) int64 { return int64(id) & (1<<52 - 1) }

// Entry is a message as operators see it.
type Entry struct {
	Number    int64
	Created   time.Time
	Kind      string // the implementation: "email"
	Recipient string // masked
	State     string // one of States
	Tries     int
	Due       time.Time // of a waiting message: its next try, or the end of its lease
	NotAfter  time.Time // when its code expires
	Done      time.Time // zero while it waits
	Said      string    // the receiver's last reply, addresses masked
	Reason    string    // why the last try failed, in djauthy's words

	id     db.ID
	state  state
	leased bool
}

// States are the states of messages by which List selects.
func States() []string {
	return []string{waiting.String(), sent.String(), bounced.String(), givenUp.String()}
}

const entryColumns = `SELECT id, channel, recipient, state, tries, due_at, not_after, done_at, said, reason, leased FROM outbox `

func (e *Entry) scan(scan db.Scan) error {
	err := scan(&e.id, &e.Kind, &e.Recipient, &e.state, &e.Tries, &e.Due, &e.NotAfter, &e.Done, &e.Said, &e.Reason, &e.leased)
	e.Number, e.Created, e.State = Number(e.id), e.id.Time(), e.state.String()
	return err
}

// A Page is where List continues; the zero value is the beginning.
type Page struct{ after db.ID }

// List returns up to limit messages, oldest first, and where the next ones begin.
// state is one of States, or "" for all. Messages that stand for one that is never
// sent are not among them.
func (o *Outbox) List(ctx context.Context, state string, from Page, limit int) (all []Entry, next Page, err error) {
	err = o.db.View(ctx, func(tx *db.Tx) error {
		all, err = db.All(tx, (*Entry).scan, entryColumns+`WHERE id > $1 AND state <> 3 AND (state = $2 OR $2 = -1) ORDER BY id LIMIT $3`, from.after, stateNumber(state), limit)
		return err
	})
	next = from
	if len(all) > 0 {
		next = Page{all[len(all)-1].id}
	}
	return all, next, err
}

func stateNumber(name string) int64 {
	for s := waiting; s <= givenUp; s++ {
		if s.String() == name {
			return int64(s)
		}
	}
	return -1
}

// Find returns a message by its number, or db.ErrNotFound.
func (o *Outbox) Find(ctx context.Context, number int64) (e Entry, err error) {
	err = o.db.View(ctx, func(tx *db.Tx) error {
		e, err = find(tx, number)
		return err
	})
	return e, err
}

func find(tx *db.Tx, number int64) (e Entry, err error) {
	err = e.scan(tx.Get(entryColumns+`WHERE id % 4503599627370496 = $1 AND state <> 3`, number).Scan)
	return e, err
}

// Retried is the result of Retry.
type Retried int

// Results of Retry.
const (
	RetrySoon    Retried = iota // it is due now
	RetrySent                   // it has been sent
	RetrySending                // it is being sent
	RetryOver                   // its code has expired, so that it is useless
)

// Retry makes a message due now, if that is of use. What a server has refused is
// tried again, too.
func (o *Outbox) Retry(ctx context.Context, number int64) (e Entry, what Retried, err error) {
	err = o.db.Update(ctx, func(tx *db.Tx) error {
		e, what, err = retry(tx, number)
		return err
	})
	return e, what, err
}

func retry(tx *db.Tx, number int64) (Entry, Retried, error) {
	e, err := find(tx, number)
	switch {
	case err != nil:
		return e, 0, err
	case e.state == sent:
		return e, RetrySent, nil
	case tx.Now.After(e.NotAfter):
		return e, RetryOver, nil
	case e.state == waiting && e.leased && e.Due.After(tx.Now) && e.Due.Before(tx.Now.Add(dueLimit)):
		return e, RetrySending, nil
	}
	n, err := tx.Exec(`UPDATE outbox SET state = 0, due_at = $2, done_at = 0, leased = 0 WHERE id = $1 AND state <> 1 AND length(sealed) > 0`, e.id, tx.Now)
	if err != nil || n == 0 {
		return e, RetryOver, err
	}
	e, err = find(tx, number)
	return e, RetrySoon, err
}
