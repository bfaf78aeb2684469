// Package federation leads people to providers elsewhere and checks what they come back
// with: OpenID Connect, OAuth, and OpenID 2.0.
//
// A provider is configured by name, or it is any issuer that somebody's id names. Begin
// returns the address to send the browser to, Finish checks the response. Both speak to
// other servers, so they belong outside of transactions. The package decides who somebody
// is there, not whether they may sign in here, and it knows no browser: what has to be kept
// until the person comes back is a Pending, which the caller keeps.
package federation

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/fetch"
	"github.com/djauthy/djauthy/internal/seal"
)

// Kinds of providers, which are implementations, too.
const (
	OpenID = accounts.OpenID
	OAuth  = accounts.OAuth
)

// Provider is a provider that an administrator has configured.
type Provider struct {
	Name         string
	Kind         string // OpenID or OAuth
	Driver       string // of OAuth: goth's name
	Label        string // on its button
	Issuer       string // of OpenID; of OAuth the address of a server of one's own, or ""
	ClientID     string
	ClientSecret string
	Scopes       []string
	// TrustEmail lists the domains whose verified addresses from here need no code.
	TrustEmail []string
}

// Settings are the operator's settings of providers.
type Settings struct {
	Providers []Provider
	PublicURL string
	Client    string         // the name of this site, as a client of issuers nobody configured
	Allow     []netip.Prefix // networks that strangers' addresses may lead to
	Discovery accounts.Discovery
	// Own and Strangers speak to configured providers and to those that strangers' ids name;
	// nil: those of package fetch.
	Own, Strangers *http.Client
}

// Pending is what has to be kept, secret, from Begin to Finish.
type Pending struct {
	Provider string // the name of a configured one, or ""
	Issuer   string // of any issuer, or ""
	ClientID string // at that issuer
	Fresh    bool   // the person has to prove anew who they are
	Nonce    string // of the ID token
	Verifier string // of PKCE (RFC 7636 4.1)
	Session  string // of a driver
	Callback string // of a driver
	Claim    *Claim // of a URL of OpenID 2.0, or nil
}

// Identity is who somebody is at a provider.
type Identity struct {
	ID       accounts.ID
	Provider string // the name of a configured one, or ""
	Name     string // what they are called there, for their own eyes; may be ""
	Email    string // which they have there; may be ""
	// Verified means that the provider has verified the email address.
	Verified bool
	// Mailbox is the address if it needs no code, because the provider is trusted with it;
	// else it is empty.
	Mailbox accounts.Found
	// How and when they proved who they are, as the provider says; empty and zero if it
	// does not (OIDC Core 2).
	AMR      []string
	ACR      string
	AuthTime time.Time
}

// Service leads to providers and checks their responses.
type Service struct {
	settings   Settings
	configured map[string]upstream
	origins    []string
	db         *db.DB
	secrets    *seal.Box
	log        *slog.Logger

	own, strangers *http.Client

	fingers memo
	mu      sync.Mutex
	issuers map[string]*issuer // that nobody configured, by URL
}

// now is the time of the database, which tests set; of a service without one, which only
// finds providers, that of the machine.
func (f *Service) now() time.Time {
	if f.db == nil {
		return time.Now()
	}
	return f.db.Now()
}

// An upstream is a provider as people are led to it.
type upstream interface {
	// begin returns where to send the browser, and adds to what has to be kept. hint is what
	// the person calls themselves there, or "".
	begin(ctx context.Context, p *Pending, state, hint string) (string, error)
	// finish checks the response.
	finish(ctx context.Context, p Pending, response url.Values) (Identity, error)
}

// New returns a service. It does not speak to any provider: one that is down keeps no
// server from starting.
func New(s Settings, d *db.DB, keys *seal.Keys, log *slog.Logger) (*Service, error) {
	f := &Service{
		settings: s, configured: map[string]upstream{}, db: d, secrets: keys.Box("client of an issuer"), log: log,
		own: cmp.Or(s.Own, fetch.Configured()), strangers: cmp.Or(s.Strangers, fetch.Strangers(s.Allow)),
	}
	for _, p := range s.Providers {
		switch p.Kind {
		case OpenID:
			f.configured[p.Name] = f.openID(p)
			f.origins = append(f.origins, Origin(p.Issuer))
		case OAuth:
			o, err := f.oauth(p)
			if err != nil {
				return nil, err
			}
			f.configured[p.Name] = o
			if origin := o.origin(); origin != "" {
				f.origins = append(f.origins, origin)
			}
		default:
			return nil, fmt.Errorf("provider %s: kind %q is unknown", p.Name, p.Kind)
		}
	}
	return f, nil
}

// Provider returns a configured provider.
func (f *Service) Provider(name string) (Provider, bool) {
	at := slices.IndexFunc(f.settings.Providers, func(p Provider) bool { return p.Name == name })
	if at < 0 {
		return Provider{}, false
	}
	return f.settings.Providers[at], true
}

// Providers are the configured providers in their order.
func (f *Service) Providers() []Provider { return f.settings.Providers }

// Origins are those of the configured providers to which Begin leads: more are not known
// before their metadata was read.
func (f *Service) Origins() []string { return f.origins }

// Origin is the origin of an address (RFC 6454 4), "" if it has none.
func Origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// callback is where a provider sends people back to.
func (f *Service) callback(name string) string {
	return f.settings.PublicURL + "/login/" + name + "/callback"
}

// Begin leads to a configured provider. It returns the address for the browser and what has
// to be kept. state comes back with the response (RFC 6749 4.1.1).
// fresh asks the provider not to rest on an earlier sign-in there.
func (f *Service) Begin(ctx context.Context, name, state, hint string, fresh bool) (string, Pending, error) {
	up, ok := f.configured[name]
	if !ok {
		return "", Pending{}, ErrUnknown
	}
	p := Pending{Provider: name, Fresh: fresh}
	address, err := up.begin(ctx, &p, state, hint)
	if err != nil {
		return "", p, err
	}
	if !isWeb(address) {
		return "", p, down("its address is %q", address)
	}
	return address, p, nil
}

// Finish checks the response of a provider and returns who the person is there.
func (f *Service) Finish(ctx context.Context, p Pending, response url.Values) (Identity, error) {
	if p.Claim != nil {
		return f.finishOpenID2(ctx, *p.Claim, response)
	}
	if p.Issuer != "" {
		who, err := f.finishAt(ctx, p, response)
		who.Name = label(who.Name)
		return who, err
	}
	up, ok := f.configured[p.Provider]
	if !ok {
		return Identity{}, ErrUnknown
	}
	who, err := up.finish(ctx, p, response)
	if err != nil {
		return Identity{}, err
	}
	who.Provider, who.Name = p.Provider, label(who.Name)
	if configured, ok := f.Provider(p.Provider); ok && who.Verified {
		who.Mailbox = f.trusted(configured, who.Email)
	}
	return who, nil
}

// label is what a provider calls somebody, short and without characters that nobody sees.
func label(name string) string {
	const most = 100
	name = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	return beginning(name, most)
}

// trusted is a verified address if the provider is trusted with its domain.
func (f *Service) trusted(p Provider, email string) accounts.Found {
	box, refusal := f.settings.Discovery.Resolve(email, accounts.Email)
	_, domain, _ := strings.Cut(box.ID.Identifier, "@")
	if refusal != "" || string(box.Address) != email || !slices.Contains(p.TrustEmail, domain) {
		return accounts.Found{}
	}
	return box
}

// isWeb reports an address that a browser may be sent to.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}
