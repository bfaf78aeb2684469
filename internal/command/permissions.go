package command

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/terminal"
)

// Permissions are the commands on permissions.
type Permissions struct {
	List   permissionsList   `cmd:"" help:"List permissions."`
	Add    permissionsAdd    `cmd:"" help:"Make a permission."`
	Delete permissionsDelete `cmd:"" help:"Take a permission from everybody and remove it."`
	Grant  permissionsGrant  `cmd:"" help:"Grant a permission to a group or a user."`
	Revoke permissionsRevoke `cmd:"" help:"Take a permission from a group or a user."`
	Check  permissionsCheck  `cmd:"" help:"Exit 0 if a user has a permission, else 1."`
}

type permissionJSON struct {
	Name   string `json:"name"`
	Groups int64  `json:"groups"`
	Users  int64  `json:"users"`
}

type permissionsList struct{}

// Run lists permissions.
func (permissionsList) Run(e *Env) error {
	return e.with(func(h *House) error {
		all, err := h.Directory.Permissions(e.Ctx)
		if err != nil {
			return err
		}
		return terminal.List(e.Out, []string{"PERMISSION", "GROUPS", "USERS"}, func(bool) (lines []terminal.Line, _, _ bool, _ error) {
			for _, p := range all {
				lines = append(lines, terminal.Row(permissionJSON(p), p.Name, strconv.FormatInt(p.Groups, 10), strconv.FormatInt(p.Users, 10)))
			}
			return lines, false, false, nil
		})
	})
}

// permission is the permission that a command is about.
type permission struct {
	Name string `arg:"" help:"The permission, such as reports.read."`
}

type permissionsAdd struct{ permission }

// Run makes a permission.
func (c permissionsAdd) Run(e *Env) error {
	return e.with(func(h *House) error {
		if err := h.Directory.AddPermission(e.Ctx, directory.Command(), c.Name); err != nil {
			return err
		}
		return e.say(map[string]string{"name": c.Name}, "Added "+c.Name)
	})
}

type permissionsDelete struct{ permission }

// Run removes a permission.
func (c permissionsDelete) Run(e *Env) error {
	return e.with(func(h *House) error {
		err := h.Directory.DeletePermission(e.Ctx, directory.Command(), c.Name)
		if errors.Is(err, accounts.ErrOwnPermission) {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		if err != nil {
			return err
		}
		return e.say(map[string]string{"deleted": c.Name}, "Deleted "+c.Name)
	})
}

// grantee is a group or a user by the flags of a command.
type grantee struct {
	Group string `help:"The group." xor:"grantee" required:"" placeholder:"G"`
	User  string `help:"The user: a username, an id, or any address." xor:"grantee" required:"" placeholder:"ID"`
}

func (g grantee) String() string {
	if g.Group != "" {
		return "the group " + g.Group
	}
	return g.User
}

// grantJSON is what was done about a permission.
func (g grantee) json(name, done string) map[string]string {
	if g.Group != "" {
		return map[string]string{done: name, "group": g.Group}
	}
	return map[string]string{done: name, "user": g.User}
}

type permissionsGrant struct {
	permission
	grantee
}

// Run grants a permission.
func (c permissionsGrant) Run(e *Env) error {
	return e.with(func(h *House) error {
		already, err := h.Directory.Grant(e.Ctx, directory.Command(), c.Name, directory.Grantee(c.grantee))
		if err != nil {
			return err
		}
		if already {
			e.Note(fmt.Sprintf("%s has %s already", c.grantee, c.Name))
		}
		return e.say(c.json(c.Name, "granted"), fmt.Sprintf("Granted %s to %s", c.Name, c.grantee))
	})
}

type permissionsRevoke struct {
	permission
	grantee
}

// Run takes a permission away.
func (c permissionsRevoke) Run(e *Env) error {
	return e.with(func(h *House) error {
		already, err := h.Directory.Revoke(e.Ctx, directory.Command(), c.Name, directory.Grantee(c.grantee))
		if err != nil {
			return err
		}
		if already {
			e.Note(fmt.Sprintf("%s was not granted %s", c.grantee, c.Name))
		}
		return e.say(c.json(c.Name, "revoked"), fmt.Sprintf("Revoked %s from %s", c.Name, c.grantee))
	})
}

type permissionsCheck struct {
	permission
	ID string `arg:"" help:"A username, a user's id, or any address."`
}

// Run exits 0 if the user has the permission.
func (c permissionsCheck) Run(e *Env) error {
	return e.with(func(h *House) error {
		has, err := h.Directory.HasPermission(e.Ctx, c.Name, c.ID)
		if err != nil {
			return err
		}
		if e.Out.JSON {
			err = e.Out.Print(map[string]bool{"has": has})
		} else if has {
			_, err = fmt.Fprintf(e.Out.W, "%s has %s\n", c.ID, c.Name)
		}
		if err == nil && !has {
			err = fmt.Errorf("%s does not have %s", c.ID, c.Name)
		}
		return err
	})
}
