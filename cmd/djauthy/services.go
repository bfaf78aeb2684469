package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

type servicesCmd struct {
	Add    servicesAddCmd    `cmd:"" help:"Make a triple (name, realm, seed) and print it as JSON."`
	List   servicesListCmd   `cmd:"" help:"List triples, without their seeds."`
	Show   servicesShowCmd   `cmd:"" help:"Show a triple: its last use and its history."`
	Rotate servicesRotateCmd `cmd:"" help:"Give a triple a new seed; the old one stays good for a while."`
	Expire servicesExpireCmd `cmd:"" help:"Set when a triple ends."`
	Delete servicesDeleteCmd `cmd:"" help:"Remove a triple."`
	Realms realmsCmd         `cmd:"" help:"What the members of a realm may do."`
	Import servicesImportCmd `cmd:"" help:"Bring triples along from the original service, or from CSV."`
	Export servicesExportCmd `cmd:"" help:"Print all triples with their seeds, for import."`
	AddApp servicesAddAppCmd `cmd:"" help:"Make an app of the wire of 2018 (appuuid, seed) and print it as JSON."`
	Apps   servicesAppsCmd   `cmd:"" help:"List apps of the wire of 2018."`
}

// serviceTarget is the entry that a command is about: a triple or an app.
type serviceTarget struct {
	Name  string `help:"The service's name." placeholder:"N"`
	Realm string `help:"The realm it is in." placeholder:"R"`
	UUID  string `name:"appuuid" help:"In place of both: the UUID of an app of 2018." placeholder:"U"`
}

// with finds the target and runs fn in one transaction.
func (t serviceTarget) with(e *env, fn func(h *app, tx *db.Tx, s services.Entry) error) error {
	return t.run(e, (*db.DB).Update, fn)
}

// read is with for a command that changes nothing.
func (t serviceTarget) read(e *env, fn func(h *app, tx *db.Tx, s services.Entry) error) error {
	return t.run(e, (*db.DB).View, fn)
}

func (t serviceTarget) run(e *env, in method, fn func(h *app, tx *db.Tx, s services.Entry) error) error {
	if (t.UUID == "") == (t.Name == "" && t.Realm == "") || t.UUID == "" && (t.Name == "" || t.Realm == "") {
		return usageError{errors.New("which one? --name and --realm of a triple, or --appuuid of an app")}
	}
	h, err := e.open()
	if err != nil {
		return err
	}
	err = in(h.db, e.ctx, func(tx *db.Tx) error {
		s, err := t.find(h, tx)
		if errors.Is(err, db.ErrNotFound) {
			return fmt.Errorf("no service is %s; `djauthy services list` and `djauthy services apps` show all", t)
		} else if err != nil {
			return err
		}
		return fn(h, tx, s)
	})
	return errors.Join(err, h.close())
}

func (t serviceTarget) find(h *app, tx *db.Tx) (services.Entry, error) {
	if t.UUID != "" {
		return h.services.GetApp(tx, t.UUID)
	}
	return h.services.Find(tx, t.Name, t.Realm)
}

// label is the name by which it is known.
func (t serviceTarget) label() string { return t.Name + t.UUID }

func (t serviceTarget) String() string {
	if t.UUID != "" {
		return t.UUID
	}
	return fmt.Sprintf("%q in realm %q", t.Name, t.Realm)
}

// tripleJSON is what a service needs to make tokens.
type tripleJSON struct {
	Name  string `json:"name"`
	Realm string `json:"realm"`
	Seed  string `json:"seed"`
}

type servicesAddCmd struct {
	Name    string `required:"" help:"The service's name." placeholder:"N"`
	Realm   string `required:"" help:"The realm it is in." placeholder:"R"`
	Expires string `help:"When it ends: a date (2027-01-31), a time (RFC 3339) or a duration (30d, 12h). Default: never." placeholder:"WHEN"`
}

