package main

import (
	"cmp"
	"errors"
	"log/slog"

	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/words"
)

type discoverCmd struct {
	ID string `arg:"" help:"What a person would type."`
}

// Run prints what the one box would do with an id, and why. It needs no database: no account
// is looked at.
func (c discoverCmd) Run(e *env) error {
	cfg, err := e.loadSettings()
	if err != nil {
		return err
	}
	h := &app{cfg: cfg, log: logger(e.stderr, cfg, slog.LevelWarn), discovery: discovery(cfg)}
	if h.keys, err = seal.New(seal.Random(seal.KeySize)); err != nil {
		return err
	}
	settings, err := h.signinSettings()
	if err != nil {
		return err
	}
	led, err := federation.New(h.federationSettings(), nil, h.keys, h.log)
	if err != nil {
		return err
	}
	choice, refusal, err := signin.New(nil, nil, nil, nil, led, h.keys, settings, h.log).Discover(e.ctx, c.ID, "", signin.Requester{})
	if err != nil {
		return err
	}
	if refusal != "" {
		catalogue, err := words.Load()
		return cmp.Or(err, errors.New(catalogue.Get("en").T("problem.id."+string(refusal))))
	}
	return e.print(choice.Told(c.ID))
}
