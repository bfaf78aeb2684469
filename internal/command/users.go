package command

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/terminal"
)

// Users are the commands on users.
type Users struct {
	List       usersList       `cmd:"" help:"List users."`
	Show       usersShow       `cmd:"" help:"Show a user."`
	Add        usersAdd        `cmd:"" help:"Invite a user: never swept, may sign in also when sign-up is closed."`
	Activate   usersActivate   `cmd:"" help:"Let a deactivated user sign in again."`
	Deactivate usersDeactivate `cmd:"" help:"Keep a user from signing in and end their sessions."`
	Promote    usersPromote    `cmd:"" help:"Make a user a superuser."`
	Demote     usersDemote     `cmd:"" help:"Make a superuser an ordinary user."`
	Rename     usersRename     `cmd:"" help:"Give a user another username. The old one is never given to anybody else."`
	Unmerge    usersUnmerge    `cmd:"" help:"Undo the merge that made a user an alias of another."`
	Link       usersLink       `cmd:"" help:"Print a one-time link that signs the user in in any browser."`
	Export     usersExport     `cmd:"" help:"Print all data about a user, as JSON."`
	Delete     usersDelete     `cmd:"" help:"Remove a user and all data about them."`
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
	Sessions    []sessionJSON   `json:"sessions,omitempty"`
	Groups      []string        `json:"groups,omitempty"`
}

