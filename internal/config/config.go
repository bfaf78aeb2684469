// Package config turns a TOML file and the environment into settings.
//
// Load has no side effects: it reads only its arguments. Each key is declared once, in
// settings.go; the example file, the names in the environment, the checks and the output
// of `djauthy config` are made from that list. Connecting to what the settings name is not
// done here.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config holds every setting, checked and with its default filled in.
type Config struct {
	Mode           string // "auto" or "manual"
	Listen         string // host:port
	PublicURL      string // an origin as browsers write it: https://host[:port], in lower case and ASCII
	Database       string // sqlite:PATH or postgres://…
	SecretKey      string
	SecretKeyFile  string
	TrustedProxies []netip.Prefix
	MaxHeaderKiB   int
	HSTSSubdomains bool
	OpenSignup     bool
	Admins         []string

	ExpiryTime struct{ Email, Jabber, OpenID, OAuth time.Duration }
	Code       struct {
		Alphabet string // "digits" or "letters"
		Length   int
		Tries    int // per attempt, for all its codes together
	}
	Email struct {
		Host     string // empty: the local mailbox
		Port     int
		TLS      string // "starttls", "implicit" or "none"
		Username string
		Password string
		From     string
		Auth     string        // "auto" or the name of a SASL mechanism, in small letters
		Timeout  time.Duration // of each reply of the server
	}
	Jabber struct {
		ID       string // login@example.org, or a component's domain; empty: no Jabber
		Password string
		Server   string   // host:port, or "" for SRV
		CA       string   // path of a PEM file, or ""
		Domains  []string // in lower case and ASCII
	}
	Hooks     []Hook
	Providers []Provider
	Sites     []Site
	OpenID    struct{ AnyIssuer bool }
	Fetch     struct{ Allow []netip.Prefix }
	OTP       struct {
		Window    int // steps of 30 seconds
		SingleUse bool
	}
	Bus struct {
		URL      string   // amqp://…; empty: no bus
		Services []string // the names under which RPC clients call it
	}
	Session struct {
		Idle, Absolute time.Duration
		BindDevice     bool
	}
	OAuth  struct{ RotateKeys time.Duration } // how long a key signs
	Limits struct {
		SendPerID       Rates
		SendPerIP       Rates
		SendPerIDPrefix Rates
		FetchPerIP      Rates
		TriesPerID      Rates
		ResendEvery     time.Duration
	}
	IDs     struct{ FoldLocalPart bool }
	Brand   struct{ Name, Logo, Accent, Help, Privacy string }
	Log     struct{ Format, Level string }
	Metrics struct{ Listen string }
	Sweep   struct {
		Every            time.Duration
		UnprovedAccounts time.Duration
	}
}

// A Rate is N per duration: a token bucket of size N, refilled evenly within the duration.
type Rate struct {
	N   int
	Per time.Duration
}

// Rates are limits of one thing that apply together.
type Rates []Rate

func (r Rates) String() string {
	all := make([]string, len(r))
	for i, x := range r {
		all[i] = fmt.Sprintf("%d/%s", x.N, formatDuration(x.Per))
	}
	return strings.Join(all, ", ")
}

// An Error is a setting that cannot be used.
type Error struct {
	Key     string // as in the file: "email.port"
	Value   string
	Hidden  bool   // the value is or may be a secret: it is left out
	Allowed string // which values are allowed
	Source  string // where the value came from
}

func (e *Error) Error() string {
	if e.Hidden {
		return fmt.Sprintf("%s: %s is not usable: %s", e.Source, e.Key, e.Allowed)
	}
	return fmt.Sprintf("%s: %s = %q is not usable: %s", e.Source, e.Key, e.Value, e.Allowed)
}

