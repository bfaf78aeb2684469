package main

import (
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

type servicesAddAppCmd struct {
	Username string `required:"" help:"Whose app it is." placeholder:"U"`
	Appname  string `required:"" help:"What it is called." placeholder:"A"`
	Trusted  bool   `help:"It may verify others, and use the bus."`
}

// appJSON is an app as commands print one.
type appJSON struct {
	UUID     string     `json:"appuuid"`
	Seed     string     `json:"seed,omitempty"`
	Appname  string     `json:"appname"`
	Username string     `json:"username"`
	Trusted  bool       `json:"trusted"`
	LastUsed *time.Time `json:"last_used_at"`
}

// Run makes an app.
func (c servicesAddAppCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	var made services.Entry
	err = h.db.Update(e.ctx, func(tx *db.Tx) (err error) {
		made, err = h.services.AddApp(tx, services.App{Name: c.Appname, Username: c.Username, Trusted: c.Trusted}, audit.Client{})
		return err
	})
	if err = errors.Join(err, h.close()); errors.Is(err, services.ErrText) {
		return usageError{errors.New("--username and --appname: 1 to 128 characters each, without white space around them")}
	} else if err != nil {
		return err
	}
	return e.print(appJSON{UUID: made.Name, Seed: made.Seed, Appname: made.App.Name, Username: made.App.Username, Trusted: made.App.Trusted})
}

type servicesAppsCmd struct{}

// Run lists apps.
func (servicesAppsCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	var all []services.Entry
	err = h.db.View(e.ctx, func(tx *db.Tx) (err error) { all, err = h.services.Apps(tx, ""); return err })
	if err = errors.Join(err, h.close()); err != nil {
		return err
	}
	list, rows := []appJSON{}, [][]string{}
	for _, x := range all {
		list = append(list, appJSON{UUID: x.Name, Appname: x.App.Name, Username: x.App.Username, Trusted: x.App.Trusted, LastUsed: pointer(x.Use.At)})
		rows = append(rows, []string{x.Name, x.App.Name, x.App.Username, map[bool]string{true: "trusted"}[x.App.Trusted], date(pointer(x.Use.At))})
	}
	if e.json {
		return e.print(list)
	}
	return e.table([]string{"APPUUID", "APPNAME", "USERNAME", "", "LAST USE"}, rows)
}
