package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// Applied is what applying levels did, or would do. Levels are by name.
type Applied struct {
	Set     []string `json:"set"`
	Deleted []string `json:"deleted"`
	Same    []string `json:"unchanged"`
}

// Preview is what applying levels would do.
type Preview struct {
	Applied
	// Users whom the change concerns, by username: those who are asked for more, for less, and
	// those who have not set up what they are asked for, and so can no longer get in. Of long
	// lists the first maxNamed; the counts are whole.
	More      []string `json:"more"`
	Less      []string `json:"less"`
	LockedOut []string `json:"locked_out"`
	Counts    Counts   `json:"counts"`
}

// Counts is how many users a change of levels concerns.
type Counts struct {
	More      int `json:"more"`
	Less      int `json:"less"`
	LockedOut int `json:"locked_out"`
}

// maxNamed bounds the usernames of a list of a Preview.
const maxNamed = 1000

// plan is a change of levels that may be made.
type plan struct {
	Applied
	set           []multifactor.Level
	before, after []multifactor.Level
}

// ApplyLevels stores levels, all or none; prune removes those that are not among them. It
// refuses as SetLevel does.
func (d *Directory) ApplyLevels(ctx context.Context, by Actor, levels []multifactor.Level, prune bool) (out Applied, err error) {
	err = d.administer(ctx, by, func(tx *db.Tx) error {
		p, err := d.plan(tx, levels, prune)
		if err != nil {
			return err
		}
		out = p.Applied
		for _, l := range p.set {
			if err := multifactor.SetLevel(tx, l); err != nil {
				return err
			}
			if err := audit.WriteRight(tx, audit.ALevel, audit.RightChanged, by.who, l.Name); err != nil {
				return err
			}
		}
		for _, name := range p.Deleted {
			if err := deleteLevel(tx, by, name); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// plan checks levels and returns what applying them does.
func (d *Directory) plan(tx *db.Tx, levels []multifactor.Level, prune bool) (p plan, err error) {
	p.Applied = Applied{Set: []string{}, Deleted: []string{}, Same: []string{}}
	if p.before, err = multifactor.Levels(tx); err != nil {
		return p, err
	}
	named := map[string]bool{}
	for _, l := range levels {
		if named[l.Name] {
			return p, LevelError{l.Name, "it stands twice"}
		}
		named[l.Name] = true
		if l, err = d.checked(tx, l); err != nil {
			return p, err
		}
		p.after = append(p.after, l)
		if slices.ContainsFunc(p.before, l.Equal) {
			p.Same = append(p.Same, l.Name)
			continue
		}
		p.Set = append(p.Set, l.Name)
		p.set = append(p.set, l)
	}
	for _, l := range p.before {
		switch {
		case named[l.Name]:
		case prune:
			p.Deleted = append(p.Deleted, l.Name)
		default:
			p.after = append(p.after, l)
		}
	}
	return p, d.keepsAdministrators(tx, multifactor.NewRules(p.after))
}

// PreviewLevels returns what ApplyLevels would do, and who would notice: it compares for
// every active user, as somebody who has only just signed in by their usual way. It stores
// nothing, and refuses what ApplyLevels refuses.
func (d *Directory) PreviewLevels(ctx context.Context, levels []multifactor.Level, prune bool) (out Preview, err error) {
	out = Preview{More: []string{}, Less: []string{}, LockedOut: []string{}}
	var c comparison
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		p, err := d.plan(tx, levels, prune)
		out.Applied = p.Applied
		c = comparison{d: d, was: multifactor.NewRules(p.before), is: multifactor.NewRules(p.after)}
		return err
	})
	if err != nil {
		return out, err
	}
	if c.changed = c.was.Changed(c.is); len(c.changed) == 0 {
		return out, nil
	}
	for after, more := accounts.UserID(0), true; more; { // page by page, so that no transaction lasts long
		err := d.DB.View(ctx, func(tx *db.Tx) error {
			const size = 500
			sum := out // the function may run again
			users, err := accounts.List(tx, after, size)
			for _, u := range users {
				if err := c.add(tx, u, &sum); err != nil {
					return fmt.Errorf("user %s: %w", u.Username, err)
				}
			}
			if err != nil {
				return err
			}
			if out, more = sum, len(users) == size; more {
				after = users[size-1].ID
			}
			return nil
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// comparison compares two sets of rules.
type comparison struct {
	d       *Directory
	was, is *multifactor.Rules
	changed []multifactor.Thing
}

// add says what the other rules change for a user.
func (c comparison) add(tx *db.Tx, u accounts.User, out *Preview) error {
	d := c.d
	if !u.Active {
		return nil
	}
	mine, err := concern(tx, u, c.changed)
	if err != nil || len(mine) == 0 {
		return err
	}
	ways, err := d.Factors.Ways(tx, u.ID)
	if err != nil {
		return err
	}
	held, err := d.Factors.Usual(tx, u.ID, d.Sessions.Settings.Absolute)
	if err != nil {
		return err
	}
	more, less, lockedOut := false, false, false
	for _, thing := range mine {
		old, _ := c.was.For(thing)
		now, _ := c.is.For(thing)
		a, b := multifactor.Decide(old, ways, held, tx.Now), multifactor.Decide(now, ways, held, tx.Now)
		more = more || len(b.Missing) > len(a.Missing)
		less = less || len(b.Missing) < len(a.Missing)
		lockedOut = lockedOut || len(b.Enroll) > 0 && len(a.Enroll) == 0
	}
	note := func(is bool, names *[]string, count *int) {
		if !is {
			return
		}
		if *count++; len(*names) < maxNamed {
			*names = append(*names, u.Username)
		}
	}
	note(more, &out.More, &out.Counts.More)
	note(less, &out.Less, &out.Counts.Less)
	note(lockedOut, &out.LockedOut, &out.Counts.LockedOut)
	return nil
}

// concern leaves of the things those that a user may use at all: the permissions that they
// have, their groups, /admin for those who may see a page of it, and what is for everybody.
func concern(tx *db.Tx, u accounts.User, things []multifactor.Thing) (mine []multifactor.Thing, err error) {
	groups, err := accounts.GroupsOf(tx, u.ID)
	if err != nil {
		return nil, err
	}
	for _, thing := range things {
		ok := true
		switch {
		case thing.Kind == multifactor.Permission:
			ok, err = u.Has(tx, thing.Name)
		case thing.Kind == multifactor.Group:
			ok = slices.Contains(groups, thing.Name)
		case thing == multifactor.Thing{Kind: multifactor.Action, Name: multifactor.Administer}:
			ok, err = u.Staff(tx)
		}
		if err != nil {
			return nil, err
		}
		if ok {
			mine = append(mine, thing)
		}
	}
	return mine, nil
}
