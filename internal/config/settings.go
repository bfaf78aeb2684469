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

// setting is one key: where its value is kept, what is allowed and what the example
// file says about it.
type setting struct {
	key         string // as in the file: "email.port"
	defaultText string // the default, as text
	help        string
	secret      bool
	isString    bool // a TOML string
	isList      bool // a TOML list of strings
	isMap       bool // a TOML table of strings
	set         func(text string) error
	get         func() string
}

// Variable is the name in the environment of the setting with a key: DJAUTHY_EMAIL_HOST
// for email.host.
func Variable(key string) string { return "DJAUTHY_" + variablePart(key) }

// variablePart is the part of a name in the environment that stands for a key:
// PROVIDER_0_NAME for provider[0].name.
func variablePart(key string) string {
	return strings.ToUpper(strings.NewReplacer(".", "_", "-", "_", "[", "_", "]", "").Replace(key))
}

// assign sets the value. A value that `djauthy config` prints has to be UTF-8, as TOML
// is; a hidden one, such as a password, may be any bytes.
func (s setting) assign(text string) error {
	if !utf8.ValidString(text) && (!s.secret || strings.HasPrefix(text, "sqlite:")) {
		return errors.New("it has to be text in UTF-8")
	}
	return s.set(text)
}

// table lists everything that the file may hold.
func (c *Config) table() table {
	return table{
		settings: c.settings(),
		arrays: []array{
			arrayOf("hook", &c.Hooks, "any number of web hooks, each a way to reach people: gateways for text messages, chat services; see docs/channels", (*Hook).table),
			arrayOf("provider", &c.Providers, "any number of servers elsewhere at which people sign in; see docs/providers.md", (*Provider).table),
			arrayOf("site", &c.Sites, "any number of apps on hosts of their own, behind a proxy in trusted_proxies that asks /forward-auth for each request", (*Site).table),
		},
	}
}

// settings lists the keys outside arrays of tables, in the order of the example file.
func (c *Config) settings() []setting {
	return slices.Concat(c.siteSettings(), c.expiries(), c.channelSettings(), c.otherSettings())
}

// siteSettings are about the site as a whole.
func (c *Config) siteSettings() []setting {
	return []setting{
		choice("mode", &c.Mode, "auto: the id decides by which implementation a person signs in; manual: the person chooses it", "auto", "manual"),
		text("listen", &c.Listen, "127.0.0.1:8080", "address and port to listen on", address),
		publicURL("public_url", &c.PublicURL, "the origin at which people reach this server: scheme, host and port, as in https://login.example.org. Without it http://localhost:PORT if listen is a loopback address; otherwise it is required. https makes cookies Secure"),
		text("database", &c.Database, "sqlite:data/djauthy.db", "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME", databaseURL).markSecret(),
		text("secret_key", &c.SecretKey, "", "encrypts secrets in the database; at least 32 characters. If empty, it is read from secret_key_file; without that from secret.key beside the SQLite file, which the first start makes. PostgreSQL needs one of the two settings", secretKey).markSecret(),
		text("secret_key_file", &c.SecretKeyFile, "", "path of a file with the secret key", anyText),
		proxies("trusted_proxies", &c.TrustedProxies, "CIDRs of proxies whose X-Forwarded-* headers count; those of all other clients are ignored. Ranges that hold every address of IPv4 or IPv6 are refused"),
		number("max_header_kib", &c.MaxHeaderKiB, 32, "size limit of a request's target and headers, in KiB. Leave room for cookies of other apps on the same host. A connection takes 25 KiB of memory, plus up to three times this limit once it has sent headers of that size", 8, 1024),
		boolean("hsts_subdomains", &c.HSTSSubdomains, false, "true: Strict-Transport-Security has includeSubDomains (RFC 6797 6.1.2): browsers use https alone for every host below public_url's, and remember it for two years"),
		boolean("open_signup", &c.OpenSignup, true, "false: only ids with an account get a code; unknown ids get the same pages, but no message"),
		list("admins", &c.Admins, "ids that become superusers at their first sign-in"),
	}
}

// channelSettings are about codes and the channels that carry them.
func (c *Config) channelSettings() []setting {
	return []setting{
		choice("code.alphabet", &c.Code.Alphabet, "digits or letters", "digits", "letters"),
		number("code.length", &c.Code.Length, 6, "characters in a code", 5, 32),
		number("code.tries", &c.Code.Tries, 5, "wrong tries per sign-in, for all its codes together", 1, 10),

		text("email.host", &c.Email.Host, "", "the SMTP server; empty: messages go to the local mailbox page, which exists on a loopback address only", anyText),
		number("email.port", &c.Email.Port, 587, "", 1, 65535),
		choice("email.tls", &c.Email.TLS, "starttls, implicit (usually port 465) or none", "starttls", "implicit", "none"),
		text("email.username", &c.Email.Username, "", "empty: do not log in", anyText),
		text("email.password", &c.Email.Password, "", "", anyText).markSecret(),
		text("email.from", &c.Email.From, "djauthy <noreply@localhost>", "sender of all messages", sender),
		ignoreCase(choice("email.auth", &c.Email.Auth, "SASL mechanism: auto tries PLAIN, LOGIN, then the others that the server offers, until one succeeds; or one of plain, login, scram-sha-256, scram-sha-1, cram-md5", "auto", "plain", "login", "scram-sha-256", "scram-sha-1", "cram-md5")),
		duration("email.timeout", &c.Email.Timeout, "5m", "timeout of each reply of the server (RFC 5321 4.5.3.2); the reply to the end of a message has ten minutes", time.Second, time.Hour),

		text("jabber.jid", &c.Jabber.ID, "", "login@example.org, as whom messages are sent; or the domain of an external component (XEP-0114), login.example.org; empty: nobody is reached by Jabber", optional(jabberID)),
		text("jabber.password", &c.Jabber.Password, "", "the password, or the component's secret", anyText).markSecret(),
		text("jabber.server", &c.Jabber.Server, "", "address and port; empty: found by SRV, for a client. A component has no TLS: its server belongs on this machine or in a network of your own", optional(address)),
		text("jabber.ca", &c.Jabber.CA, "", "path of a PEM file with the only authorities that count for the server's certificate; empty: those of the system", anyText),
		domains("jabber.domains", &c.Jabber.Domains, "domains whose ids are Jabber ids also without xmpp: in front"),
	}
}

