package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/djauthy/djauthy/internal/store"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/bus"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/mailbox"
	"github.com/djauthy/djauthy/internal/metrics"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/signkeys"
	"github.com/djauthy/djauthy/internal/sites"
	"github.com/djauthy/djauthy/internal/sweep"
	"github.com/djauthy/djauthy/internal/words"
	"github.com/djauthy/djauthy/templates"
)

// app is all packages below the doors, wired together.
type app struct {
	cfg        *config.Config
	log        *slog.Logger
	db         *db.DB
	keys       *seal.Keys
	words      *words.Catalogue
	metrics    *metrics.Metrics
	discovery  accounts.Discovery
	mailbox    *mailbox.Mailbox // nil with a mail server
	channels   *delivery.Channels
	outbox     *outbox.Outbox
	sessions   *session.Store
	federation *federation.Service
	signin     *signin.Service
	access     *access.Service
	sites      *sites.Sites
	services   *services.Service
	signkeys   *signkeys.Ring
	directory  *directory.Directory
	bus        *bus.Bus // nil without bus.url
}

// settings reads the file and the environment.
func (e *env) settings() (*config.Config, []string, error) {
	var text []byte
	if e.config != "" {
		var err error
		if text, err = config.ReadFile(e.config); err != nil {
			return nil, nil, fmt.Errorf("settings: %w", err)
		}
	}
	return config.Load(e.config, text, e.environ, config.ReadFile)
}

// loadSettings returns the settings and prints warnings about variables that mean nothing:
// with a mistyped DJAUTHY_DATABASE, for example, a command uses another database.
func (e *env) loadSettings() (*config.Config, error) {
	c, warnings, err := e.settings()
	for _, w := range warnings {
		fmt.Fprintln(e.stderr, "djauthy: warning:", w)
	}
	return c, err
}

// open wires the program for a command, on a database that exists and is up to date. It
// makes and changes none. The log has warnings and errors only, beside the command's output.
func (e *env) open() (*app, error) { return e.openAt(slog.LevelWarn, store.Expect) }

// openReady wires it on a database that it makes and brings up to date, if
// that is needed. It is for serve and migrate alone.
func (e *env) openReady(least slog.Level) (*app, error) { return e.openAt(least, store.Make) }

// openAt wires the program. ready opens the database and finds the secret key.
func (e *env) openAt(least slog.Level, ready store.Opener) (*app, error) {
	cfg, warnings, err := e.settings()
	if err != nil {
		return nil, err
	}
	h := &app{cfg: cfg, log: logger(e.stderr, cfg, least), metrics: metrics.New(), discovery: discovery(cfg)}
	for _, w := range warnings {
		h.log.Warn(w)
	}
	if h.words, err = words.Load(); err != nil {
		return nil, err
	}
	s, err := ready(e.ctx, cfg)
	if err != nil {
		return nil, err
	}
	h.db, h.keys = s.DB, s.Keys
	h.db.Dropped = func(err error) { h.log.Warn("what comes after a decision was left undone", "err", err) }
	if len(s.Steps) > 0 {
		h.log.Info("database brought up to date", "steps", s.Steps)
	}
	if err := h.wire(e); err != nil {
		return nil, errors.Join(err, h.db.Close())
	}
	return h, nil
}

