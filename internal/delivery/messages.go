package delivery

import "github.com/djauthy/djauthy/internal/db"

// state of a message, as the table holds it.
type state int

const (
	waiting state = iota
	sent
	bounced // a server refused it for good
	silent  // never to be sent: it stands for one, so that all ids look alike
	givenUp // its code was over before it could be sent
)

func (s state) String() string {
	return []string{"waiting", "sent", "bounced", "silent", "given-up"}[s]
}

// Number is a row's id as operators see it: without its upper bits, so that it is
// exact in the numbers of JSON (RFC 8259 6). It is unique among the rows of 24
// days, and the sweeper keeps those of one.
func Number(id db.ID) int64 { return int64(id) & (1<<52 - 1) }
