package audit

import (
	"cmp"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// row is a row of a user's history, with the event that followed, if any.
type row struct {
	id          db.ID
	event, then Line
}

func (r *row) scan(scan db.Scan) error {
	err := scan(&r.id, &r.event.Event, &r.event.Client.Prefix, &r.event.Client.Agent, &r.then.Event, &r.then.At, &r.then.Client.Prefix, &r.then.Client.Agent)
	r.event.At = r.id.Time()
	return err
}

// placed is a line with its place among all lines: the id that a row of its own would have.
type placed struct {
	Line
	place db.ID
}

// lines are the lines of a row, newest first. The second event is the first of its
// millisecond, since what it made possible came after it; but it never stands before the
// first event, whatever the clock did between them.
func (r row) lines() []placed {
	first := placed{r.event, r.id}
	if r.then.Event == "" {
		return []placed{first}
	}
	return []placed{{r.then, max(r.id, db.FirstID(r.then.At))}, first}
}

// FinishedWithin is how long after the first event of a row the second can follow: as long
// as an attempt with the longest life of a code is kept.
const FinishedWithin = 26 * time.Hour

const columns = `SELECT id, event, prefix, agent, then_event, then_at, then_prefix, then_agent FROM audit
	WHERE subject_kind = 'user' AND subject_id = $1 AND subject_id <> 0 AND id < $2 `

// Of returns a page of limit lines of a user's history, newest first, or a few more where
// several have the place of the last, from before a place (0: from the newest), and the place
// to go on from, 0 at the end.
func Of(tx *db.Tx, user db.ID, before db.ID, limit int) (page []Line, next db.ID, err error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	rows, err := db.All(tx, (*row).scan, columns+`ORDER BY id DESC LIMIT $3`, user, before, limit)
	if err != nil {
		return nil, 0, err
	}
	oldest, more := db.ID(0), len(rows) == limit
	if more { // a sign-in of this page may lie in an older row
		oldest = rows[limit-1].id
		older, err := db.All(tx, (*row).scan, columns+`AND id >= $3 AND then_event <> '' AND then_at >= $4`, user, oldest, db.FirstID(oldest.Time().Add(-FinishedWithin)), oldest.Time())
		if err != nil {
			return nil, 0, err
		}
		rows = append(rows, older...)
	}
	var all []placed
	for _, r := range rows {
		for _, l := range r.lines() {
			if l.place < before && l.place >= oldest {
				all = append(all, l)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(b.place, a.place) })
	for i, l := range all {
		if i >= limit && l.place != next {
			return page, next, nil
		}
		page, next = append(page, l.Line), l.place
	}
	if !more {
		next = 0
	}
	return page, next, nil
}
