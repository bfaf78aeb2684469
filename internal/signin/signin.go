// Package signin turns proofs into sessions: it starts attempts, checks submitted codes
// and links, and decides what a person has to do next.
//
// An attempt is one browser that wants to sign in with one id. The package owns the table
// attempts. It knows no HTTP: cookies are passed in and out as values.
package signin

import (
	"log/slog"
	"net/url"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/browser"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/federation"
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
	// Enrolled checks what people have enrolled.
	Enrolled *multifactor.Enrolled
	// Notices tell people of changes of how they sign in.
	Notices *delivery.Notices
	// Federation leads to providers; without one it leads nowhere.
	Federation *federation.Service
	Settings   Settings
	// Gate says whether a session may do something; nil: nothing.
	Gate func(*db.Tx, session.Session, multifactor.Thing) (multifactor.Decision, error)

	notMe     *seal.MAC
	browsers  browser.Cookies
	trips     *seal.Box
	questions *seal.MAC
	answers   *seal.Box
	log       *slog.Logger
}

// Settings are the operator's settings of sign-ins.
type Settings struct {
	OpenSignup bool
	Admins     map[accounts.ID]bool // their users become superusers at the first sign-in
	Tries      int                  // per attempt, over all its codes
	// Lives is how long a code is valid, by the implementation that sends it.
	Lives map[string]time.Duration

	SendPerID, SendPerIP, SendPerIDPrefix, TriesPerID config.Rates
	ResendEvery                                       time.Duration
	KeptSends                                         config.Rates // see func KeptSends
	FetchPerIP                                        config.Rates
	// SendPerHook bounds the messages of a hook to all people together, by its name.
	SendPerHook map[string]config.Rates
	GivesBack   config.Rate // see func GivesBack

	Discovery accounts.Discovery
	Site      string // the name of this site in messages
	PublicURL string
}

// New returns a service; its keys are derived from keys.
func New(d *db.DB, out *outbox.Outbox, codes *multifactor.Codes, sessions *session.Store, led *federation.Service, keys *seal.Keys, s Settings, log *slog.Logger) *Service {
	return &Service{
		DB: d, Outbox: out, Notices: delivery.NewNotices(out, s.Discovery, s.messages(), keys), Codes: codes, Sessions: sessions, Federation: led, Settings: s,
		notMe: keys.MAC("not me"), browsers: browser.New(keys), trips: keys.Box("sign-in at a provider"),
		questions: keys.MAC("question"), answers: keys.Box("answer"), log: log,
	}
}

// usualLife is for codes whose channel is no longer configured.
const usualLife = 10 * time.Minute

// life is how long a code is valid that an implementation sends.
func (s Settings) life(implementation string) time.Duration {
	if life, ok := s.Lives[implementation]; ok {
		return life
	}
	return usualLife
}

// host is the public URL's host, to which browsers bind the autofill of a code.
func (s Settings) host() string {
	u, err := url.Parse(s.PublicURL)
	if err != nil {
		return s.PublicURL
	}
	return u.Hostname()
}

// Requester is who sends a request, as far as a door can know.
type Requester struct {
	Browser         browser.Browser
	Network         string       // the address as limits count it: IPv4 whole, IPv6 /64
	Client          audit.Client // as history shows it
	Words           *words.Language
	Session         seal.Token // the session cookie, zero if none
	Next            seal.Token // takes its place if a proof is added to the session
	Attempt, Device seal.Token // cookies of the attempt and of a remembered browser, zero if none
	// AfterResponse runs fn once the response has been written. A message begun earlier
	// would compete with the response for the processors, so that the time of the response
	// would reveal which ids get one. nil: fn runs at once.
	AfterResponse func(fn func())
}

// Verdict is the outcome of a submitted code or link. What a person can cause is a
// verdict, never an error.
type Verdict int

// Verdicts.
const (
	Gone         Verdict = iota // there is no such attempt in this browser
	Accepted                    // signed in
	Again                       // the right code once more, already signed in by it
	Wrong                       // not the code
	Misshapen                   // not a code by its shape; costs no try
	Expired                     // the code, or every code, is expired or void
	Used                        // the attempt has ended in a sign-in
	Stopped                     // disowned by "it was not me"
	Exhausted                   // too many wrong tries in this attempt
	Spent                       // too many wrong tries for this id: a long code is needed
	Foreign                     // a link opened in another browser than that of the attempt
	Refused                     // who they are at their provider may not sign in here
	Added                       // the address is the person's now
	Proven                      // the session holds one proof more
	Lacking                     // the session lacks a level that guards this
	MergeAsked                  // it is another user's: are the two one person?
	MergeGuarded                // it is another user's, who has a second factor
	MergeYoung                  // it came to another user days ago only, which proves too little
	LedAgain                    // the provider has to be asked once more
	Unanswered                  // the question of the message has no answer yet
)

// Entered is the result of a submitted code or link.
type Entered struct {
	Verdict   Verdict
	TriesLeft int               // after Wrong
	Shape     multifactor.Shape // of the expected code, after Misshapen
	Session   seal.Token
	Expires   time.Time // of the session
	Next      string    // where the person wanted to go: a local path, or ""
	Browser   string    // the browser cookie, which contains this id
	User      accounts.UserID
	Led       Led           // after LedAgain
	Merge     string        // after MergeAsked: what the browser keeps until the button is pressed
	Unknown   string        // a passkey that nobody has enrolled, for the browser to forget, or ""
	Copied    bool          // the passkey was refused, because there is a copy of it
	Wait      time.Duration // after Spent of a provider's response: until another has a chance

	usedBy    db.ID // the session that the attempt is marked with, 0 if it was not used
	givesBack bool  // what the attempt took from limits is to be returned
}
