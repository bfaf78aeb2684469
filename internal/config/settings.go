package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// setting is one key: where it goes, what it may be, and what is said of it.
type setting struct {
	key         string // as in the file
	defaultText string // the default, as text
	help        string
	secret      bool
	isString    bool // a TOML string
	isList      bool // a TOML list of strings
	set         func(text string) error
	get         func() string
}

// Variable is the name of a setting in the environment: email.host is
// DJAUTHY_EMAIL_HOST.
func Variable(key string) string {
	return "DJAUTHY_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func (s setting) env() string { return Variable(s.key) }

// assign sets the value. What is shown again has to be text that TOML can hold; a
// password may be any bytes.
func (s setting) assign(text string) error {
	if !utf8.ValidString(text) && (!s.secret || strings.HasPrefix(text, "sqlite:")) {
		return errors.New("it has to be text in UTF-8")
	}
	return s.set(text)
}

// settings lists every key in the order of the example file.
func (c *Config) settings() []setting {
	return []setting{
		choice("mode", &c.Mode, "auto: the way to reach a person is found from the id; manual: the person chooses it", "auto", "manual"),
		text("listen", &c.Listen, "127.0.0.1:8080", "address and port to listen on", address),
		publicURL("public_url", &c.PublicURL, "how people reach this server: scheme, host and port as they type them, in any spelling; default http://localhost:PORT of a loopback listen, else required. https makes cookies Secure"),
		text("database", &c.Database, "sqlite:data/djauthy.db", "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME", databaseURL).markSecret(),
		text("secret_key", &c.SecretKey, "", "seals what the database holds; at least 32 characters. Without it secret_key_file, else secret.key beside the SQLite file, made once", secretKey).markSecret(),
		text("secret_key_file", &c.SecretKeyFile, "", "a file that holds the secret key", anyText),
		prefixes("trusted_proxies", &c.TrustedProxies, "addresses of proxies that may say who the client is (X-Forwarded-For), as CIDRs"),
		number("max_header_kib", &c.MaxHeaderKiB, 32, "KiB that the head of a request may have: target, cookies and all other headers; apps on the same host set cookies, too. A connection takes 25 KiB of memory, and three times this limit more once it has sent so much", 8, 1024),
		boolean("hsts_subdomains", &c.HSTSSubdomains, false, "true: browsers that were here use https for every host below public_url's, too (includeSubDomains of RFC 6797); they remember it for two years"),
		boolean("open_signup", &c.OpenSignup, true, "false: unknown ids get the same answers and no message"),
		list("admins", &c.Admins, "ids that become superusers at their first sign-in"),

		duration("expiry_time.email", &c.ExpiryTime.Email, "10m", "how long a mailed code works", time.Minute, 24*time.Hour),

		choice("code.alphabet", &c.Code.Alphabet, "digits or letters", "digits", "letters"),
		number("code.length", &c.Code.Length, 6, "characters in a code", 5, 32),
		number("code.tries", &c.Code.Tries, 5, "wrong tries per sign-in, over all its codes", 1, 10),

		text("email.host", &c.Email.Host, "", "the SMTP server; empty: the local mailbox, on a loopback address only", anyText),
		number("email.port", &c.Email.Port, 587, "", 1, 65535),
		choice("email.tls", &c.Email.TLS, "starttls, implicit (usually port 465) or none", "starttls", "implicit", "none"),
		text("email.username", &c.Email.Username, "", "empty: no authentication", anyText),
		text("email.password", &c.Email.Password, "", "", anyText).markSecret(),
		text("email.from", &c.Email.From, "djauthy <noreply@localhost>", "sender of all messages", sender),
		ignoreCase(choice("email.auth", &c.Email.Auth, "how to log in. auto: PLAIN, LOGIN, then what else both know, each tried until one is let in; or one by name", "auto", "plain", "login", "scram-sha-256", "scram-sha-1", "cram-md5")),
		duration("email.timeout", &c.Email.Timeout, "5m", "for each answer of the server (RFC 5321 4.5.3.2); the end of a message has ten minutes", time.Second, time.Hour),

		number("otp.window", &c.OTP.Window, 3, "how many steps of 30 seconds a micro service's token may be off, either way", 0, 10),
		boolean("otp.single_use", &c.OTP.SingleUse, false, "true: a verified token passes once; clients of the ungleichotp services expect that it passes again"),

		text("bus.url", &c.Bus.URL, "", "RabbitMQ for the RPC of 2018, amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…; empty: no bus", optional(brokerURL)).markSecret(),
		serviceNames("bus.services", &c.Bus.Services, "ungleichotp", "the names by which the bus calls this service"),

		duration("session.idle", &c.Session.Idle, "12h", "a session ends when it was not used for so long", time.Minute, 10*365*24*time.Hour),
		duration("session.absolute", &c.Session.Absolute, "720h", "a session ends so long after the sign-in", time.Minute, 10*365*24*time.Hour),

		rates("limits.send_per_id", &c.Limits.SendPerID, "5/15m, 40/24h", "messages to one mailbox, all rates must hold. Beyond them one in 5 minutes and 60 a day are kept for addresses that have taken none within a day; browsers that have signed in before have budgets of their own"),
		rates("limits.send_per_ip", &c.Limits.SendPerIP, "30/15m", "messages asked for from one address (IPv6: one /64); in 24 times that time as many to one domain"),
		rates("limits.send_per_id_prefix", &c.Limits.SendPerIDPrefix, "3/15m", "what one address may take of a mailbox's messages"),
		rates("limits.tries_per_id", &c.Limits.TriesPerID, "20/1h, 60/24h", "tries at one id's codes; all must hold. Beyond them a browser unknown to this id gets a code of ten letters"),
		duration("limits.resend_every", &c.Limits.ResendEvery, "30s", "shortest time between two messages of one sign-in; 0 turns it off", 0, time.Hour),

		boolean("ids.fold_local_part", &c.IDs.FoldLocalPart, true, "Ann@ and ann@ are one person"),

		text("brand.name", &c.Brand.Name, "djauthy", "what pages and messages call this site", oneLine),
		text("brand.logo", &c.Brand.Logo, "", "a picture's path (PNG, SVG, JPEG, WebP), shown above the box", imageFile),
		text("brand.accent", &c.Brand.Accent, "", "one colour, as #rrggbb; must have enough contrast with white", accentColour),

		choice("log.format", &c.Log.Format, "auto (text on a terminal, else json), text or json", "auto", "text", "json"),
		choice("log.level", &c.Log.Level, "debug, info, warn or error", "info", "debug", "warn", "error"),

		text("metrics.listen", &c.Metrics.Listen, "", "address and port for /metrics; empty: on the main one, for loopback peers only", optional(address)),

		duration("sweep.every", &c.Sweep.Every, "1m", "how often what is over is cleared away", time.Second, 24*time.Hour),
		duration("sweep.unproved_accounts", &c.Sweep.UnprovedAccounts, "24h", "accounts that nobody proved go after this", time.Hour, 365*24*time.Hour),
	}
}

func (s setting) markSecret() setting { s.secret = true; return s }

func anyText(string) error { return nil }

func text(key string, at *string, std, help string, check func(string) error) setting {
	return setting{
		key: key, defaultText: std, help: help, isString: true, get: func() string { return *at },
		set: func(v string) error { *at = v; return check(v) },
	}
}

// choice takes one of the values; the first is the default.
func choice(key string, at *string, help string, values ...string) setting {
	return text(key, at, values[0], help, func(v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("one of %s", strings.Join(values, ", "))
		}
		return nil
	})
}