func (h *app) wire(e *env) error {
	senders, err := h.senders(e)
	if err != nil {
		return err
	}
	if h.channels, err = delivery.New(templates.FS, h.words, senders); err != nil {
		return err
	}
	h.outbox = outbox.New(h.db, h.keys, h.channels.Handlers(), h.metrics, h.log)
	codes, err := multifactor.NewCodes(h.keys, h.cfg.Code.Alphabet, h.cfg.Code.Length)
	if err != nil {
		return err
	}
	settings, err := h.signinSettings()
	if err != nil {
		return err
	}
	h.sessions = session.New(h.db, session.Settings{Idle: h.cfg.Session.Idle, Absolute: h.cfg.Session.Absolute}, h.log)
	if h.federation, err = federation.New(h.federationSettings(), h.db, h.keys, h.log); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	h.signin = signin.New(h.db, h.outbox, codes, h.sessions, h.federation, h.keys, settings, h.log)
	h.access = access.New(h.db, h.sessions, h.factors())
	h.access.Trusts = map[string]bool{}
	for _, p := range h.cfg.Providers {
		h.access.Trusts[p.Name] = p.TrustFactors
	}
	h.signin.Gate = h.access.Decide
	h.sites = sites.New(h.cfg.PublicURL, h.cfg.Sites)
	h.services = services.New(h.db, h.keys, services.Settings{Window: h.cfg.OTP.Window, SingleUse: h.cfg.OTP.SingleUse}, h.log)
	h.services.Verified = h.metrics.Verify
	h.signkeys = signkeys.New(h.db, h.keys, h.cfg.OAuth.RotateKeys, h.log)
	if h.signin.Enrolled, err = multifactor.NewEnrolled(h.keys, h.relying()); err != nil {
		return err
	}
	h.directory = &directory.Directory{
		Enrolled: h.signin.Enrolled, Keys: h.signkeys, Notices: h.signin.Notices, Outbox: h.outbox, TriesPerID: h.cfg.Limits.TriesPerID,
		DB: h.db, Sessions: h.sessions, Services: h.services, Discovery: h.discovery, Factors: h.access.Factors, Gate: h.access.Decide, Log: h.log,
	}
	if h.cfg.Bus.URL != "" {
		h.bus = &bus.Bus{Services: h.services, URL: h.cfg.Bus.URL, Names: h.cfg.Bus.Services, Log: h.log, Answered: h.metrics.Bus}
		h.metrics.BusConnected(func() bool { return h.bus.Ready() == nil })
	}
	return nil
}

// discovery knows the ids of everybody whom the configured channels reach.
func discovery(c *config.Config) accounts.Discovery {
	d := accounts.Discovery{FoldLocalPart: c.IDs.FoldLocalPart, AnyIssuer: c.OpenID.AnyIssuer}
	if c.Jabber.ID != "" {
		d.Jabber = &accounts.JabberIDs{Domains: c.Jabber.Domains}
	}
	for _, hook := range c.Hooks {
		d.Hooks = append(d.Hooks, accounts.HookIDs{Name: hook.Name, IDs: hook.Pattern()})
	}
	for _, p := range c.Providers {
		d.Providers = append(d.Providers, accounts.ProviderIDs{Name: p.Name, Kind: p.Kind, Issuer: p.Issuer, Domains: p.Domains})
	}
	return d
}

// relying is this server as authenticators know it.
func (h *app) relying() multifactor.Relying {
	r := multifactor.Relying{Name: h.cfg.Brand.Name, ID: h.cfg.PublicHost(), Origin: h.cfg.PublicURL}
	if net.ParseIP(r.ID) != nil { // WebAuthn refuses addresses
		r.ID = ""
	}
	return r
}

// binds reports whether sessions are bound to keys of their devices, where browsers can:
// they do it under https alone.
func (h *app) binds() bool {
	return h.cfg.Session.BindDevice && strings.HasPrefix(h.cfg.PublicURL, "https:")
}

// factors are the factors that this server has.
func (h *app) factors() multifactor.Server {
	domain := h.relying().ID != ""
	s := multifactor.Server{Providers: h.discovery.Providers, Has: map[multifactor.Factor]bool{
		accounts.Email: true, accounts.Jabber: h.cfg.Jabber.ID != "", multifactor.AnyCode: true,
		accounts.OpenID: h.cfg.OpenID.AnyIssuer, accounts.OAuth: false,
		multifactor.TOTP: true, multifactor.Recovery: true, multifactor.Passkey: domain, multifactor.VerifiedPasskey: domain, multifactor.Bound: h.binds(),
	}}
	for _, hook := range h.cfg.Hooks {
		s.Has[multifactor.Factor(hook.Name)] = true
	}
	for _, p := range h.cfg.Providers {
		s.Has[multifactor.Factor(p.Name)] = true
		s.Has[multifactor.Factor(p.Kind)] = true
	}
	return s
}

// federationSettings are the settings of providers elsewhere.
func (h *app) federationSettings() federation.Settings {
	s := federation.Settings{PublicURL: h.cfg.PublicURL, Client: h.cfg.Brand.Name, Allow: h.cfg.Fetch.Allow, Discovery: h.discovery}
	for _, p := range h.cfg.Providers {
		s.Providers = append(s.Providers, federation.Provider{
			Name: p.Name, Kind: p.Kind, Driver: p.Driver, Label: p.Label, Issuer: p.Issuer, ClientID: p.ClientID, ClientSecret: p.ClientSecret,
			Scopes: p.Scopes, TrustEmail: p.TrustEmail,
		})
	}
	return s
}

