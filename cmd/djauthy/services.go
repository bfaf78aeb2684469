package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/terminal"
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

// serviceTarget are the flags that name an entry: a triple or an app.
type serviceTarget struct {
	Name  string `help:"The service's name." placeholder:"N"`
	Realm string `help:"The realm it is in." placeholder:"R"`
	UUID  string `name:"appuuid" help:"In place of both: the UUID of an app of 2018." placeholder:"U"`
}

// entryKey checks that the flags name one entry.
func (t serviceTarget) entryKey() (services.Key, error) {
	if (t.UUID == "") == (t.Name == "" && t.Realm == "") || t.UUID == "" && (t.Name == "" || t.Realm == "") {
		return services.Key{}, usageError{errors.New("which one? --name and --realm of a triple, or --appuuid of an app")}
	}
	if t.UUID != "" {
		return services.AppKey(t.UUID), nil
	}
	return services.Key{Name: t.Name, Realm: t.Realm}, nil
}

// operator has the use cases of commands.
func (h *app) operator() services.Operator {
	return h.services.Operator(audit.By{Actor: audit.Command})
}

// operate opens the database for one use case.
func operate[T any](e *env, do func(o services.Operator) (T, error)) (done T, err error) {
	h, err := e.open()
	if err != nil {
		return done, err
	}
	done, err = do(h.operator())
	return done, errors.Join(err, h.close())
}

// operateOn is operate for a use case on the entry that the flags name.
func operateOn[T any](e *env, t serviceTarget, do func(o services.Operator, k services.Key) (T, error)) (done T, err error) {
	k, err := t.entryKey()
	if err != nil {
		return done, err
	}
	done, err = operate(e, func(o services.Operator) (T, error) { return do(o, k) })
	if errors.Is(err, db.ErrNotFound) {
		err = fmt.Errorf("no service is %s; `djauthy services list` and `djauthy services apps` show all", t)
	}
	return done, err
}

// label is the entry's name, or its UUID.
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
	made, err := operate(e, func(o services.Operator) (services.Entry, error) {
		return o.Add(e.ctx, services.Draft{Name: c.Name, Realm: c.Realm, Expires: expires})
	})
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

// when reads a time in the future; "" is never.
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

func toServiceJSON(d services.Details) serviceJSON {
	j := serviceJSON{
		ID: d.ID, Name: d.Name, Realm: d.Realm, Created: d.Created, Expires: terminal.OrNull(d.Expires), OldUntil: terminal.OrNull(d.OldUntil),
		LastUsed: terminal.OrNull(d.Use.At), LastResult: string(d.Use.Result), LastCaller: d.LastCaller, Network: d.Use.Network,
	}
	for _, l := range d.History {
		j.History = append(j.History, eventJSON{At: l.At, Event: string(l.Event), From: l.Client.Prefix, Detail: l.Detail})
	}
	return j
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
	return terminal.List(e.out(), head, func(after services.ID) (lines []terminal.Line, last services.ID, more bool, err error) {
		page, err := h.operator().List(e.ctx, c.Realm, after, terminal.Size)
		for _, d := range page.Entries {
			j := toServiceJSON(d)
			lines = append(lines, terminal.Row(j, strconv.FormatInt(int64(j.ID), 10), j.Name, j.Realm, terminal.Date(j.LastUsed), j.LastResult, j.LastCaller, terminal.Date(j.Expires)))
		}
		return lines, page.Last, page.More, err
	})
}

type servicesShowCmd struct{ serviceTarget }

// historySize is how many lines of history a command shows.
const historySize = 20

// Run shows a triple.
func (c servicesShowCmd) Run(e *env) error {
	d, err := operateOn(e, c.serviceTarget, func(o services.Operator, k services.Key) (services.Details, error) {
		return o.Show(e.ctx, k, historySize)
	})
	if err != nil {
		return err
	}
	j := toServiceJSON(d)
	if e.json {
		return e.print(j)
	}
	rows := [][]string{
		{"REALM", j.Realm},
		{"ID", strconv.FormatInt(int64(j.ID), 10)},
		{"CREATED", terminal.Date(&j.Created)},
		{"EXPIRES", terminal.Date(j.Expires)},
		{"OLD SEED UNTIL", terminal.Date(j.OldUntil)},
		{"LAST USE", terminal.Date(j.LastUsed)},
		{"RESULT", j.LastResult},
		{"BY", j.LastCaller},
		{"FROM", j.Network},
	}
	for _, l := range j.History {
		rows = append(rows, []string{terminal.Date(&l.At), strings.TrimSpace(l.Event + " " + l.From + " " + l.Detail)})
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
	x, err := operateOn(e, c.serviceTarget, func(o services.Operator, k services.Key) (services.Entry, error) {
		return o.Rotate(e.ctx, k, keep)
	})
	if err != nil {
		return err
	}
	return e.print(struct {
		tripleJSON
		OldUntil time.Time `json:"old_seed_until"`
	}{tripleJSON{x.Name, x.Realm, x.Seed}, x.OldUntil})
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
	case "now":
	default:
		at, err = when(c.At)
	}
	if err != nil {
		return err
	}
	changed := false
	d, err := operateOn(e, c.serviceTarget, func(o services.Operator, k services.Key) (d services.Details, err error) {
		if c.At == "now" {
			d, changed, err = o.ExpireNow(e.ctx, k)
		} else {
			d, changed, err = o.Expire(e.ctx, k, at)
		}
		return d, err
	})
	if err != nil {
		return err
	}
	if !changed {
		e.note("its end was the same already")
	}
	ends := "never"
	if !d.Expires.IsZero() {
		ends = terminal.Date(&d.Expires)
	}
	return e.say(toServiceJSON(d), d.String()+" ends: "+ends)
}

type servicesDeleteCmd struct{ serviceTarget }

// Run removes a triple.
func (c servicesDeleteCmd) Run(e *env) error {
	_, err := operateOn(e, c.serviceTarget, func(o services.Operator, k services.Key) (struct{}, error) {
		return struct{}{}, o.Delete(e.ctx, k)
	})
	if err != nil {
		return err
	}
	return e.say(map[string]string{"deleted": c.label(), "realm": c.Realm}, "Deleted "+c.String())
}