// Run makes a triple.
func (c servicesAddCmd) Run(e *env) error {
	expires, err := when(c.Expires)
	if err != nil {
		return err
	}
	h, err := e.open()
	if err != nil {
		return err
	}
	var made services.Entry
	err = h.db.Update(e.ctx, func(tx *db.Tx) (err error) {
		made, err = h.services.Add(tx, services.Draft{Name: c.Name, Realm: c.Realm, Expires: expires}, audit.Client{})
		return err
	})
	err = errors.Join(err, h.close())
	switch {
	case errors.Is(err, services.ErrTaken):
		return fmt.Errorf("there is a service %q in realm %q already; `djauthy services rotate` gives it a new seed", c.Name, c.Realm)
	case errors.Is(err, services.ErrText):
		return usageError{services.ErrText}
	case err != nil:
		return err
	}
	return e.print(tripleJSON{made.Name, made.Realm, made.Seed})
}

// duration reads hours, minutes and seconds as Go does, and whole days: 30d.
func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// when reads a moment that is to come; "" is never.
func when(text string) (time.Time, error) {
	if text == "" || text == "never" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		at, err = time.Parse(time.RFC3339, text)
	}
	if d, e := duration(text); err != nil && e == nil {
		at, err = time.Now().Add(d), nil
	}
	if err != nil || !at.After(time.Now()) {
		return at, usageError{fmt.Errorf("%q: a date (2027-01-31), a time (2027-01-31T12:00:00Z) or a duration (30d, 12h), in the future", text)}
	}
	return at, nil
}

// serviceJSON is a triple as commands show it: without its seed.
type serviceJSON struct {
	ID         services.ID `json:"id"`
	Name       string      `json:"name"`
	Realm      string      `json:"realm"`
	Created    time.Time   `json:"created_at"`
	Expires    *time.Time  `json:"expires_at"`
	OldUntil   *time.Time  `json:"old_seed_until"`
	LastUsed   *time.Time  `json:"last_used_at"`
	LastResult string      `json:"last_result"`
	LastCaller string      `json:"last_caller"`
	Network    string      `json:"last_network"`
	History    []eventJSON `json:"history,omitempty"`
}

type eventJSON struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
	From   string    `json:"from"`
	Detail string    `json:"detail"`
}

