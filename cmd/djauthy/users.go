package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
)

type usersCmd struct {
	List       usersListCmd       `cmd:"" help:"List users."`
	Show       usersShowCmd       `cmd:"" help:"Show a user."`
	Add        usersAddCmd        `cmd:"" help:"Invite a user: never swept, let in also when sign-up is closed."`
	Activate   usersActivateCmd   `cmd:"" help:"Let a deactivated user in again."`
	Deactivate usersDeactivateCmd `cmd:"" help:"Shut a user out and end their sessions."`
	Promote    usersPromoteCmd    `cmd:"" help:"Make a user a superuser."`
	Demote     usersDemoteCmd     `cmd:"" help:"Make a superuser an ordinary user."`
	Link       usersLinkCmd       `cmd:"" help:"Print a one-time link that signs the user in in any browser."`
	Export     usersExportCmd     `cmd:"" help:"Print everything that is kept of a user, as JSON."`
	Delete     usersDeleteCmd     `cmd:"" help:"Remove a user and everything that is kept of them."`
}

// userJSON is a user as commands print one.
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

func toJSON(u accounts.User) userJSON {
	j := userJSON{ID: u.ID, Username: u.Username, Name: u.Name(), Email: u.Email, Active: u.Active, Superuser: u.Superuser, Invited: u.Invited, Joined: u.Joined}
	if !u.LastLogin.IsZero() {
		j.LastLogin = &u.LastLogin
	}
	if !u.Deactivated.IsZero() {
		j.Deactivated = &u.Deactivated
	}
	return j
}

func describe(tx *db.Tx, id accounts.UserID) (userJSON, error) {
	u, err := accounts.GetUser(tx, id)
	if err != nil {
		return userJSON{}, err
	}
	j := toJSON(u)
	all, err := accounts.Of(tx, id)
	for _, a := range all {
		j.Addresses = append(j.Addresses, a.Addr.Identifier)
	}
	return j, err
}

// state says in a word how the user stands.
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
	return list(e, h, head, func(tx *db.Tx, after accounts.UserID) (lines []line, read int, last accounts.UserID, err error) {
		some, err := accounts.List(tx, after, listSize)
		for _, u := range some {
			j := toJSON(u)
			lines = append(lines, line{j, []string{j.Username, j.state(), j.Email, j.Name, j.lastLogin()}})
			after = u.ID
		}
		return lines, len(some), after, err
	})
}

type usersShowCmd struct{ target }

// Run shows a user.
func (c usersShowCmd) Run(e *env) error {
	var j userJSON
	if err := c.read(e, func(_ *app, tx *db.Tx, u accounts.User) (err error) {
		j, err = describe(tx, u.ID)
		return err
	}); err != nil {
		return err
	}
	return j.show(e)
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
	j, already, err := h.invite(e, c.Address)
	if err = errors.Join(err, h.close()); err != nil {
		return err
	}
	switch {
	case j.Deactivated != nil:
		e.note(fmt.Sprintf("%s is deactivated; `djauthy users activate %s` lets them in again", j.Username, j.Username))
	case already:
		e.note(j.Username + " is invited already")
	}
	return j.show(e)
}

// invite makes sure that an address has an invited user; already says that it had.
func (h *app) invite(e *env, address string) (j userJSON, already bool, err error) {
	id, refusal := h.discovery.Find(address, "")
	if refusal != "" {
		return j, false, usageError{fmt.Errorf("%q: %s", address, h.words.Get("en").T("problem.id."+string(refusal)))}
	}
	err = h.db.Update(e.ctx, func(tx *db.Tx) error {
		_, u, err := accounts.Ensure(tx, id)
		if err != nil {
			return err
		}
		if already = u.Invited; !already {
			if err := accounts.Invite(tx, u.ID); err != nil {
				return err
			}
			if err := audit.Write(tx, db.ID(u.ID), audit.Command, audit.Invited, audit.Client{}); err != nil {
				return err
			}
		}
		j, err = describe(tx, u.ID)
		return err
	})
	return j, already, err
}

type usersActivateCmd struct{ target }

// Run lets a user in again.
func (c usersActivateCmd) Run(e *env) error {
	return c.act(e, change{
		event: audit.Activated, already: "is let in already",
		so: func(u accounts.User) bool { return u.Deactivated.IsZero() && (u.Active || u.Invited) },
		do: func(tx *db.Tx, u accounts.User) error { return accounts.Reactivate(tx, u.ID) },
	})
}

type usersDeactivateCmd struct {
	target
	forced
}

// Run shuts a user out.
func (c usersDeactivateCmd) Run(e *env) error {
	return c.act(e, change{
		event: audit.Deactivated, already: "is deactivated already",
		so: func(u accounts.User) bool { return !u.Deactivated.IsZero() },
		do: func(tx *db.Tx, u accounts.User) error {
			// The user first: a sign-in under way holds it, and its session has to
			// be seen by what ends them all.
			if err := accounts.Deactivate(tx, u.ID, c.options()...); err != nil {
				return err
			}
			_, err := session.EndAll(tx, u.ID, 0)
			return err
		},
	})
}

type usersPromoteCmd struct{ target }

// Run makes a superuser.
func (c usersPromoteCmd) Run(e *env) error {
	return c.act(e, change{
		event: audit.Promoted, already: "is a superuser already",
		so: func(u accounts.User) bool { return u.Superuser },
		do: func(tx *db.Tx, u accounts.User) error { return accounts.SetSuperuser(tx, u.ID, true) },
	})
}

type usersDemoteCmd struct {
	target
	forced
}

// Run takes a superuser's rights.
func (c usersDemoteCmd) Run(e *env) error {
	return c.act(e, change{
		event: audit.Demoted, already: "is no superuser",
		so: func(u accounts.User) bool { return !u.Superuser },
		do: func(tx *db.Tx, u accounts.User) error {
			return accounts.SetSuperuser(tx, u.ID, false, c.options()...)
		},
	})
}

type usersLinkCmd struct{ target }

// Run prints a one-time link.
func (c usersLinkCmd) Run(e *env) error {
	var url string
	if err := c.with(e, func(h *app, tx *db.Tx, u accounts.User) error {
		if !u.Deactivated.IsZero() {
			return fmt.Errorf("%s is deactivated; `djauthy users activate %s` lets them in again", u.Username, u.Username)
		}
		link, err := h.signin.MakeLink(tx, u.ID)
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

// Run prints everything that is kept of a user.
func (c usersExportCmd) Run(e *env) error {
	return c.found(e, func(h *app, u accounts.User) error {
		x, err := h.signin.ExportUser(e.ctx, u.ID)
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

// Run forgets a user.
func (c usersDeleteCmd) Run(e *env) error {
	var name string
	forget := func(_ *app, tx *db.Tx, u accounts.User) error {
		name = u.Username
		return signin.Forget(tx, u.ID, c.options()...)
	}
	if err := c.run(e, (*db.DB).Update, forget, func(h *app) { h.signin.ForgetMore(e.ctx) }); err != nil {
		return err
	}
	if e.json {
		return e.print(map[string]string{"deleted": name})
	}
	_, err := fmt.Fprintln(e.stdout, "Deleted", name)
	return err
}