// ignoreCase takes a value in capitals, too.
func ignoreCase(s setting) setting {
	set := s.set
	s.set = func(v string) error { return set(strings.ToLower(v)) }
	return s
}

func boolean(key string, at *bool, std bool, help string) setting {
	return setting{
		key: key, defaultText: strconv.FormatBool(std), help: help, get: func() string { return strconv.FormatBool(*at) },
		set: func(v string) (err error) {
			if *at, err = strconv.ParseBool(v); err != nil {
				return errors.New("true or false")
			}
			return nil
		},
	}
}

func number(key string, at *int, std int, help string, low, high int) setting {
	return setting{
		key: key, defaultText: strconv.Itoa(std), help: help, get: func() string { return strconv.Itoa(*at) },
		set: func(v string) (err error) {
			if *at, err = strconv.Atoi(v); err != nil || *at < low || *at > high {
				return fmt.Errorf("a whole number from %d to %d", low, high)
			}
			return nil
		},
	}
}

func duration(key string, at *time.Duration, std, help string, low, high time.Duration) setting {
	return setting{
		key: key, defaultText: std, help: help, isString: true, get: func() string { return formatDuration(*at) },
		set: func(v string) (err error) {
			if *at, err = parseDuration(v); err != nil || *at < low || *at > high {
				return fmt.Errorf("a time such as \"10m\", \"1h30m\" or a number of seconds, from %s to %s", formatDuration(low), formatDuration(high))
			}
			return nil
		},
	}
}

func parseDuration(v string) (time.Duration, error) {
	if n, err := strconv.ParseInt(v, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(v)
}

// formatDuration is a duration without its zero units: "10m" for "10m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	s, _ = strings.CutSuffix(s, "m0s")
	if s != d.String() {
		s += "m"
	}
	if h, ok := strings.CutSuffix(s, "h0m"); ok {
		s = h + "h"
	}
	return s
}

