package access

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/djauthy/djauthy/internal/boundkey"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/session"
)

// Paths to which browsers send the proofs of their keys.
const (
	BindPath    = "/session/bind"
	RefreshPath = "/session/refresh"
)

// Binding binds sessions to keys of their devices (Device Bound Session Credentials, a draft of
// W3C). Browsers that do not know it see a header that they ignore.
type Binding struct {
	Binder    *boundkey.Binder
	PublicURL string
	Cookie    string // the name of the short-lived cookie
	Static    string // a path whose requests need no proof
}

// boundAttributes are those of the short-lived cookie.
const boundAttributes = "Path=/; Secure; HttpOnly; SameSite=Lax"

func nameOf(id db.ID) string { return strconv.FormatInt(int64(id), 10) }

// Offer is what the response that opens a session offers to its browser.
func (b *Binding) Offer(id db.ID, now time.Time) string {
	return b.Binder.Offer(nameOf(id), BindPath, now)
}

// Holds reports whether the short-lived cookie of a bound session is good.
func (b *Binding) Holds(id db.ID, cookie string, now time.Time) bool {
	return b.Binder.Holds(nameOf(id), cookie, now)
}

// Bound is the answer to a browser that registers its key, or proves it.
type Bound struct {
	OK     bool
	Cookie string // of the short-lived cookie
	Body   []byte
	// Challenge is what the browser is to sign, where it has to prove its key first; "": the
	// session has ended, or is bound to another key.
	Challenge string
}

// Bind binds the session that a browser was offered to the key of its proof.
func (s *Service) Bind(ctx context.Context, b *Binding, header string) (out Bound, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		out = Bound{}
		name, key, err := b.Binder.Register(header, b.PublicURL+BindPath, tx.Now)
		if err != nil {
			return nil //nolint:nilerr // what a browser sends is a verdict
		}
		stored, err := key.Bytes()
		if err != nil {
			return err
		}
		id, _ := strconv.ParseInt(name, 10, 64)
		if out.OK, err = s.Sessions.Bind(tx, db.ID(id), stored, tx.Now); err != nil || !out.OK {
			return err
		}
		out.give(b, name, tx.Now)
		return nil
	})
	return out, err
}

// give gives the short-lived cookie, and says what it is for.
func (out *Bound) give(b *Binding, name string, now time.Time) {
	out.Cookie = b.Binder.Cookie(name, now)
	out.Body = boundkey.Instructions{
		Session: name, Refresh: RefreshPath, Cookie: b.Cookie, Attributes: boundAttributes, Except: []string{b.Static}, Initiators: []string{"*"},
	}.JSON()
}

// errLost reports a proof that another request was faster with.
var errLost = errors.New("another proof was faster")

// Refresh gives the browser of a bound session the short-lived cookie anew, for a proof of its
// key.
func (s *Service) Refresh(ctx context.Context, b *Binding, named, header string) (out Bound, err error) {
	name, ok := boundkey.ReadSession(named)
	id, _ := strconv.ParseInt(name, 10, 64)
	if !ok || id == 0 {
		return out, nil
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		out = Bound{}
		stored, last, ok, err := s.Sessions.BoundKey(tx, db.ID(id))
		if err != nil || !ok {
			return err
		}
		key, err := boundkey.ParseKey(stored)
		if err != nil {
			return err
		}
		made, err := b.Binder.Refresh(header, b.PublicURL+RefreshPath, name, key, last, tx.Now)
		if err == nil {
			var first bool
			if first, err = session.ProveBound(tx, db.ID(id), last, made); err == nil && !first {
				err = errLost
			}
		}
		if errors.Is(err, boundkey.ErrChallenge) || errors.Is(err, boundkey.ErrProof) || errors.Is(err, errLost) {
			out.Challenge = b.Binder.Challenge(name, last, tx.Now)
			return nil
		}
		if err != nil {
			return err
		}
		out.OK = true
		out.give(b, name, tx.Now)
		return nil
	})
	return out, err
}
