package main

import (
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/terminal"
)

type servicesAddAppCmd struct {
	Username string `required:"" help:"Whose app it is." placeholder:"U"`
	Appname  string `required:"" help:"What it is called." placeholder:"A"`
	Trusted  bool   `help:"It may verify others, and use the bus."`
}

// appJSON is an app as commands print it.
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
	made, err := operate(e, func(o services.Operator) (services.Entry, error) {
		return o.AddApp(e.ctx, services.App{Name: c.Appname, Username: c.Username, Trusted: c.Trusted})
	})
	if errors.Is(err, services.ErrText) {
		return usageError{errors.New("--username and --appname: 1 to 128 characters each, without white space around them")}
	} else if err != nil {
		return err
	}
	j := toAppJSON(made)
	j.Seed = made.Seed
	return e.print(j)
}

func toAppJSON(x services.Entry) appJSON {
	return appJSON{UUID: x.Name, Appname: x.App.Name, Username: x.App.Username, Trusted: x.App.Trusted, LastUsed: terminal.OrNull(x.Use.At)}
}

type servicesAppsCmd struct{}

// Run lists apps.
func (servicesAppsCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	defer func() { _ = h.close() }()
	head := []string{"APPUUID", "APPNAME", "USERNAME", "", "LAST USE"}
	return terminal.List(e.out(), head, func(after services.ID) (lines []terminal.Line, last services.ID, more bool, err error) {
		page, err := h.operator().Apps(e.ctx, after, terminal.Size)
		for _, x := range page {
			j := toAppJSON(x)
			lines = append(lines, terminal.Row(j, j.UUID, j.Appname, j.Username, map[bool]string{true: "trusted"}[j.Trusted], terminal.Date(j.LastUsed)))
			after = x.ID
		}
		return lines, after, len(page) == terminal.Size, err
	})
}
