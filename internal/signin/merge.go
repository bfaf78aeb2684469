package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/session"
)

// mergeFor is how long after both proofs two users can be merged.
const mergeFor = 10 * time.Minute

// merge is what a browser keeps between the proof of the second user and the button, sealed.
type merge struct {
	Session db.ID
	Account accounts.AccountID // that was proved
	User    accounts.UserID    // whose it is
	Until   time.Time
}

// keepsMerge tells what is sealed here from what else a browser keeps.
const keepsMerge = "merge"

func (s *Service) sealMerge(tx *db.Tx, sess session.Session, who accounts.AccountStatus) (string, error) {
	text, err := json.Marshal(merge{sess.ID, who.Account, who.User, tx.Now.Add(mergeFor)})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.trips.Seal(text, append([]byte(keepsMerge), db.Bytes(sess.ID)...))), nil
}

func (s *Service) openMerge(sealed string, by Requester) (m merge, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || sealed == "" {
		return m, false
	}
	text, err := s.trips.Open(raw, append([]byte(keepsMerge), db.Bytes(db.ID(by.Session.ID))...))
	if err != nil {
		return m, false
	}
	return m, json.Unmarshal(text, &m) == nil
}

// Mergeable is what the page asks about: the user who would become an alias.
type Mergeable struct {
	Found     bool
	Username  string
	Superuser bool // who stops being one
	Addresses []accounts.Account
	Groups    []string // which stay behind, with the user's permissions
}

// Merged is the outcome of a merge.
type Merged int

// Outcomes.
const (
	MergedNothing Merged = iota // the proofs are too old, or something has changed since
	MergedUsers
	MergedSuperuser // the other user is the last superuser, and stays
)

// Mergeable returns whom the person of the session has proved to be, too.
func (s *Service) Mergeable(ctx context.Context, sealed string, by Requester) (m Mergeable, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		_, kept, ok, err := s.mergeable(tx, sealed, by)
		if m = (Mergeable{}); err != nil || !ok {
			return err
		}
		u, err := accounts.GetUser(tx, kept.User)
		if err != nil {
			return err
		}
		m = Mergeable{Found: true, Username: u.Username, Superuser: u.Superuser}
		if m.Groups, err = accounts.GroupsOf(tx, kept.User); err != nil {
			return err
		}
		m.Addresses, err = accounts.Of(tx, kept.User)
		return err
	})
	return m, err
}

// mergeable checks what the browser kept: the same session, in time, which may add addresses,
// and the account that was proved is still that of the other user, who is active.
func (s *Service) mergeable(tx *db.Tx, sealed string, by Requester) (sess session.Session, m merge, ok bool, err error) {
	m, kept := s.openMerge(sealed, by)
	if !kept || tx.Now.After(m.Until) {
		return sess, m, false, nil
	}
	sess, _, may, err := s.owner(tx, by, adding)
	if err != nil || !may || sess.ID != m.Session {
		return sess, m, false, err
	}
	a, u, err := accounts.Get(tx, m.Account)
	if errors.Is(err, db.ErrNotFound) {
		return sess, m, false, nil
	}
	if err != nil || a.User != m.User || !u.Active && !u.Invited || !u.Deactivated.IsZero() || u.ID == sess.User.ID {
		return sess, m, false, err
	}
	guarded, err := multifactor.UserHasSecond(tx, m.User) // who reads one address would get all without it
	return sess, m, !guarded, err
}

// Merge merges the user whom the person has proved to be into the one of the session, and
// ends the other's sessions.
func (s *Service) Merge(ctx context.Context, sealed string, by Requester) (out Merged, err error) {
	var told []outbox.Queued
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		out, told = MergedNothing, nil
		sess, m, ok, err := s.mergeable(tx, sealed, by)
		if err != nil || !ok {
			return err
		}
		c, err := accounts.Merge(tx, sess.User.ID, m.User)
		if errors.Is(err, accounts.ErrLastSuperuser) {
			out = MergedSuperuser
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := session.EndAll(tx, m.User, 0); err != nil {
			return err
		}
		for _, user := range []accounts.UserID{sess.User.ID, m.User} {
			if err := audit.Write(tx, db.ID(user), audit.Person(db.ID(sess.User.ID)), audit.UsersMerged, by.Client); err != nil {
				return err
			}
		}
		out = MergedUsers
		told, err = s.Notices.Changed(tx, c, by.cause())
		return err
	})
	if err != nil {
		return out, err
	}
	s.deliver(told, by)
	return out, nil
}
