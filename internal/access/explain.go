package access

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/session"
)

// Question is what an administrator asks to have explained.
type Question struct {
	User   accounts.UserID
	Things []multifactor.Thing
	// OneOf lists groups in one of which the person has to be, each list for itself.
	OneOf [][]string
	// Session is one of the user's, 0: one that has only just begun, by the person's usual way.
	Session db.ID
	// Levels, if set, are asked in place of those of their names in the database.
	Levels []multifactor.Level
}

// Explanation says what rules decide about somebody, and why.
type Explanation struct {
	// Allowed also needs the permission or membership itself, and an active person.
	Allowed bool
	// Lacks names the permissions and memberships that the person has not, and "active".
	Lacks    []string
	Decision multifactor.Decision
	Held     []multifactor.Held
}

// ErrUnknownLevel reports a level that does not exist, ErrNoSession a session that is not the
// user's or has ended.
var (
	ErrUnknownLevel = errors.New("there is no such level")
	ErrNoSession    = errors.New("the user has no such session")
)

// Explain says what the rules decide about a person, by the same function as everywhere.
func (s *Service) Explain(ctx context.Context, q Question) (out Explanation, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		out = Explanation{}
		u, err := accounts.GetUser(tx, q.User)
		if err != nil {
			return err
		}
		groups, err := accounts.GroupsOf(tx, q.User)
		if err != nil {
			return err
		}
		q, sess := q, session.Session{User: u}
		by, outside := letInBy(q.OneOf, groups) // as AtSite asks
		q.Things = append(slices.Clone(q.Things), by...)
		if out.Held, err = s.heldIn(tx, q, &sess); err != nil {
			return err
		}
		rules, err := s.asked(tx, q, sess)
		if err != nil {
			return err
		}
		ways, err := s.Factors.Ways(tx, u.ID)
		if err != nil {
			return err
		}
		out.Decision = multifactor.Decide(rules, ways, out.Held, tx.Now)
		if out.Lacks, err = lacks(tx, u, groups, q.Things); err != nil {
			return err
		}
		for _, oneOf := range outside {
			out.Lacks = append(out.Lacks, "one of the groups "+strings.Join(oneOf, ", "))
		}
		out.Allowed = out.Decision.Allowed && len(out.Lacks) == 0
		return nil
	})
	return out, err
}

// heldIn returns the proofs of the session that is asked about.
func (s *Service) heldIn(tx *db.Tx, q Question, sess *session.Session) ([]multifactor.Held, error) {
	if q.Session == 0 {
		return s.Factors.Usual(tx, q.User, s.Sessions.Settings.Absolute)
	}
	all, err := s.Sessions.Of(tx, q.User)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(x session.Session) bool { return x.ID == q.Session })
	if at < 0 {
		return nil, ErrNoSession
	}
	all[at].User = sess.User
	*sess = all[at]
	return s.held(tx, *sess, q.Things)
}

// asked returns the rules, by the levels of the question and of the database.
func (s *Service) asked(tx *db.Tx, q Question, sess session.Session) ([]multifactor.Rule, error) {
	levels, err := multifactor.Levels(tx)
	if err != nil {
		return nil, err
	}
	for _, l := range q.Levels {
		levels = slices.DeleteFunc(levels, func(o multifactor.Level) bool { return o.Name == l.Name })
		levels = append(levels, l)
	}
	rules, known, err := s.rulesBy(tx, multifactor.NewRules(levels), sess, q.Things)
	if err == nil && !known {
		err = ErrUnknownLevel
	}
	return rules, err
}

// lacks lists what a person, who is in some groups, lacks for some things besides proofs.
func lacks(tx *db.Tx, u accounts.User, groups []string, things []multifactor.Thing) (all []string, err error) {
	if !u.Active {
		all = append(all, "active")
	}
	for _, thing := range things {
		has := true
		switch {
		case thing.Kind == multifactor.Permission:
			has, err = u.Has(tx, thing.Name)
		case thing.Kind == multifactor.Group:
			has = slices.Contains(groups, thing.Name)
		case thing == multifactor.Thing{Kind: multifactor.Action, Name: multifactor.Administer}:
			has, err = u.Staff(tx)
		}
		if err != nil {
			return nil, err
		}
		if !has {
			all = append(all, thing.String())
		}
	}
	return all, nil
}

// Until is when a decision ends, nil if it does not.
func (e Explanation) Until() *time.Time {
	if e.Decision.Until.IsZero() {
		return nil
	}
	return &e.Decision.Until
}
