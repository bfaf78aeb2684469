package command

import (
	"fmt"
	"strconv"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/terminal"
)

// Groups are the commands on groups.
type Groups struct {
	List    groupsList    `cmd:"" help:"List groups."`
	Add     groupsAdd     `cmd:"" help:"Make a group."`
	Delete  groupsDelete  `cmd:"" help:"Remove a group, with its memberships and permissions."`
	Members groupsMembers `cmd:"" help:"List the members of a group."`
	Join    groupsJoin    `cmd:"" help:"Make users members of a group: all or none."`
	Leave   groupsLeave   `cmd:"" help:"End the membership of users in a group."`
}

type groupJSON struct {
	Name    string `json:"name"`
	Members int64  `json:"members"`
}

type groupsList struct{}

// Run lists groups.
func (groupsList) Run(e *Env) error {
	return e.with(func(h *House) error {
		return terminal.List(e.Out, []string{"GROUP", "MEMBERS"}, func(after string) (lines []terminal.Line, next string, more bool, err error) {
			some, err := h.Directory.Groups(e.Ctx, after, terminal.Size)
			for _, g := range some {
				lines = append(lines, terminal.Row(groupJSON{g.Name, g.Members}, g.Name, strconv.FormatInt(g.Members, 10)))
				after = g.Name
			}
			return lines, after, len(some) == terminal.Size, err
		})
	})
}

// group is the group that a command is about.
type group struct {
	Name string `arg:"" help:"The group's name."`
}

type groupsAdd struct{ group }

// Run makes a group.
func (c groupsAdd) Run(e *Env) error {
	return e.with(func(h *House) error {
		g, err := h.Directory.AddGroup(e.Ctx, directory.Command(), c.Name)
		if err != nil {
			return err
		}
		return e.say(map[string]string{"name": g.Name}, "Added "+g.Name)
	})
}

type groupsDelete struct{ group }

// Run removes a group.
func (c groupsDelete) Run(e *Env) error {
	return e.with(func(h *House) error {
		g, err := h.Directory.DeleteGroup(e.Ctx, directory.Command(), c.Name)
		if err != nil {
			return err
		}
		return e.say(map[string]string{"deleted": g.Name}, "Deleted "+g.Name)
	})
}

type groupsMembers struct{ group }

// Run lists the members of a group.
func (c groupsMembers) Run(e *Env) error {
	return e.with(func(h *House) error {
		return terminal.List(e.Out, []string{"USERNAME", "STATE", "EMAIL", "NAME"}, func(after accounts.UserID) (lines []terminal.Line, next accounts.UserID, more bool, err error) {
			some, err := h.Directory.Members(e.Ctx, c.Name, after, terminal.Size)
			for _, u := range some {
				j := toJSON(directory.Person{User: u})
				lines = append(lines, terminal.Row(j, j.Username, j.state(), j.Email, j.Name))
				after = u.ID
			}
			return lines, after, len(some) == terminal.Size, err
		})
	})
}

// membership is a group and the users who join or leave it.
type membership struct {
	group
	IDs []string `arg:"" name:"id" help:"Usernames, ids of users, or any addresses."`
}

// print prints who has joined or left.
func (m membership) print(e *Env, done string, all []directory.Membership) error {
	usernames := []string{}
	for _, x := range all {
		if x.Already {
			e.Note(fmt.Sprintf("%s has %s %s already", x.Username, done, m.Name))
		}
		usernames = append(usernames, x.Username)
	}
	if e.Out.JSON {
		return e.Out.Print(map[string]any{"group": m.Name, done: usernames})
	}
	for _, name := range usernames {
		if _, err := fmt.Fprintf(e.Out.W, "%s has %s %s\n", name, done, m.Name); err != nil {
			return err
		}
	}
	return nil
}

type groupsJoin struct{ membership }

// Run makes users members of a group.
func (c groupsJoin) Run(e *Env) error {
	return e.with(func(h *House) error {
		all, err := h.Directory.Join(e.Ctx, directory.Command(), c.Name, c.IDs)
		if err != nil {
			return err
		}
		return c.print(e, "joined", all)
	})
}

type groupsLeave struct{ membership }

// Run ends the membership of users in a group.
func (c groupsLeave) Run(e *Env) error {
	return e.with(func(h *House) error {
		all, err := h.Directory.Leave(e.Ctx, directory.Command(), c.Name, c.IDs)
		if err != nil {
			return err
		}
		return c.print(e, "left", all)
	})
}
