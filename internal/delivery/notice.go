package delivery

import (
	"cmp"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/words"
)

// noticeFor is how long a message about a change is tried to be sent.
const noticeFor = 24 * time.Hour

// Notices tell people of changes of how they sign in, at every address that takes messages.
type Notices struct {
	outbox    *outbox.Outbox
	discovery accounts.Discovery
	site      Site
	undo      *seal.MAC
}

// Site is what messages say of where they come from.
type Site struct {
	Name      string
	Host      string // of the public URL
	PublicURL string
}

// NewNotices returns Notices that queue what they send in an outbox.
func NewNotices(out *outbox.Outbox, d accounts.Discovery, site Site, keys *seal.Keys) *Notices {
	return &Notices{outbox: out, discovery: d, site: site, undo: keys.MAC("undo a change")}
}

// Cause is who caused a message: their browser, as history shows it, and their language.
type Cause struct {
	Client audit.Client
	Words  *words.Language
}

// Text is what every message says: of which site it is, and who has caused it.
func (s Site) Text(now time.Time, by Cause) Text {
	l := by.Words
	return Text{Site: s.Name, Host: s.Host, Browser: l.Browser(by.Client.Agent), Place: l.Place(by.Client.Prefix), At: now.Format("15:04 MST")}
}

// notice is messages that are being queued about a change.
type notice struct {
	*Notices
	tx     *db.Tx
	change accounts.Change
	by     Cause
	what   string // that the message is about, without a change
	queued []outbox.Queued
	// elsewhere: somebody gets the message with the link that undoes the change.
	elsewhere bool
}

// Changed queues a message about a change for every account of its user, except those in but.
// Accounts that may undo the change get the link that does.
func (n *Notices) Changed(tx *db.Tx, c accounts.Change, by Cause, but ...accounts.ID) ([]outbox.Queued, error) {
	u, known, err := accounts.WithAccounts(tx, c.User)
	if err != nil {
		return nil, err
	}
	undoers, err := c.Undoers(tx)
	if err != nil {
		return nil, err
	}
	if c.Kind == accounts.Removed { // whose owner must hear of it, whoever has removed it
		known = append(known, accounts.Account{ID: c.Moved[0].Account, Addr: c.Addr, Active: true})
	}
	x := notice{Notices: n, tx: tx, change: c, by: by}
	x.elsewhere = slices.ContainsFunc(known, func(a accounts.Account) bool { return slices.Contains(undoers, a.ID) && a.TakesMessages() })
	for _, a := range known {
		if slices.Contains(but, a.Addr) {
			continue
		}
		notMe := ""
		if slices.Contains(undoers, a.ID) {
			notMe = n.site.PublicURL + "/account/undo/" + n.UndoToken(c.ID, a.ID).String()
		}
		if err := x.enqueue(u, a, string(c.Kind), notMe); err != nil {
			return nil, err
		}
	}
	return x.queued, nil
}

// Undone queues a message that a change was undone for every account that it concerned:
// whoever reads one address with a link can undo it alone. users are those whom it concerned.
func (n *Notices) Undone(tx *db.Tx, c accounts.Change, users []accounts.UserID, by Cause) ([]outbox.Queued, error) {
	x := notice{Notices: n, tx: tx, change: c, by: by}
	for _, user := range users {
		u, all, err := accounts.WithAccounts(tx, user)
		if err != nil {
			return nil, err
		}
		if c.Kind == accounts.Added && user == c.User { // for the address that goes, it is a removal
			if err := x.enqueue(u, accounts.Account{Addr: c.Addr, Active: true}, string(accounts.Removed), ""); err != nil {
				return nil, err
			}
		}
		for _, a := range all {
			if err := x.enqueue(u, a, "undone", ""); err != nil {
				return nil, err
			}
		}
	}
	return x.queued, nil
}

// Told queues a message that cannot be undone for every account of a user: kind is its
// template, what the thing that it is about.
func (n *Notices) Told(tx *db.Tx, user accounts.UserID, kind, what string, by Cause) ([]outbox.Queued, error) {
	u, all, err := accounts.WithAccounts(tx, user)
	if err != nil {
		return nil, err
	}
	x := notice{Notices: n, tx: tx, by: by, what: what}
	for _, a := range all {
		if err := x.enqueue(u, a, kind, ""); err != nil {
			return nil, err
		}
	}
	return x.queued, nil
}

// enqueue queues a message for one account of a user, if it is proved and takes messages.
func (x *notice) enqueue(u accounts.User, a accounts.Account, kind, notMe string) error {
	if !a.TakesMessages() {
		return nil
	}
	to := accounts.Address(a.Addr.Identifier)
	if x.discovery.IsSpelling(u.Email, a.Addr) {
		to = accounts.Address(u.Email)
	}
	id := accounts.ID{Implementation: a.Addr.Implementation, Identifier: a.Addr.Deliverable(to)}
	m := Message{To: id, Kind: kind, Lang: x.by.Words.Lang, Text: x.site.Text(x.tx.Now, x.by)}
	m.Text.Address = cmp.Or(x.what, x.change.Shown())
	m.Text.NotMe, m.Text.Elsewhere, m.Text.Link = notMe, x.elsewhere, x.site.PublicURL+"/account"
	q, err := x.outbox.Enqueue(x.tx, m.Job(x.tx.Now.Add(noticeFor)), false)
	x.queued = append(x.queued, q)
	return err
}

// UndoToken is derived from the change and the account that is told of it (a MAC), so that
// nothing is stored for it.
func (n *Notices) UndoToken(c db.ID, told accounts.AccountID) seal.Token {
	return seal.Token{ID: int64(c), Secret: [32]byte(n.undo.Sum(db.Bytes(c), db.Bytes(db.ID(told))))}
}

// Undoes reports whether a token was sent to one of the accounts about a change.
func (n *Notices) Undoes(t seal.Token, c db.ID, told []accounts.AccountID) bool {
	return slices.ContainsFunc(told, func(a accounts.AccountID) bool {
		return seal.Equal(t.Secret[:], n.undo.Sum(db.Bytes(c), db.Bytes(db.ID(a))))
	})
}
