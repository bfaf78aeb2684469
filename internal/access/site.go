package access

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// Visit is a request for a site of which a proxy asks.
type Visit struct {
	Cookie seal.Token
	// Origin is the site's; "": public_url's own, where the cookie is the session's.
	Origin string
	Levels []string   // all of which are needed, by name
	Groups [][]string // of each list one membership is needed
}

// Visitor is who a visitor of a site is, and whether the site lets them in.
type Visitor struct {
	Access
	Groups []string // all that they are in, by name
	// Member: they are in one of each list of groups.
	Member bool
	// Asks are the names of levels that are not held yet.
	Asks []string
}

// AtSite returns who a visitor of a site is. Levels guard the site, what its rule names, and
// the groups by which somebody is let in. Without a session the Visitor is zero.
func (s *Service) AtSite(ctx context.Context, v Visit) (out Visitor, err error) {
	read := func(tx *db.Tx, sess session.Session) (err error) {
		out = Visitor{}
		if out.Groups, err = accounts.GroupsOf(tx, sess.User.ID); err != nil {
			return err
		}
		things, member := v.things(out.Groups)
		out.Member = member
		if out.Decision, out.Known, err = s.decide(tx, sess, things); err != nil || out.Decision.Allowed {
			return err
		}
		held, err := s.held(tx, sess, things)
		if err != nil {
			return err
		}
		for _, r := range out.Decision.Rules {
			if !r.Level.HeldBy(held, tx.Now) && !slices.Contains(out.Asks, r.Level.Name) {
				out.Asks = append(out.Asks, r.Level.Name)
			}
		}
		return nil
	}
	var sess session.Session
	if v.Origin == "" {
		sess, err = s.Sessions.CheckAnd(ctx, v.Cookie, read)
	} else {
		sess, err = s.Sessions.CheckAt(ctx, v.Cookie, v.Origin, read)
	}
	if errors.Is(err, db.ErrNotFound) {
		return Visitor{}, nil
	}
	out.Session = sess
	return out, err
}

// things are what the rules are asked about. member is false for somebody who is not in one
// of each list of groups.
func (v Visit) things(groups []string) (all []multifactor.Thing, member bool) {
	all = append(all, multifactor.Thing{Kind: multifactor.Site, Name: v.Origin})
	for _, name := range v.Levels {
		all = append(all, multifactor.Thing{Kind: multifactor.ByName, Name: name})
	}
	by, lacks := letInBy(v.Groups, groups)
	return append(all, by...), len(lacks) == 0
}

// letInBy returns the groups of somebody by which they are let in where one of each list is
// needed, whatever their case, and the lists that they are in none of.
func letInBy(lists [][]string, groups []string) (by []multifactor.Thing, lacks [][]string) {
	for _, oneOf := range lists {
		mine := slices.DeleteFunc(slices.Clone(groups), func(g string) bool {
			return !slices.ContainsFunc(oneOf, func(name string) bool { return strings.EqualFold(name, g) })
		})
		if len(mine) == 0 {
			lacks = append(lacks, oneOf)
		}
		for _, name := range mine {
			by = append(by, multifactor.Thing{Kind: multifactor.Group, Name: name})
		}
	}
	return by, lacks
}

// Handoff makes the code with which a person's session is taken over at a site. ok is false
// without a session.
func (s *Service) Handoff(ctx context.Context, cookie seal.Token, h session.Handoff) (code seal.Token, ok bool, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		ok = false
		sess, err := s.Sessions.Find(tx, cookie)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ok = true
		code, err = session.NewHandoff(tx, sess, h)
		return err
	})
	return code, ok, err
}

// Entered is a session that was taken over at a site.
type Entered struct {
	OK      bool
	Cookie  seal.Token
	Address string // where the person wanted to go
	Session session.Session
}

// EnterSite takes a session over at a site by the code of a hand-off. browser are the hashes
// to one of which it has to be bound.
func (s *Service) EnterSite(ctx context.Context, code seal.Token, origin string, browser [][]byte) (out Entered, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) (err error) {
		out = Entered{}
		out.Cookie, out.Address, out.Session.Expires, out.OK, err = s.Sessions.EnterSite(tx, code, origin, browser)
		return err
	})
	return out, err
}

// LeaveSite ends a session at a site alone.
func (s *Service) LeaveSite(ctx context.Context, cookie seal.Token, origin string) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error { return session.LeaveSite(tx, cookie, origin) })
}
