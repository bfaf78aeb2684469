package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/terminal"
)

type usersCmd struct {
	List       usersListCmd       `cmd:"" help:"List users."`
	Show       usersShowCmd       `cmd:"" help:"Show a user."`
	Add        usersAddCmd        `cmd:"" help:"Invite a user: never swept, may sign in also when sign-up is closed."`
	Activate   usersActivateCmd   `cmd:"" help:"Let a deactivated user sign in again."`
	Deactivate usersDeactivateCmd `cmd:"" help:"Keep a user from signing in and end their sessions."`
	Promote    usersPromoteCmd    `cmd:"" help:"Make a user a superuser."`
	Demote     usersDemoteCmd     `cmd:"" help:"Make a superuser an ordinary user."`
	Rename     usersRenameCmd     `cmd:"" help:"Give a user another username. The old one is never given to anybody else."`
	Unmerge    usersUnmergeCmd    `cmd:"" help:"Undo the merge that made a user an alias of another."`
	Link       usersLinkCmd       `cmd:"" help:"Print a one-time link that signs the user in in any browser."`
	Export     usersExportCmd     `cmd:"" help:"Print all data about a user, as JSON."`
	Delete     usersDeleteCmd     `cmd:"" help:"Remove a user and all data about them."`
}

// userJSON is a user as commands print it.
type userJSON struct {
	ID          accounts.UserID `json:"id,string"`
	Username    string          `json:"username"`
	Name        string          `json:"name"`
	Email       string          `json:"email"`
	Active      bool            `json:"is_active"`
	Superuser   bool            `json:"is_superuser"`
	Invited     bool            `json:"is_invited"`
	Joined      time.Time       `json:"date_joined"`
	LastLogin   *time.Time      `json:"last_login"`
	Deactivated *time.Time      `json:"deactivated_at"`
	Addresses   []string        `json:"addresses,omitempty"`
}

func toJSON(p directory.Person) userJSON {
	u := p.User
	j := userJSON{
		ID: u.ID, Username: u.Username, Name: u.Name(), Email: u.Email, Active: u.Active, Superuser: u.Superuser, Invited: u.Invited, Joined: u.Joined,
		LastLogin: pointer(u.LastLogin), Deactivated: pointer(u.Deactivated),
	}
	for _, a := range p.Accounts {
		j.Addresses = append(j.Addresses, a.Addr.Prefixed())
	}
	return j
}

// state is the user's state in one word.
func (j userJSON) state() string {
	switch {
	case j.Deactivated != nil:
		return "deactivated"
	case !j.Active && j.Invited:
		return "invited"
	case !j.Active:
		return "unproved"
	case j.Superuser:
		return "superuser"
	}
	return "active"
}

func (j userJSON) lastLogin() string {
	if j.LastLogin == nil {
		return "never"
	}
	return j.LastLogin.Format("2006-01-02 15:04")
}

func (j userJSON) show(e *env) error {
	if e.json {
		return e.print(j)
	}
	return e.table([]string{"USERNAME", j.Username}, [][]string{
		{"ID", fmt.Sprint(j.ID)},
		{"NAME", j.Name},
		{"STATE", j.state()},
		{"ADDRESSES", strings.Join(j.Addresses, ", ")},
		{"JOINED", j.Joined.Format("2006-01-02 15:04")},
		{"LAST SIGN-IN", j.lastLogin()},
	})
}

type usersListCmd struct{}

// Run lists all users.
func (usersListCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	defer func() { _ = h.close() }()
	head := []string{"USERNAME", "STATE", "EMAIL", "NAME", "LAST SIGN-IN"}
	return terminal.List(e.out(), head, func(after accounts.UserID) (lines []terminal.Line, next accounts.UserID, more bool, err error) {
		some, err := h.directory.List(e.ctx, after, terminal.Size)
		for _, u := range some {
			j := toJSON(directory.Person{User: u})
			lines = append(lines, terminal.Row(j, j.Username, j.state(), j.Email, j.Name, j.lastLogin()))
			after = u.ID
		}
		return lines, after, len(some) == terminal.Size, err
	})
}

type usersShowCmd struct{ target }

// Run shows a user.
func (c usersShowCmd) Run(e *env) error {
	var p directory.Person
	if err := c.with(e, func(h *app) (err error) {
		p, err = h.directory.Show(e.ctx, c.ID)
		return err
	}); err != nil {
		return err
	}
	return toJSON(p).show(e)
}

type usersAddCmd struct {
	Address string `arg:"" name:"id" help:"The address to invite, such as ann@example.org."`
}

