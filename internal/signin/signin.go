// Package signin turns proofs into sessions: it starts attempts, checks what
// people answer, and says what a person has to do next.
//
// An attempt is one browser that wants to sign in with one id. It owns the
// table attempts. It knows no HTTP: cookies come and go as
// values.
package signin

import (
	"log/slog"
	"net/url"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/words"
)

// Service runs sign-ins.
type Service struct {
	DB       *db.DB
	Outbox   *outbox.Outbox
	Codes    *multifactor.Codes
	Sessions *session.Store
	Settings Settings

	notMe   *seal.MAC
	browser *seal.Box
	known   *seal.MAC
	log     *slog.Logger
}

// Settings are what an operator decides about sign-ins.
type Settings struct {
	OpenSignup bool
	Admins     map[accounts.ID]bool // become superusers at their first success
	Tries      int                  // per attempt, over all its codes

	SendPerID, SendPerIP, SendPerIDPrefix, TriesPerID config.Rates
	ResendEvery                                       time.Duration
	KeptSends                                         config.Rates // see the function
	GivesBack                                         config.Rate  // see the function

	Site      string // what messages call this site
	PublicURL string
}

// New returns a service; its keys come from keys.
func New(d *db.DB, out *outbox.Outbox, codes *multifactor.Codes, sessions *session.Store, keys *seal.Keys, s Settings, log *slog.Logger) *Service {
	return &Service{
		DB: d, Outbox: out, Codes: codes, Sessions: sessions, Settings: s,
		notMe: keys.MAC("not me"), browser: keys.Box("browser"), known: keys.MAC("browser knows"),
		log: log,
	}
}

// host is the public URL's host, to which autofill binds a code.
func (s Settings) host() string {
	u, err := url.Parse(s.PublicURL)
	if err != nil {
		return s.PublicURL
	}
	return u.Hostname()
}

// Requester is who sits at the other end, as far as a door can tell.
type Requester struct {
	Browser Browser
	Network string       // the address as limits count it: IPv4 whole, IPv6 /64
	Client  audit.Client // as people are shown it
	Words   *words.Language
	Session seal.Token // the session cookie, zero if none
	Attempt seal.Token // the attempt cookie, zero if none
	// Answered runs fn once the answer has been sent, where it is known when that is.
	// A message that is begun before competes with the answer for the processors, and
	// ids that get one are told from others by time. nil runs fn at once.
	Answered func(fn func())
}

// Verdict is the outcome of an answer. What a person can cause is a verdict,
// never an error.
type Verdict int

// Verdicts.
const (
	Gone      Verdict = iota // there is no such attempt in this browser
	Accepted                 // signed in
	Again                    // the same right answer once more, already signed in
	Wrong                    // not the code
	Misshapen                // cannot be the code by its shape; costs no try
	Expired                  // the code, or all of them, expired or void
	Used                     // the attempt has ended in a sign-in
	Stopped                  // its owner said: it was not me
	Exhausted                // too many wrong tries in this attempt
	Spent                    // too many wrong tries for this id: a long code is needed
	Foreign                  // a link opened in another browser than the one that asked
)

// Entered is what an answer led to.
type Entered struct {
	Verdict   Verdict
	TriesLeft int               // after Wrong
	Shape     multifactor.Shape // of the code that is awaited, after Misshapen
	Session   seal.Token
	Expires   time.Time // of the session
	Next      string    // where the person wanted to go: a local path, or ""
	Browser   string    // the browser cookie that knows this id
	User      accounts.UserID

	givesBack bool // what the attempt took of limits
}
