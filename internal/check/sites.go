package check

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/sites"
)

// Sites returns warnings about sites, and about rules for some of their paths, that name a
// level or a group that does not exist, or that a level guards which nobody could reach.
// Nobody gets in there. Levels and groups are in the database, so that reading the settings
// finds none of it.
func Sites(ctx context.Context, d *db.DB, factors multifactor.Server, all []*sites.Site) (warnings []string, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	err = d.View(ctx, func(tx *db.Tx) error {
		warnings = nil
		levels, err := multifactor.Levels(tx)
		if err != nil {
			return err
		}
		l := siteLevels{multifactor.NewRules(levels), factors}
		for _, s := range all {
			for _, where := range placesOf(s) {
				found, err := l.warn(tx, where)
				if err != nil {
					return err
				}
				warnings = append(warnings, found...)
			}
		}
		return nil
	})
	return warnings, err
}

// place is a site, or what a rule is for.
type place struct {
	origin, rule string // rule: its path, "" for all of the site
	level        string
	groups       []string
}

func (p place) String() string {
	if p.rule == "" {
		return "the [[site]] " + p.origin
	}
	return "the [[site]] " + p.origin + ", its rule for " + p.rule + ","
}

func placesOf(s *sites.Site) []place {
	all := []place{{origin: s.Origin, level: s.Level, groups: s.Groups}}
	for _, r := range s.Rules {
		all = append(all, place{origin: s.Origin, rule: r.Path, level: r.Level, groups: r.Groups})
	}
	return all
}

type siteLevels struct {
	rules   *multifactor.Rules
	factors multifactor.Server
}

func (l siteLevels) warn(tx *db.Tx, p place) (all []string, err error) {
	var asked []*multifactor.Level
	if p.level != "" {
		level := l.rules.Level(p.level)
		if level == nil {
			all = append(all, fmt.Sprintf("%s names the level %q, which does not exist: nobody gets in there; `djauthy levels set %s --need …` makes it", p, p.level, p.level))
		} else {
			asked = append(asked, level)
		}
	}
	if p.rule == "" {
		guards, _ := l.rules.For(multifactor.Thing{Kind: multifactor.Site, Name: p.origin})
		for _, r := range guards {
			if !slices.Contains(asked, r.Level) {
				asked = append(asked, r.Level)
			}
		}
	}
	for _, level := range asked {
		if l.factors.AtSites().Reaches(*level) {
			continue
		}
		why := l.factors.Problem(*level)
		if why == "" {
			why = "cookies of sites on other hosts are bound to no device; give it a second set with --need"
		}
		all = append(all, fmt.Sprintf("%s is guarded by the level %q, and nobody gets in there: %s", p, level.Name, why))
	}
	for _, name := range p.groups {
		switch _, err := accounts.FindGroup(tx, name); {
		case errors.Is(err, db.ErrNotFound):
			all = append(all, fmt.Sprintf("%s names the group %q, which does not exist: it lets nobody in; `djauthy groups add %s` makes it", p, name, name))
		case err != nil:
			return nil, err
		}
	}
	return all, nil
}

// trySites is Sites as findings: none of them fails the check.
func (h House) trySites(ctx context.Context) (all []Finding) {
	warnings, err := Sites(ctx, h.DB, h.Factors, h.Sites)
	if err != nil || len(warnings) == 0 {
		return []Finding{Found("sites", err, "their levels and groups exist")}
	}
	for _, w := range warnings {
		all = append(all, Found("sites", nil, "warning: "+w))
	}
	return all
}