// Run invites a user. Somebody who is invited already stays so.
func (c usersAddCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	out, err := h.invite(e, c.Address)
	if err = errors.Join(err, h.close()); err != nil {
		return err
	}
	switch {
	case !out.Deactivated.IsZero():
		e.note(fmt.Sprintf("%s is deactivated; `djauthy users activate %s` lets them in again", out.Username, out.Username))
	case out.Already:
		e.note(out.Username + " is invited already")
	}
	return toJSON(out.Person).show(e)
}

// invite makes sure that an address has an invited user.
func (h *app) invite(e *env, address string) (directory.Changed, error) {
	id, refusal := h.discovery.Find(address, "")
	if refusal != "" {
		return directory.Changed{}, usageError{fmt.Errorf("%q: %s", address, h.words.Get("en").T("problem.id."+string(refusal)))}
	}
	return h.directory.Invite(e.ctx, directory.Command(), id)
}

type usersActivateCmd struct{ target }

// Run reactivates a user.
func (c usersActivateCmd) Run(e *env) error {
	return c.change(e, "can sign in already", func(d *directory.Directory) (directory.Changed, error) {
		return d.Activate(e.ctx, directory.Command(), c.ID)
	})
}

type usersDeactivateCmd struct {
	target
	forced
}

// Run deactivates a user.
func (c usersDeactivateCmd) Run(e *env) error {
	return c.change(e, "is deactivated already", func(d *directory.Directory) (directory.Changed, error) {
		return d.Deactivate(e.ctx, directory.Command(), c.ID, c.options()...)
	})
}

type usersPromoteCmd struct{ target }

// Run makes a superuser.
func (c usersPromoteCmd) Run(e *env) error {
	return c.change(e, "is a superuser already", func(d *directory.Directory) (directory.Changed, error) {
		return d.Promote(e.ctx, directory.Command(), c.ID)
	})
}

type usersDemoteCmd struct {
	target
	forced
}

// Run makes a superuser an ordinary user.
func (c usersDemoteCmd) Run(e *env) error {
	return c.change(e, "is no superuser", func(d *directory.Directory) (directory.Changed, error) {
		return d.Demote(e.ctx, directory.Command(), c.ID, c.options()...)
	})
}

type usersRenameCmd struct {
	target
	Username string `arg:"" help:"The new username: 3 to 30 small letters, digits, dots, hyphens and underscores."`
}

// Run gives a user another username.
func (c usersRenameCmd) Run(e *env) error {
	return c.change(e, "has that username already", func(d *directory.Directory) (directory.Changed, error) {
		return d.Rename(e.ctx, directory.Command(), c.ID, c.Username)
	})
}

type usersUnmergeCmd struct{ target }

// Run undoes a merge.
func (c usersUnmergeCmd) Run(e *env) error {
	return c.change(e, "is nobody's alias", func(d *directory.Directory) (directory.Changed, error) {
		return d.Unmerge(e.ctx, directory.Command(), c.ID)
	})
}

type usersLinkCmd struct{ target }

// Run prints a one-time link.
func (c usersLinkCmd) Run(e *env) error {
	var url string
	if err := c.with(e, func(h *app) error {
		u, err := h.directory.Find(e.ctx, c.ID)
		if err != nil {
			return err
		}
		link, err := h.signin.MakeLink(e.ctx, u.ID)
		if errors.Is(err, signin.ErrDeactivated) {
			return fmt.Errorf("%s is deactivated; `djauthy users activate %s` lets them in again", u.Username, u.Username)
		}
		url = h.cfg.PublicURL + "/login/link/" + link.String()
		return err
	}); err != nil {
		return err
	}
	if e.json {
		return e.print(map[string]string{"url": url})
	}
	_, err := fmt.Fprintln(e.stdout, url)
	return err
}

type usersExportCmd struct{ target }

// Run prints all data about a user.
func (c usersExportCmd) Run(e *env) error {
	return c.with(e, func(h *app) error {
		x, err := h.directory.Export(e.ctx, directory.Command(), c.ID)
		if err != nil {
			return err
		}
		w := bufio.NewWriter(e.stdout)
		return errors.Join(x.Write(e.ctx, w), w.Flush())
	})
}

type usersDeleteCmd struct {
	target
	forced
}

// Run removes a user.
func (c usersDeleteCmd) Run(e *env) error {
	var u accounts.User
	if err := c.with(e, func(h *app) (err error) {
		u, err = h.directory.Delete(e.ctx, directory.Command(), c.ID, c.options()...)
		return err
	}); err != nil {
		return err
	}
	if e.json {
		return e.print(map[string]string{"deleted": u.Username})
	}
	_, err := fmt.Fprintln(e.stdout, "Deleted", u.Username)
	return err
}