// pointer is nil for the zero time.
func pointer(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// describeService shows an entry; the name of who used it last is looked up.
func (h *app) describeService(tx *db.Tx, s services.Entry) (serviceJSON, error) {
	j := serviceJSON{
		ID: s.ID, Name: s.Name, Realm: s.Realm, Created: s.Created, Expires: pointer(s.Expires), OldUntil: pointer(s.OldUntil),
		LastUsed: pointer(s.Use.At), LastResult: string(s.Use.Result), Network: s.Use.Network,
	}
	if s.OldUntil.Before(tx.Now) {
		j.OldUntil = nil
	}
	caller := s
	var err error
	if s.Use.Caller != s.ID && s.Use.Caller != 0 {
		caller, err = h.services.Any(tx, s.Use.Caller)
	}
	switch {
	case errors.Is(err, db.ErrNotFound):
		j.LastCaller, err = "removed", nil
	case err == nil && s.Use.Caller != 0:
		j.LastCaller = caller.String()
	}
	return j, err
}

func date(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format("2006-01-02 15:04")
}

type servicesListCmd struct {
	Realm string `help:"Only those of this realm." placeholder:"R"`
}

// Run lists triples.
func (c servicesListCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	defer func() { _ = h.close() }()
	head := []string{"ID", "NAME", "REALM", "LAST USE", "RESULT", "BY", "EXPIRES"}
	return list(e, h, head, func(tx *db.Tx, after services.ID) (lines []line, read int, last services.ID, err error) {
		some, err := h.services.List(tx, after, listSize)
		if err != nil {
			return nil, 0, after, err
		}
		for _, s := range some {
			after = s.ID
			if c.Realm != "" && s.Realm != c.Realm {
				continue
			}
			j, err := h.describeService(tx, s)
			if err != nil {
				return nil, 0, after, err
			}
			lines = append(lines, line{j, []string{strconv.FormatInt(int64(j.ID), 10), j.Name, j.Realm, date(j.LastUsed), j.LastResult, j.LastCaller, date(j.Expires)}})
		}
		return lines, len(some), after, nil
	})
}

type servicesShowCmd struct{ serviceTarget }

// historySize is how many lines of history a command shows.
const historySize = 20

// Run shows a triple.
func (c servicesShowCmd) Run(e *env) error {
	var j serviceJSON
	if err := c.read(e, func(h *app, tx *db.Tx, s services.Entry) (err error) {
		if j, err = h.describeService(tx, s); err != nil {
			return err
		}
		lines, err := audit.OfService(tx, int64(s.ID), historySize)
		for _, l := range lines {
			j.History = append(j.History, eventJSON{l.At, string(l.Event), l.Client.Prefix, l.Detail})
		}
		return err
	}); err != nil {
		return err
	}
	if e.json {
		return e.print(j)
	}
	rows := [][]string{
		{"REALM", j.Realm},
		{"ID", strconv.FormatInt(int64(j.ID), 10)},
		{"CREATED", date(&j.Created)},
		{"EXPIRES", date(j.Expires)},
		{"OLD SEED UNTIL", date(j.OldUntil)},
		{"LAST USE", date(j.LastUsed)},
		{"RESULT", j.LastResult},
		{"BY", j.LastCaller},
		{"FROM", j.Network},
	}
	for _, l := range j.History {
		rows = append(rows, []string{date(&l.At), strings.TrimSpace(l.Event + " " + l.From + " " + l.Detail)})
	}
	return e.table([]string{"NAME", j.Name}, rows)
}

type servicesRotateCmd struct {
	serviceTarget
	Keep string `default:"24h" help:"How long the old seed stays good: 24h, 2d, or 0 to end it at once." placeholder:"24h"`
}

// Run gives a triple a new seed.
func (c servicesRotateCmd) Run(e *env) error {
	keep, err := duration(c.Keep)
	if err != nil || keep < 0 {
		return usageError{fmt.Errorf("--keep %q: a duration such as 24h or 2d, or 0 to end the old seed at once", c.Keep)}
	}
	var made struct {
		tripleJSON
		OldUntil time.Time `json:"old_seed_until"`
	}
	if err := c.with(e, func(h *app, tx *db.Tx, s services.Entry) error {
		until := tx.Now.Add(keep)
		seed, err := h.services.Rotate(tx, s.ID, until, audit.Client{})
		made.tripleJSON, made.OldUntil = tripleJSON{s.Name, s.Realm, seed}, until
		return err
	}); err != nil {
		return err
	}
	return e.print(made)
}

type servicesExpireCmd struct {
	serviceTarget
	At string `required:"" help:"A date (2027-01-31), a time (RFC 3339), a duration (30d, 12h), now, or never." placeholder:"WHEN"`
}

// Run sets when a triple ends.
func (c servicesExpireCmd) Run(e *env) error {
	var at time.Time
	var err error
	switch c.At {
	case "": // it may be a variable that is not set
		err = usageError{errors.New("--at: a date (2027-01-31), a time (2027-01-31T12:00:00Z), a duration (30d, 12h), now, or never")}
	case "now": // the transaction's
	default:
		at, err = when(c.At)
	}
	if err != nil {
		return err
	}
	var j serviceJSON
	var already bool
	if err := c.with(e, func(h *app, tx *db.Tx, s services.Entry) error {
		if c.At == "now" {
			at = tx.Now
		}
		if already = s.Expires.Equal(at); !already {
			if err := h.services.SetExpiry(tx, s.ID, at, audit.Client{}); err != nil {
				return err
			}
		}
		s.Expires = at
		j, err = h.describeService(tx, s)
		return err
	}); err != nil {
		return err
	}
	if already {
		e.note("its end was the same already")
	}
	ends := "never"
	if j.Expires != nil {
		ends = date(j.Expires)
	}
	return e.say(j, services.Entry{Name: j.Name, Realm: j.Realm}.String()+" ends: "+ends)
}

type servicesDeleteCmd struct{ serviceTarget }

// Run removes a triple.
func (c servicesDeleteCmd) Run(e *env) error {
	if err := c.with(e, func(h *app, tx *db.Tx, s services.Entry) error {
		return h.services.Delete(tx, s.ID, audit.Client{})
	}); err != nil {
		return err
	}
	return e.say(map[string]string{"deleted": c.label(), "realm": c.Realm}, "Deleted "+c.String())
}

// method is how a command runs: db.View or db.Update.
type method func(d *db.DB, ctx context.Context, fn func(*db.Tx) error) error