// Load reads settings from a TOML text, which may be empty, and from the environment, as
// "KEY=value" lines; the environment wins. name is the name of the TOML file in errors.
// readFile reads the file that a NAME_FILE variable names. It also returns warnings, for
// instance of unknown names that begin with DJAUTHY_.
func Load(name string, text []byte, environ []string, readFile func(string) ([]byte, error)) (*Config, []string, error) {
	in, err := newInput(name, text, environ, readFile)
	if err != nil {
		return nil, nil, err
	}
	c := &Config{}
	if err := in.fill("", in.document, c.table); err != nil {
		return nil, nil, err
	}
	warnings, err := in.rest()
	if err != nil {
		return nil, nil, err
	}
	if err := c.check(); err != nil {
		return nil, nil, err
	}
	if !c.HTTPS() && !Loopback(c.PublicHost()) {
		warnings = append(warnings, "public_url is plain http: anybody on the network between can steal a session; use https")
	}
	return c, append(warnings, c.siteWarnings()...), nil
}

// check looks for settings that contradict each other.
func (c *Config) check() error {
	contradiction := func(key, value, allowed string) error {
		return &Error{Key: key, Value: value, Allowed: allowed, Source: "settings"}
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return contradiction("listen", c.Listen, "an address and a port, such as 127.0.0.1:8080")
	}
	if c.PublicURL == "" {
		if !Loopback(host) {
			return contradiction("public_url", "", "it is needed when listen is not a loopback address, such as https://login.example.org")
		}
		c.PublicURL = origin("http", "localhost", port)
	}
	if strings.HasPrefix(c.Database, "postgres") && c.SecretKey == "" && c.SecretKeyFile == "" {
		return contradiction("secret_key", "", "with PostgreSQL every process needs the same secret key: set secret_key or secret_key_file (make one with: openssl rand -base64 32)")
	}
	if c.SecretKey != "" && c.SecretKeyFile != "" {
		return contradiction("secret_key_file", c.SecretKeyFile, "set secret_key or secret_key_file, not both")
	}
	if c.Email.Host == "" && !(Loopback(c.PublicHost()) && Loopback(host)) {
		return contradiction("email.host", "", "an SMTP server is needed when listen or public_url is not loopback; the local mailbox is for one machine only")
	}
	if err := errors.Join(c.checkNames(), c.checkJabber(), c.checkProviders(), c.checkSites()); err != nil {
		return err
	}
	if c.Session.Idle > c.Session.Absolute {
		return contradiction("session.idle", formatDuration(c.Session.Idle), "at most session.absolute ("+formatDuration(c.Session.Absolute)+")")
	}
	if c.Code.Alphabet == "letters" && c.Code.Length < 5 {
		return contradiction("code.length", fmt.Sprint(c.Code.Length), "at least 5 letters")
	}
	return nil
}

// Lives is how long a code is valid, by the implementation that sends it.
func (c *Config) Lives() map[string]time.Duration {
	all := map[string]time.Duration{"email": c.ExpiryTime.Email, "jabber": c.ExpiryTime.Jabber, "openid": c.ExpiryTime.OpenID, "oauth": c.ExpiryTime.OAuth}
	for _, h := range c.Hooks {
		all[h.Name] = h.Expiry
	}
	return all
}

// LongestLife is that of the codes that are valid longest.
func (c *Config) LongestLife() (longest time.Duration) {
	for _, life := range c.Lives() {
		longest = max(longest, life)
	}
	return longest
}

// PublicHost is the host of the public URL without its port.
func (c *Config) PublicHost() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// HTTPS reports whether public_url is an https address.
func (c *Config) HTTPS() bool { return strings.HasPrefix(c.PublicURL, "https://") }

// LocalMailbox reports whether messages go to the mailbox of this process, for want of an SMTP server.
func (c *Config) LocalMailbox() bool { return c.Email.Host == "" }

// MailboxPage reports whether the page /mailbox may exist. It shows every code, so the
// server must be reachable from this machine only.
func (c *Config) MailboxPage() bool {
	host, _, _ := net.SplitHostPort(c.Listen)
	return c.LocalMailbox() && Loopback(host) && Loopback(c.PublicHost()) && len(c.TrustedProxies) == 0
}
