package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/djauthy/djauthy/internal/services"
)

type realmsCmd struct {
	List realmsListCmd `cmd:"" help:"List the realms of the wire, and those for which something is set."`
	Set  realmsSetCmd  `cmd:"" help:"Say what the members of a realm may do."`
	Drop realmsDropCmd `cmd:"" help:"Take away what was set. Members may then be verified and nothing else; those of ungleich-auth verify all."`
}

var rightNames = map[string]services.Right{"nothing": services.Nothing, "verify": services.Verify, "administer": services.Administer}

func rightName(r services.Right) string {
	for name, x := range rightNames {
		if x == r {
			return name
		}
	}
	return ""
}

type realmJSON struct {
	Realm string   `json:"realm"`
	May   string   `json:"may"`
	Only  []string `json:"only"`
}

type realmsListCmd struct{}

// Run lists realms.
func (realmsListCmd) Run(e *env) error {
	all, err := operate(e, func(o services.Operator) ([]services.Realm, error) { return o.Realms(e.ctx) })
	if err != nil {
		return err
	}
	list, rows := []realmJSON{}, [][]string{}
	for _, r := range all {
		j := realmJSON{r.Name, rightName(r.Right), nonNil(r.Only)}
		list = append(list, j)
		rows = append(rows, []string{j.Realm, j.May, strings.Join(j.Only, ", ")})
	}
	if e.json {
		return e.print(list)
	}
	return e.table([]string{"REALM", "MAY", "ONLY"}, rows)
}

type realmsSetCmd struct {
	Realm string  `arg:"" help:"The realm."`
	May   string  `required:"" enum:"nothing,verify,administer" help:"nothing, verify, or administer (which is also to verify)." placeholder:"nothing|verify|administer"`
	Only  *string `help:"The realms that its members may verify, separated by commas; without it all." placeholder:"REALM,…"`
}

// Run sets a realm's rights.
func (c realmsSetCmd) Run(e *env) error {
	var only []string
	if c.Only != nil {
		for realm := range strings.SplitSeq(*c.Only, ",") {
			only = append(only, strings.TrimSpace(realm)) // an empty one is refused: it may be a variable that is not set
		}
	}
	r := services.Realm{Name: c.Realm, Right: rightNames[c.May], Only: only}
	_, err := operate(e, func(o services.Operator) (services.Realm, error) { return r, o.SetRealm(e.ctx, r) })
	if errors.Is(err, services.ErrFixed) || errors.Is(err, services.ErrOnly) || errors.Is(err, services.ErrText) {
		return usageError{err}
	} else if err != nil {
		return err
	}
	return e.say(realmJSON{c.Realm, c.May, nonNil(only)}, c.sentence(only))
}

// sentence says what the members may do.
func (c realmsSetCmd) sentence(only []string) string {
	switch {
	case c.May == "nothing":
		return fmt.Sprintf("The members of %s may be verified, and nothing else.", c.Realm)
	case len(only) > 0:
		return fmt.Sprintf("The members of %s may verify those of %s.", c.Realm, strings.Join(only, ", "))
	}
	return fmt.Sprintf("The members of %s may %s all.", c.Realm, c.May)
}

type realmsDropCmd struct {
	Realm string `arg:"" help:"The realm."`
}

// Run drops a realm's rights.
func (c realmsDropCmd) Run(e *env) error {
	_, err := operate(e, func(o services.Operator) (string, error) { return c.Realm, o.DropRealm(e.ctx, c.Realm) })
	switch {
	case errors.Is(err, services.ErrUnset):
		return fmt.Errorf("%s: %w; `djauthy services realms list` shows all", c.Realm, services.ErrUnset)
	case err != nil:
		return err
	}
	return e.say(map[string]string{"dropped": c.Realm}, "Dropped what was set for "+c.Realm)
}
