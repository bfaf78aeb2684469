package command

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/terminal"
)

// Factors are the commands on what people have enrolled.
type Factors struct {
	List   factorsList   `cmd:"" help:"List the enrolled factors of a user."`
	Remove factorsRemove `cmd:"" help:"Remove an enrolled factor of a user."`
	Link   factorsLink   `cmd:"" help:"Print a one-time link under which a user may enroll one factor without the level that is asked otherwise."`
}

// factorJSON is an enrolled factor as commands print it. Its number is a text: programs that
// read numbers as floating point would round it.
type factorJSON struct {
	Number   db.ID      `json:"number,string"`
	Factor   string     `json:"factor"`
	Name     string     `json:"name"`
	Model    string     `json:"model,omitempty"`
	Added    time.Time  `json:"added"`
	LastUsed *time.Time `json:"last_used"`
	Left     *int64     `json:"left,omitempty"` // recovery codes
	Copied   bool       `json:"copied,omitempty"`
}

func toFactorJSON(a multifactor.Authenticator) factorJSON {
	j := factorJSON{Number: a.ID, Factor: string(a.Kind), Name: a.Name, Model: a.Model, Added: a.Added(), LastUsed: terminal.OrNull(a.LastUsed), Copied: !a.Warned.IsZero()}
	if a.Kind == multifactor.Recovery {
		j.Left = &a.Counter
	}
	return j
}

type factorsList struct {
	ID string `arg:"" help:"A username, a user's id, or any address."`
}

// Run lists the factors of a user.
func (c factorsList) Run(e *Env) error {
	return e.with(func(h *House) error {
		all, err := h.Directory.FactorsOf(e.Ctx, c.ID)
		if err != nil {
			return err
		}
		return terminal.List(e.Out, []string{"NUMBER", "FACTOR", "NAME", "ADDED", "LAST USE"}, func(bool) (lines []terminal.Line, _, _ bool, _ error) {
			for _, a := range all {
				j := toFactorJSON(a)
				used := "never"
				if j.LastUsed != nil {
					used = j.LastUsed.Format(time.DateTime)
				}
				lines = append(lines, terminal.Row(j, strconv.FormatInt(int64(a.ID), 10), j.Factor, j.Name, j.Added.Format(time.DateTime), used))
			}
			return lines, false, false, nil
		})
	})
}

type factorsRemove struct {
	ID     string `arg:"" help:"A username, a user's id, or any address."`
	Number int64  `arg:"" help:"The number that factors list shows."`
}

// Run removes a factor of a user.
func (c factorsRemove) Run(e *Env) error {
	return e.with(func(h *House) error {
		u, a, err := h.Directory.RemoveFactorOf(e.Ctx, directory.Command(), c.ID, db.ID(c.Number))
		var unknown directory.Unknown
		if errors.As(err, &unknown) && unknown.Kind == "factor" {
			return errors.New(u.Username + " has no factor " + unknown.Name + "; `djauthy factors list " + u.Username + "` shows all")
		}
		if err != nil {
			return err
		}
		return e.say(map[string]any{"removed": toFactorJSON(a), "username": u.Username}, fmt.Sprintf("Removed %s %s of %s", a.Kind, a.Name, u.Username))
	})
}

type factorsLink struct {
	ID string `arg:"" help:"A username, a user's id, or any address."`
}

// Run prints a one-time link.
func (c factorsLink) Run(e *Env) error {
	return e.with(func(h *House) error {
		u, t, err := h.Directory.EnrolmentLink(e.Ctx, directory.Command(), c.ID)
		if errors.Is(err, directory.ErrInactive) {
			return fmt.Errorf("%s is deactivated; `djauthy users activate %s` lets them in again", u.Username, u.Username)
		}
		if err != nil {
			return err
		}
		url := h.PublicURL + "/account/factors/link/" + t.String()
		return e.say(map[string]string{"url": url}, url)
	})
}
