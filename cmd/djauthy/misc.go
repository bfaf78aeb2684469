package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/djauthy/djauthy/internal/command"
	"github.com/djauthy/djauthy/internal/terminal"
)

// out is where the command's answer goes.
func (e *env) out() terminal.Out { return terminal.Out{W: e.stdout, JSON: e.json} }

// print writes v as JSON.
func (e *env) print(v any) error { return e.out().Print(v) }

// say prints v as JSON if that is asked for, else the text.
func (e *env) say(v any, text string) error { return e.out().Say(v, text) }

// table prints rows under a head, for people.
func (e *env) table(head []string, rows [][]string) error { return e.out().Table(head, rows) }

// note prints a remark on standard error, beside the command's output.
func (e *env) note(text string) { fmt.Fprintln(e.stderr, "djauthy:", terminal.Printable(text)) }

// commands is the environment of commands of package command.
func (e *env) commands() *command.Env {
	return &command.Env{Ctx: e.ctx, In: e.stdin, Out: e.out(), Note: e.note, Open: func() (*command.House, error) {
		h, err := e.open()
		if err != nil {
			return nil, err
		}
		return &command.House{Directory: h.directory, Signin: h.signin, Access: h.access, Sites: h.sites, Words: h.words, Keys: h.signkeys, PublicURL: h.cfg.PublicURL, Close: h.close}, nil
	}}
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(e *env) error {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok && v == "dev" && info.Main.Version != "" {
		v = info.Main.Version
	}
	if e.json {
		return e.print(map[string]string{"version": v, "go": runtime.Version()})
	}
	_, err := fmt.Fprintf(e.stdout, "djauthy %s (%s)\n", v, runtime.Version())
	return err
}

type configCmd struct{}

// Run prints the settings in force.
func (configCmd) Run(e *env) error {
	c, err := e.loadSettings()
	if err != nil {
		return err
	}
	if e.json {
		return e.print(c.Map())
	}
	_, err = fmt.Fprint(e.stdout, c)
	return err
}

type healthCmd struct{}

// Run checks that the server answers.
func (healthCmd) Run(e *env) error {
	c, _, err := e.settings()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return err
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(e.ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("the server does not answer at the address of the setting listen; does it run, with the same settings? %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", response.Status)
	}
	if e.json {
		return e.print(map[string]string{"status": "ok"})
	}
	_, err = fmt.Fprintln(e.stdout, "ok")
	return err
}

type sweepCmd struct{}

// Run sweeps once.
func (sweepCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	defer func() { _ = h.close() }()
	counts, err := h.sweeper().Once(e.ctx)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(counts)
	}
	return e.table([]string{"KIND", "REMOVED"}, sortedRows(counts))
}