func (c *Config) otherSettings() []setting {
	return []setting{
		boolean("openid.any_issuer", &c.OpenID.AnyIssuer, true, "true: people may sign in at an OpenID provider that nobody configured, which their address names. This server registers itself there"),
		prefixes("fetch.allow", &c.Fetch.Allow, "address ranges besides the public internet that people's addresses may lead to, such as 10.0.0.0/8; http is used in them alone"),

		number("otp.window", &c.OTP.Window, 3, "how many steps of 30 seconds a micro service's token may be early or late", 0, 10),
		boolean("otp.single_use", &c.OTP.SingleUse, false, "true: a token is accepted once. Clients of the ungleichotp services expect that the same token is accepted again"),

		text("bus.url", &c.Bus.URL, "", "RabbitMQ for ungleichotp's RPC of 2018: amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…; empty: no bus", optional(brokerURL)).markSecret(),
		serviceNames("bus.services", &c.Bus.Services, "ungleichotp", "service names under which RPC clients call this server"),

		duration("session.idle", &c.Session.Idle, "12h", "a session ends when it is not used for this long", time.Minute, 10*365*24*time.Hour),
		duration("session.absolute", &c.Session.Absolute, "720h", "a session ends this long after the sign-in", time.Minute, 10*365*24*time.Hour),
		boolean("session.bind_device", &c.Session.BindDevice, true, "true: a session is bound to its device, in browsers with device bound session credentials: a stolen cookie is of no use elsewhere"),

		rates("limits.send_per_id", &c.Limits.SendPerID, "5/15m, 40/24h", "messages to one mailbox; every rate counts. Beyond them, one in 5 minutes and 60 a day are reserved for networks that asked for none within a day. Browsers that have signed in with the id before have limits of their own"),
		rates("limits.send_per_ip", &c.Limits.SendPerIP, "30/15m", "messages that one client address (IPv6: one /64) may ask for; to one domain, as many in 24 times that period"),
		rates("limits.send_per_id_prefix", &c.Limits.SendPerIDPrefix, "3/15m", "messages to one mailbox that one client address may ask for"),
		rates("limits.fetch_per_ip", &c.Limits.FetchPerIP, "60/15m", "requests to servers elsewhere that one client address may cause: looking for the provider that an address names, and sign-ins at providers that fail"),
		rates("limits.tries_per_id", &c.Limits.TriesPerID, "20/1h, 60/24h", "tries at the codes of one id; every rate counts. Beyond them, browsers that have not signed in with the id before get codes of ten letters"),
		duration("limits.resend_every", &c.Limits.ResendEvery, "30s", "shortest time between two messages of one sign-in; 0: no limit", 0, time.Hour),

		duration("oauth.rotate_keys", &c.OAuth.RotateKeys, "2160h", "how long a key signs tokens before the next one takes its place. The next one is published all that time, so that apps know it before", time.Hour, 10*365*24*time.Hour),

		boolean("ids.fold_local_part", &c.IDs.FoldLocalPart, true, "true: Ann@example.org and ann@example.org are the same address"),

		text("brand.name", &c.Brand.Name, "djauthy", "name of this site on pages and in messages", oneLine),
		text("brand.logo", &c.Brand.Logo, "", "path of a picture (PNG, SVG, JPEG, WebP), shown above the sign-in form", imageFile),
		text("brand.accent", &c.Brand.Accent, "", "colour of buttons, as #rrggbb; white text on it needs a contrast of 4.5", accentColour),
		text("brand.help", &c.Brand.Help, "", "address of your page with help, linked at the foot of every page: https://… or mailto:…", optional(footAddress)),
		text("brand.privacy", &c.Brand.Privacy, "", "the same for what you say about privacy", optional(footAddress)),

		choice("log.format", &c.Log.Format, "text, json, or auto: text on a terminal, otherwise json", "auto", "text", "json"),
		choice("log.level", &c.Log.Level, "debug, info, warn or error", "info", "debug", "warn", "error"),

		text("metrics.listen", &c.Metrics.Listen, "", "address and port for /metrics; empty: it is served at listen, to loopback clients only", optional(address)),

		duration("sweep.every", &c.Sweep.Every, "1m", "how often expired rows are deleted", time.Second, 24*time.Hour),
		duration("sweep.unproved_accounts", &c.Sweep.UnprovedAccounts, "24h", "accounts whose address nobody has proved by a code are deleted after this time", time.Hour, 365*24*time.Hour),
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

// choice accepts one of the values; the first is the default.
func choice(key string, at *string, help string, values ...string) setting {
	return text(key, at, values[0], help, func(v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("one of %s", strings.Join(values, ", "))
		}
		return nil
	})
}

// ignoreCase accepts a value in capitals, too.
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

// formatDuration writes a duration without its zero units: "10m" for "10m0s".
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

// serviceNames is a list of at least one name.
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

// optional accepts an empty text, and what check accepts.
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

// accentColour requires a contrast of 4.5 with white (WCAG 2.2 1.4.3, level AA), since
// text on buttons is white.
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