// senders are the channels that carry codes, by implementation.
func (h *app) senders(e *env) (map[string]delivery.Sender, error) {
	mail, err := h.sender(e)
	if err != nil {
		return nil, err
	}
	all := map[string]delivery.Sender{accounts.Email: mail}
	if h.cfg.Jabber.ID != "" {
		if all[accounts.Jabber], err = h.jabber(); err != nil {
			return nil, fmt.Errorf("settings: jabber.%w", err)
		}
	}
	for i, hook := range h.cfg.Hooks {
		all[hook.Name], err = delivery.NewHook(delivery.Hook{
			URL: hook.URL, Method: hook.Method, Headers: hook.Headers, ContentType: hook.ContentType, Body: hook.Body, Secret: hook.Secret, Site: h.cfg.Brand.Name,
		})
		if err != nil {
			return nil, fmt.Errorf("settings: hook[%d] (%s): %w", i, hook.Name, err)
		}
	}
	return all, nil
}

// jabber is the sender of the jabber channel.
func (h *app) jabber() (delivery.Sender, error) {
	c := h.cfg.Jabber
	var ca []byte
	if c.CA != "" {
		var err error
		if ca, err = config.ReadFile(c.CA); err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
	}
	return delivery.NewJabber(delivery.Jabber{ID: c.ID, Secret: c.Password, Server: c.Server, CA: ca, Bounced: func(id, condition string) {
		delivery.Bounced(h.outbox, accounts.Jabber, id, condition)
	}, Answered: func(q delivery.Question, yes bool) { h.signin.RecordAnswerLater(q, yes) }})
}

// sender is the way to send mail: the configured server, or the local mailbox.
func (h *app) sender(e *env) (delivery.Sender, error) {
	c := h.cfg.Email
	smtp := delivery.SMTP{
		Host: c.Host, Port: c.Port, TLS: c.TLS, Username: c.Username, Password: c.Password, Auth: c.Auth,
		From: c.From, Helo: h.cfg.PublicHost(), Timeout: c.Timeout,
	}
	if h.cfg.LocalMailbox() {
		out := e.stdout
		if e.json { // which has standard output for itself
			out = e.stderr
		}
		box, err := mailbox.Listen(func(m mailbox.Message) { printMessage(out, m) })
		if err != nil {
			return nil, err
		}
		h.mailbox = box
		smtp.Host, smtp.Port, smtp.TLS = "127.0.0.1", box.Port(), "none"
	}
	return delivery.NewSMTP(smtp)
}

func (h *app) signinSettings() (signin.Settings, error) {
	c := h.cfg
	s := signin.Settings{
		OpenSignup: c.OpenSignup, Admins: map[accounts.ID]bool{}, Tries: c.Code.Tries, Lives: c.Lives(),
		SendPerID: c.Limits.SendPerID, SendPerIP: c.Limits.SendPerIP, SendPerIDPrefix: c.Limits.SendPerIDPrefix,
		FetchPerIP: c.Limits.FetchPerIP, TriesPerID: c.Limits.TriesPerID, ResendEvery: c.Limits.ResendEvery, KeptSends: signin.KeptSends(), GivesBack: signin.GivesBack(),
		Site: c.Brand.Name, PublicURL: c.PublicURL, Discovery: h.discovery, SendPerHook: map[string]config.Rates{},
	}
	for _, hook := range c.Hooks {
		s.SendPerHook[hook.Name] = hook.Limit
	}
	for _, text := range c.Admins {
		id, refusal := h.discovery.Find(text, "")
		if refusal != "" {
			return s, &config.Error{Key: "admins", Value: text, Allowed: "ids such as ann@example.org", Source: "settings"}
		}
		s.Admins[id] = true
	}
	return s, nil
}

func (h *app) sweeper() *sweep.Sweeper {
	return &sweep.Sweeper{DB: h.db, Sessions: h.sessions, Log: h.log, Removed: h.metrics.Swept, Settings: sweep.Settings{
		Every: h.cfg.Sweep.Every, UnprovedAccounts: h.cfg.Sweep.UnprovedAccounts, CodeLife: h.cfg.LongestLife(),
	}}
}

func (h *app) close() error { return h.db.Close() }
