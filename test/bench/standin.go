package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

// standin is the limit that djauthy is held against: the same requests,
// durable commits and mails, done rightly and with nothing else around them:
// no budgets, outbox, audit, headers, templates or languages.
type standin struct {
	store *store
	mail  *mailer
	key   []byte
	seeds seedReaders

	passkeys *passkeys
	origin   string // of its pages
}

// runStandin serves until it is killed.
func runStandin(args []string) error {
	flags := flag.NewFlagSet("standin", flag.ContinueOnError)
	listen := flags.String("listen", "", "host:port")
	file := flags.String("db", "", "SQLite file")
	smtp := flags.Int("smtp", 0, "port of the SMTP server on 127.0.0.1")
	long := flags.String("sizes", "3000,4000,4000", "bytes of the two pages and a message")
	bus := flags.String("bus", "", "amqp:// of a broker on which to echo")
	if err := flags.Parse(args); err != nil {
		return err
	}
	size, err := parseSizes(*long)
	if err != nil {
		return err
	}
	s, p := &standin{key: random(32), origin: originAt(*listen)}, makePages(size)
	if s.store, err = openStore(*file); err != nil {
		return err
	}
	if s.seeds, err = openSeedReaders(*file); err != nil {
		return err
	}
	if s.passkeys, err = openPasskeys(*file, s.store); err != nil {
		return err
	}
	if s.mail, err = startMailer(*smtp, p); err != nil {
		return err
	}
	if *bus != "" {
		if err := serveEcho(*bus); err != nil {
			return err
		}
	}
	return s.app(p).Listen(*listen)
}

func (s *standin) app(p pages) *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/bare", func(c *fiber.Ctx) error { return c.SendString("ok") })
	app.Get("/healthz", func(c *fiber.Ctx) error { return c.SendString("ok") })
	app.Get("/login", func(c *fiber.Ctx) error { return page(c, p.login) })
	app.Post("/login", s.start)
	app.Get("/login/code", func(c *fiber.Ctx) error { return page(c, p.code) })
	app.Post("/login/code", s.finish)
	app.Get("/forward-auth", s.check)
	app.Post("/ungleichotp/verify/", s.verify)
	app.Get("/account/factors", s.factors)
	app.Post("/account/factors/passkey", s.addPasskey)
	app.Get("/login/passkey", s.challenge)
	app.Post("/login/passkey", s.finishPasskey)
	return app
}

func page(c *fiber.Ctx, html string) error {
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.SendString(html)
}

// start opens an attempt and mails its code once the attempt is durable.
func (s *standin) start(c *fiber.Ctx) error {
	address := strings.Clone(c.FormValue("id"))
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return err
	}
	code := fmt.Sprintf("%06d", n)
	id, secret := s.store.nextID(), random(32)
	hash := sha256.Sum256(secret)
	if err := s.store.addAttempt(id, hash[:], address, s.mac(id, code)); err != nil {
		return err
	}
	s.mail.queue <- letter{address, code}
	setCookie(c, "djauthy_attempt", id, secret)
	return c.Redirect("/login/code", fiber.StatusSeeOther)
}

// finish uses up the code and opens a session.
func (s *standin) finish(c *fiber.Ctx) error {
	attempt, proof, ok := splitCookie(c.Cookies("djauthy_attempt"))
	if !ok {
		return c.SendStatus(fiber.StatusGone)
	}
	proofHash := sha256.Sum256(proof)
	id, secret := s.store.nextID(), random(32)
	hash := sha256.Sum256(secret)
	right, err := s.store.useCode(attempt, proofHash[:], s.mac(attempt, c.FormValue("auth_code")), id, hash[:])
	if err != nil {
		return err
	}
	if !right {
		return c.SendStatus(fiber.StatusUnprocessableEntity)
	}
	setCookie(c, "djauthy", id, secret)
	return c.Redirect("/account", fiber.StatusSeeOther)
}

// check says who holds the session: one indexed read and join.
func (s *standin) check(c *fiber.Ctx) error {
	id, secret, ok := splitCookie(c.Cookies("djauthy"))
	if !ok {
		return c.SendStatus(fiber.StatusUnauthorized)
	}
	found, err := s.store.session(id)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(secret)
	if subtle.ConstantTimeCompare(hash[:], found.hash) == 0 || found.expires < time.Now().UnixMilli() {
		return c.SendStatus(fiber.StatusUnauthorized)
	}
	c.Set("Remote-User", found.user)
	c.Set("Remote-Email", found.email)
	return c.SendStatus(fiber.StatusOK)
}

func (s *standin) mac(attempt int64, code string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(attempt)))
	h.Write([]byte(code))
	return h.Sum(nil)
}

func setCookie(c *fiber.Ctx, name string, id int64, secret []byte) {
	value := strconv.FormatInt(id, 10) + "." + base64.RawURLEncoding.EncodeToString(secret)
	c.Set(fiber.HeaderSetCookie, name+"="+value+"; Path=/; HttpOnly; SameSite=Lax")
}

func splitCookie(value string) (int64, []byte, bool) {
	left, right, _ := strings.Cut(value, ".")
	id, err := strconv.ParseInt(left, 10, 64)
	if err != nil {
		return 0, nil, false
	}
	secret, err := base64.RawURLEncoding.DecodeString(right)
	return id, secret, err == nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}
