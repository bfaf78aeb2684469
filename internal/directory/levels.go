package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// LevelError reports a level that is refused. Nothing was done.
type LevelError struct{ Level, Problem string }

func (e LevelError) Error() string { return fmt.Sprintf("the level %q: %s", e.Level, e.Problem) }

// Levels returns all factor levels, by name.
func (d *Directory) Levels(ctx context.Context) (all []multifactor.Level, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		all, err = multifactor.Levels(tx)
		return err
	})
	return all, err
}

// Level returns a factor level, or Unknown.
func (d *Directory) Level(ctx context.Context, name string) (multifactor.Level, error) {
	all, err := d.Levels(ctx)
	if err != nil {
		return multifactor.Level{}, err
	}
	if i := slices.IndexFunc(all, func(l multifactor.Level) bool { return l.Name == name }); i >= 0 {
		return all[i], nil
	}
	return multifactor.Level{}, Unknown{"level", name}
}

// ThingsExist returns Unknown for a permission, group, action or app that does not exist.
// Groups are found whatever their case.
func (d *Directory) ThingsExist(ctx context.Context, things []multifactor.Thing) error {
	return d.DB.View(ctx, func(tx *db.Tx) error {
		for i, thing := range things {
			if err := thingExists(tx, &things[i]); errors.Is(err, db.ErrNotFound) {
				return Unknown{string(thing.Kind), thing.Name}
			} else if err != nil {
				return err
			}
		}
		return nil
	})
}

func thingExists(tx *db.Tx, thing *multifactor.Thing) error {
	switch thing.Kind {
	case multifactor.Permission:
		return permissionExists(tx, thing.Name)
	case multifactor.Group:
		g, err := findGroup(tx, thing.Name)
		thing.Name = g.Name
		return err
	case multifactor.Action:
		if !slices.Contains(multifactor.Actions, thing.Name) {
			return db.ErrNotFound
		}
	case multifactor.App: // of which nothing is known but that levels guard it
		levels, err := multifactor.Guarding(tx, *thing)
		if err == nil && len(levels) == 0 {
			err = db.ErrNotFound
		}
		return err
	}
	return nil
}

// DeleteLevel removes a factor level: what it guarded is guarded by the others alone.
func (d *Directory) DeleteLevel(ctx context.Context, by Actor, name string) error {
	return d.administer(ctx, by, func(tx *db.Tx) error {
		return deleteLevel(tx, by, name)
	})
}

func deleteLevel(tx *db.Tx, by Actor, name string) error {
	err := multifactor.DeleteLevel(tx, name)
	if errors.Is(err, db.ErrNotFound) {
		return Unknown{"level", name}
	}
	if err != nil {
		return err
	}
	return audit.WriteRight(tx, audit.ALevel, audit.RightDeleted, by.who, name)
}

// SetLevel stores a factor level, in place of one of its name. It returns a LevelError for
// one that names what does not exist, that nobody could reach, or that would lock out every
// superuser.
func (d *Directory) SetLevel(ctx context.Context, by Actor, l multifactor.Level) error {
	_, err := d.ApplyLevels(ctx, by, []multifactor.Level{l}, false)
	return err
}

// checked returns a level as it is to be stored, or a LevelError.
func (d *Directory) checked(tx *db.Tx, l multifactor.Level) (multifactor.Level, error) {
	l = l.Normal()
	problem := l.Problem()
	if problem == "" {
		problem = d.Factors.Problem(l)
	}
	if problem != "" {
		return l, LevelError{l.Name, problem}
	}
	for i, name := range l.For.Groups {
		g, err := accounts.FindGroup(tx, name)
		if errors.Is(err, db.ErrNotFound) {
			return l, LevelError{l.Name, fmt.Sprintf("there is no group %q; `djauthy groups add` makes one", name)}
		}
		if err != nil {
			return l, err
		}
		l.For.Groups[i] = g.Name // as it is written
	}
	for _, name := range l.For.Permissions {
		exists, err := accounts.PermissionExists(tx, name)
		if err != nil {
			return l, err
		}
		if !exists {
			return l, LevelError{l.Name, fmt.Sprintf("there is no permission %q; `djauthy permissions add` makes one", name)}
		}
	}
	return l.Normal(), nil
}

// keepsAdministrators returns a LevelError if no superuser could administer any more: with
// the factors that they have, none could meet all rules of the action admin. Without any
// superuser there is nobody to lock out.
func (d *Directory) keepsAdministrators(tx *db.Tx, rules *multifactor.Rules) error {
	asked, _ := rules.For(multifactor.Thing{Kind: multifactor.Action, Name: multifactor.Administer})
	if len(asked) == 0 {
		return nil
	}
	superusers, err := accounts.Superusers(tx)
	if err != nil || len(superusers) == 0 {
		return err
	}
	var last multifactor.Decision
	for _, id := range superusers {
		ways, err := d.Factors.Ways(tx, id)
		if err != nil {
			return err
		}
		if d.Factors.Has[multifactor.Bound] { // of which nobody enrolls anything
			ways = append(ways, multifactor.Way{Factors: []multifactor.Factor{multifactor.Bound}})
		}
		if last = multifactor.Decide(asked, ways, nil, tx.Now); len(last.Enroll) == 0 {
			return nil
		}
	}
	return LevelError{last.Rules[0].Level.Name, fmt.Sprintf(
		"no superuser could administer any more: none has set up what it needs (%s). Let one set it up on /account first", multifactor.Need(last.Enroll))}
}
