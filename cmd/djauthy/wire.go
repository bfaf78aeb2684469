package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/bus"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/mailbox"
	"github.com/djauthy/djauthy/internal/metrics"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/sweep"
	"github.com/djauthy/djauthy/internal/words"
	"github.com/djauthy/djauthy/templates"
)

// house is everything below the doors, wired.
type house struct {
	cfg       *config.Config
	log       *slog.Logger
	db        *db.DB
	keys      *seal.Keys
	words     *words.Catalogue
	metrics   *metrics.Metrics
	discovery accounts.Discovery
	mailbox   *mailbox.Mailbox // nil with a mail server
	outbox    *delivery.Outbox
	signin    *signin.Service
	services  *services.Service
	bus       *bus.Bus // nil without bus.url
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

// open wires the house for a command: its answer is what it prints, and its log
// tells only what is wrong. Where there was no database yet, the command may have
// been meant for another one, that of a server.
func (e *env) open() (*house, error) {
	h, made, err := e.openAt(slog.LevelWarn)
	if made != "" {
		fmt.Fprintf(e.stderr, "djauthy: new database %s; if a server has another, run this in its directory or with its DJAUTHY_DATABASE\n", made)
	}
	return h, err
}

// missing is the path of an SQLite file that is not there yet, "" for any other
// database.
func missing(database string) string {
	path, lite := strings.CutPrefix(database, "sqlite:")
	if !lite {
		return ""
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// openAt wires the house on a database that is up to date. made is the path of one
// that was not there before.
func (e *env) openAt(least slog.Level) (h *house, made string, err error) {
	cfg, warnings, err := e.settings()
	if err != nil {
		return nil, "", err
	}
	h = &house{cfg: cfg, log: logger(e.stderr, cfg, least), metrics: metrics.New(), discovery: accounts.Discovery{FoldLocalPart: cfg.IDs.FoldLocalPart}}
	for _, w := range warnings {
		h.log.Warn(w)
	}
	if h.words, err = words.Load(); err != nil {
		return nil, "", err
	}
	path := missing(cfg.Database)
	if h.db, err = db.Open(e.ctx, cfg.Database); err != nil {
		return nil, "", fmt.Errorf("%w (the setting database, DJAUTHY_DATABASE, says where it is)", err)
	}
	if err := h.furnish(e); err != nil {
		return nil, path, errors.Join(err, h.db.Close())
	}
	return h, path, nil
}

func (h *house) furnish(e *env) error {
	steps, err := h.db.Migrate(e.ctx)
	if err != nil {
		return err
	}
	if len(steps) > 0 {
		h.log.Info("database brought up to date", "steps", steps)
	}
	if h.keys, err = secretKey(h.cfg); err != nil {
		return err
	}
	if err := rememberKey(e.ctx, h.db, h.keys); err != nil {
		return err
	}
	sender, err := h.sender(e)
	if err != nil {
		return err
	}
	senders := map[string]delivery.Sender{accounts.Email: sender}
	if h.outbox, err = delivery.New(h.db, h.keys, templates.FS, h.words, senders, h.metrics, h.log); err != nil {
		return err
	}
	codes, err := multifactor.NewCodes(h.keys, h.cfg.Code.Alphabet, h.cfg.Code.Length, h.cfg.ExpiryTime.Email)
	if err != nil {
		return err
	}
	settings, err := h.signinSettings()
	if err != nil {
		return err
	}
	h.signin = signin.New(h.db, h.outbox, codes, h.keys, settings, h.log)
	h.services = services.New(h.db, h.keys, services.Settings{Window: h.cfg.OTP.Window, SingleUse: h.cfg.OTP.SingleUse}, h.log)
	h.services.Verified = h.metrics.Verify
	if h.cfg.Bus.URL != "" {
		h.bus = &bus.Bus{Services: h.services, URL: h.cfg.Bus.URL, Names: h.cfg.Bus.Services, Log: h.log, Answered: h.metrics.Bus}
		h.metrics.BusConnected(func() bool { return h.bus.Ready() == nil })
	}
	return nil
}

// sender is the way to send mail: the configured server, or the local mailbox.
func (h *house) sender(e *env) (delivery.Sender, error) {
	c := h.cfg.Email
	smtp := delivery.SMTP{Host: c.Host, Port: c.Port, TLS: c.TLS, Username: c.Username, Password: c.Password, From: c.From, Helo: h.cfg.PublicHost()}
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

func (h *house) signinSettings() (signin.Settings, error) {
	c := h.cfg
	s := signin.Settings{
		OpenSignup: c.OpenSignup, Admins: map[accounts.ID]bool{}, Tries: c.Code.Tries,
		Idle: c.Session.Idle, Absolute: c.Session.Absolute,
		SendPerID: c.Limits.SendPerID, SendPerIP: c.Limits.SendPerIP, SendPerIDPrefix: c.Limits.SendPerIDPrefix,
		TriesPerID: c.Limits.TriesPerID, ResendEvery: c.Limits.ResendEvery, KeptSends: signin.KeptSends,
		Site: c.Brand.Name, PublicURL: c.PublicURL,
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

func (h *house) sweeper() *sweep.Sweeper {
	return &sweep.Sweeper{DB: h.db, Log: h.log, Removed: h.metrics.Swept, Settings: sweep.Settings{
		Every: h.cfg.Sweep.Every, UnprovedAccounts: h.cfg.Sweep.UnprovedAccounts, CodeLife: h.cfg.ExpiryTime.Email, Session: h.signin.Settings,
	}}
}

func (h *house) close() error { return h.db.Close() }

// secretKey is the one of the settings, of its file, or of secret.key beside
// the SQLite file, which is made at the first start.
func secretKey(c *config.Config) (*seal.Keys, error) {
	if c.SecretKey != "" {
		return seal.New([]byte(c.SecretKey))
	}
	path, beside := c.SecretKeyFile, c.SecretKeyFile == ""
	if beside {
		path = filepath.Join(filepath.Dir(strings.TrimPrefix(c.Database, "sqlite:")), "secret.key")
	}
	text, err := config.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && beside {
		if err := makeKey(path); err != nil {
			return nil, fmt.Errorf("cannot make the secret key: %w", err)
		}
		text, err = config.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the secret key: %w", err)
	}
	keys, err := seal.New(bytes.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// makeKey writes a fresh key under a name that did not exist. It is linked into
// place whole, so that two processes that start together agree on one.
func makeKey(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(seal.Random(seal.KeySize)) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// rememberKey stops a start with another secret key than the one that sealed
// the database.
func rememberKey(ctx context.Context, d *db.DB, keys *seal.Keys) error {
	const name = "key_fingerprint"
	var known string
	read := func(tx *db.Tx) error { return tx.Get(`SELECT value FROM meta WHERE key = $1`, name).Scan(&known) }
	err := d.View(ctx, read)
	if errors.Is(err, db.ErrNotFound) {
		err = d.Update(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, name, keys.Fingerprint()); err != nil {
				return err
			}
			return read(tx)
		})
	}
	if err != nil {
		return err
	}
	if known != keys.Fingerprint() {
		return errors.New("this database was sealed with another secret key: set the old one (secret_key, secret_key_file, or secret.key beside the SQLite file), or start with a new database")
	}
	return nil
}
