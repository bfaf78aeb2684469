package main

import (
	"cmp"
	"fmt"

	"github.com/djauthy/djauthy/internal/check"
)

type checkCmd struct {
	Send string `help:"Also send a test message to this id." placeholder:"ID"`
}

// Run tries everything and reports it all before it fails.
func (c checkCmd) Run(e *env) error {
	_, warnings, err := e.settings()
	all := []check.Finding{check.Found("settings", err, "understood: "+cmp.Or(e.config, "defaults and the environment, no file"))}
	if err != nil {
		return e.report(all)
	}
	for _, w := range warnings {
		all = append(all, check.Found("settings", nil, "warning: "+w))
	}
	h, err := e.open()
	all = append(all, check.Found("database", err, "opens, up to date, secret key fits"))
	if err == nil {
		defer func() { _ = h.close() }()
		all = append(all, h.checks(e).Run(e.ctx, c.Send)...)
	}
	return e.report(all)
}

// checks is what of the house can be tried.
func (h *app) checks(e *env) check.House {
	c := check.House{Config: h.cfg, DB: h.db, Channels: h.channels, Outbox: h.outbox, Discovery: h.discovery, Words: h.words, Factors: h.access.Factors, Sites: h.sites.All(), Provider: h.federation.Check, Waiting: func() {
		fmt.Fprintln(e.stderr, "djauthy: the server takes its time, which large mail servers do; waiting for its answer")
	}}
	if h.bus != nil {
		c.Bus = h.bus.Check
	}
	if h.mailbox != nil {
		c.Mailbox = h.mailbox.Run
	}
	return c
}

func (e *env) report(all []check.Finding) error {
	bad := 0
	var rows [][]string
	for _, f := range all {
		word := "ok"
		if !f.OK {
			bad++
			word = "FAILED"
		}
		rows = append(rows, []string{f.What, word, f.Note})
	}
	var err error
	if e.json {
		err = e.print(all)
	} else {
		err = e.table([]string{"CHECK", "", ""}, rows)
	}
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d of %d checks failed", bad, len(all))
	}
	return err
}