func list(key string, at *[]string, help string) setting {
	return setting{
		key: key, help: help, isList: true, get: func() string { return strings.Join(*at, ",") },
		set: func(v string) error { *at = split(v); return nil },
	}
}

// serviceNames is a list of words that is not empty.
func serviceNames(key string, at *[]string, std, help string) setting {
	s := list(key, at, help)
	s.defaultText = std
	s.set = func(v string) error {
		*at = split(v)
		if len(*at) == 0 || slices.ContainsFunc(*at, func(name string) bool { return !serviceName.MatchString(name) }) {
			return errors.New("names of letters, digits, - and _, separated by commas")
		}
		return nil
	}
	return s
}

var serviceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

func brokerURL(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "amqp" && u.Scheme != "amqps" || u.Host == "" {
		return errors.New("amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps://…")
	}
	return nil
}

func split(v string) (all []string) {
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func prefixes(key string, at *[]netip.Prefix, help string) setting {
	return setting{
		key: key, help: help, isList: true,
		get: func() string {
			all := make([]string, len(*at))
			for i, p := range *at {
				all[i] = p.String()
			}
			return strings.Join(all, ",")
		},
		set: func(v string) error {
			*at = nil
			for _, part := range split(v) {
				p, err := netip.ParsePrefix(part)
				if err != nil {
					return errors.New("address ranges such as 10.0.0.0/8 or ::1/128")
				}
				*at = append(*at, p.Masked())
			}
			return nil
		},
	}
}

func rates(key string, at *Rates, std, help string) setting {
	return setting{
		key: key, defaultText: std, help: help, isString: true, get: func() string { return at.String() },
		set: func(v string) error {
			*at = nil
			for _, part := range split(v) {
				n, per, _ := strings.Cut(part, "/")
				count, err1 := strconv.Atoi(strings.TrimSpace(n))
				span, err2 := parseDuration(strings.TrimSpace(per))
				if err1 != nil || err2 != nil || count < 1 || span < time.Second {
					return errors.New(`a number per time, such as "5/15m"; several separated by commas`)
				}
				if rate := (Rate{count, span}); !slices.Contains(*at, rate) {
					*at = append(*at, rate)
				}
			}
			if len(*at) == 0 {
				return errors.New(`a number per time, such as "5/15m"`)
			}
			return nil
		},
	}
}

// optional lets a text be empty.
func optional(check func(string) error) func(string) error {
	return func(v string) error {
		if v == "" {
			return nil
		}
		return check(v)
	}
}

func address(v string) error {
	_, p, err := net.SplitHostPort(v)
	if err != nil || port(p) != nil {
		return errors.New("an address and a port, such as 127.0.0.1:8080")
	}
	return nil
}

func port(v string) error {
	if n, err := strconv.ParseUint(v, 10, 16); err != nil || strconv.FormatUint(n, 10) != v {
		return errors.New("a number from 0 to 65535")
	}
	return nil
}

func databaseURL(v string) error {
	path, lite := strings.CutPrefix(v, "sqlite:")
	if lite && path != "" && filepath.Clean(path) != "." {
		return nil
	}
	if strings.HasPrefix(v, "postgres://") || strings.HasPrefix(v, "postgresql://") {
		if _, err := url.Parse(v); err == nil {
			return nil
		}
	}
	return errors.New("sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")
}

func secretKey(v string) error {
	if v != "" && len(v) < 32 {
		return errors.New("at least 32 random characters (make some with: openssl rand -base64 32)")
	}
	return nil
}

func sender(v string) error {
	if a, err := mail.ParseAddress(v); err != nil || strings.ContainsAny(a.Name, "\r\n") {
		return errors.New("a sender such as: Example <noreply@example.org>")
	}
	return nil
}

func oneLine(v string) error {
	if v == "" || len(v) > 80 || !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("one line of at most 80 bytes")
	}
	return nil
}

func imageFile(v string) error {
	if v != "" && !slices.Contains([]string{".png", ".svg", ".jpg", ".jpeg", ".webp"}, strings.ToLower(filepath.Ext(v))) {
		return errors.New("a PNG, SVG, JPEG or WebP file")
	}
	return nil
}

var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// accentColour asks for a contrast of 4.5 with white, the AA of WCAG 2.2 1.4.3,
// since buttons are white on it.
func accentColour(v string) error {
	if v == "" {
		return nil
	}
	if !hexColour.MatchString(v) {
		return errors.New("a colour such as #1a5fb4")
	}
	if c := 1.05 / (luminance(v) + 0.05); c < 4.5 {
		return fmt.Errorf("a darker colour: white text on it has a contrast of %.1f, 4.5 is needed", c)
	}
	return nil
}