// sessionJSON is a session as commands print it. Its number is a text: programs that read
// numbers as floating point would round it.
type sessionJSON struct {
	Number   db.ID     `json:"number,string"`
	Browser  string    `json:"browser"`
	Network  string    `json:"network"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	Expires  time.Time `json:"expires"`
}

func toJSON(p directory.Person) userJSON {
	u := p.User
	j := userJSON{
		ID: u.ID, Username: u.Username, Name: u.Name(), Email: u.Email, Active: u.Active, Superuser: u.Superuser, Invited: u.Invited, Joined: u.Joined,
		LastLogin: terminal.OrNull(u.LastLogin), Deactivated: terminal.OrNull(u.Deactivated),
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
	return terminal.Date(j.LastLogin)
}

func (j userJSON) show(e *Env) error {
	if e.Out.JSON {
		return e.Out.Print(j)
	}
	return e.Out.Table([]string{"USERNAME", j.Username}, [][]string{
		{"ID", fmt.Sprint(j.ID)},
		{"NAME", j.Name},
		{"STATE", j.state()},
		{"ADDRESSES", strings.Join(j.Addresses, ", ")},
		{"GROUPS", strings.Join(j.Groups, ", ")},
		{"SESSIONS", fmt.Sprint(len(j.Sessions))},
		{"JOINED", terminal.Date(&j.Joined)},
		{"LAST SIGN-IN", j.lastLogin()},
	})
}

type usersList struct{}

// Run lists all users.
func (usersList) Run(e *Env) error {
	h, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }()
	head := []string{"USERNAME", "STATE", "EMAIL", "NAME", "LAST SIGN-IN"}
	return terminal.List(e.Out, head, func(after accounts.UserID) (lines []terminal.Line, next accounts.UserID, more bool, err error) {
		some, err := h.Directory.List(e.Ctx, after, terminal.Size)
		for _, u := range some {
			j := toJSON(directory.Person{User: u})
			lines = append(lines, terminal.Row(j, j.Username, j.state(), j.Email, j.Name, j.lastLogin()))
			after = u.ID
		}
		return lines, after, len(some) == terminal.Size, err
	})
}

type usersShow struct{ target }

// Run shows a user.
func (c usersShow) Run(e *Env) error {
	var p directory.Shown
	if err := c.with(e, func(h *House) (err error) {
		p, err = h.Directory.Show(e.Ctx, c.ID)
		return err
	}); err != nil {
		return err
	}
	j := toJSON(p.Person)
	j.Groups = p.Groups
	for _, x := range p.Sessions {
		j.Sessions = append(j.Sessions, sessionJSON{x.ID, x.Client.Agent, x.Client.Prefix, x.Created(), x.LastSeen, x.Expires})
	}
	return j.show(e)
}

type usersAdd struct {
	Address string `arg:"" name:"id" help:"The address to invite, such as ann@example.org."`
}

// Run invites a user. Somebody who is invited already stays so.
func (c usersAdd) Run(e *Env) error {
	h, err := e.Open()
	if err != nil {
		return err
	}
	out, err := h.invite(e, c.Address)
	if err = errors.Join(err, h.Close()); err != nil {
		return err
	}
	switch {
	case !out.Deactivated.IsZero():
		e.Note(fmt.Sprintf("%s is deactivated; `djauthy users activate %s` lets them in again", out.Username, out.Username))
	case out.Already:
		e.Note(out.Username + " is invited already")
	}
	return toJSON(out.Person).show(e)
}

// invite makes sure that an address has an invited user.
func (h *House) invite(e *Env, address string) (directory.Changed, error) {
	id, refusal := h.Directory.Discovery.Find(address, "")
	if refusal != "" {
		return directory.Changed{}, UsageError{fmt.Errorf("%q: %s", address, h.Words.Get("en").T("problem.id."+string(refusal)))}
	}
	return h.Directory.Invite(e.Ctx, directory.Command(), id)
}

type usersActivate struct{ target }

// Run reactivates a user.
func (c usersActivate) Run(e *Env) error {
	return c.change(e, "can sign in already", func(d *directory.Directory) (directory.Changed, error) {
		return d.Activate(e.Ctx, directory.Command(), c.ID)
	})
}

type usersDeactivate struct {
	target
	forced
}

// Run deactivates a user.
func (c usersDeactivate) Run(e *Env) error {
	return c.change(e, "is deactivated already", func(d *directory.Directory) (directory.Changed, error) {
		return d.Deactivate(e.Ctx, directory.Command(), c.ID, c.options()...)
	})
}

type usersPromote struct{ target }

// Run makes a superuser.
func (c usersPromote) Run(e *Env) error {
	return c.change(e, "is a superuser already", func(d *directory.Directory) (directory.Changed, error) {
		return d.Promote(e.Ctx, directory.Command(), c.ID)
	})
}

type usersDemote struct {
	target
	forced
}

// Run makes a superuser an ordinary user.
func (c usersDemote) Run(e *Env) error {
	return c.change(e, "is no superuser", func(d *directory.Directory) (directory.Changed, error) {
		return d.Demote(e.Ctx, directory.Command(), c.ID, c.options()...)
	})
}

type usersRename struct {
	target
	Username string `arg:"" help:"The new username: 3 to 30 small letters, digits, dots, hyphens and underscores."`
}

// Run gives a user another username.
func (c usersRename) Run(e *Env) error {
	return c.change(e, "has that username already", func(d *directory.Directory) (directory.Changed, error) {
		return d.Rename(e.Ctx, directory.Command(), c.ID, c.Username)
	})
}

type usersUnmerge struct{ target }

// Run undoes a merge.
func (c usersUnmerge) Run(e *Env) error {
	return c.change(e, "is nobody's alias", func(d *directory.Directory) (directory.Changed, error) {
		return d.Unmerge(e.Ctx, directory.Command(), c.ID)
	})
}

type usersLink struct{ target }

// Run prints a one-time link.
func (c usersLink) Run(e *Env) error {
	var url string
	if err := c.with(e, func(h *House) error {
		u, err := h.Directory.Find(e.Ctx, c.ID)
		if err != nil {
			return err
		}
		link, err := h.Signin.MakeLink(e.Ctx, u.ID)
		if errors.Is(err, signin.ErrDeactivated) {
			return fmt.Errorf("%s is deactivated; `djauthy users activate %s` lets them in again", u.Username, u.Username)
		}
		url = h.PublicURL + "/login/link/" + link.String()
		return err
	}); err != nil {
		return err
	}
	if e.Out.JSON {
		return e.Out.Print(map[string]string{"url": url})
	}
	_, err := fmt.Fprintln(e.Out.W, url)
	return err
}

type usersExport struct{ target }

// Run prints all data about a user.
func (c usersExport) Run(e *Env) error {
	return c.with(e, func(h *House) error {
		x, err := h.Directory.Export(e.Ctx, directory.Command(), c.ID)
		if err != nil {
			return err
		}
		w := bufio.NewWriter(e.Out.W)
		return errors.Join(x.Write(e.Ctx, w), w.Flush())
	})
}

type usersDelete struct {
	target
	forced
}

// Run removes a user.
func (c usersDelete) Run(e *Env) error {
	var u accounts.User
	if err := c.with(e, func(h *House) (err error) {
		u, err = h.Directory.Delete(e.Ctx, directory.Command(), c.ID, c.options()...)
		return err
	}); err != nil {
		return err
	}
	if e.Out.JSON {
		return e.Out.Print(map[string]string{"deleted": u.Username})
	}
	_, err := fmt.Fprintln(e.Out.W, "Deleted", u.Username)
	return err
}
