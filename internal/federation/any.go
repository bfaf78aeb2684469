package federation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/fetch"
)

// ErrClosed means that the issuer takes no clients that register themselves.
var ErrClosed = errors.New("the issuer takes no new clients")

// ErrDead means that the issuer has forgotten this server. The next BeginAt registers it anew.
var ErrDead = errors.New("the registration at the issuer is dead")

// maxIssuers bounds the issuers whose metadata is kept. At the bound one is forgotten.
const maxIssuers = 200

// issuerAt returns an issuer that nobody configured.
func (f *Service) issuerAt(url string) (*issuer, error) {
	if !f.mayBeIssuer(url) {
		return nil, ErrNowhere
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.issuers[url]
	if i == nil {
		if f.issuers == nil {
			f.issuers = map[string]*issuer{}
		}
		for old := range f.issuers { // any one
			if len(f.issuers) < maxIssuers {
				break
			}
			delete(f.issuers, old)
		}
		i = newIssuer(url, f.strangers, f.now)
		f.issuers[url] = i
	}
	return i, nil
}

// anybody is the callback's name of issuers that nobody configured.
const anybody = "openid"

// ProviderOf is the name of the configured provider that an issuer is, or "".
func (f *Service) ProviderOf(issuer string) string {
	for _, p := range f.settings.Providers {
		if p.Kind == OpenID && p.Issuer == issuer {
			return p.Name
		}
	}
	return ""
}

// BeginAt leads to a target of Find, like Begin. It registers this server there if that is
// needed.
func (f *Service) BeginAt(ctx context.Context, t Target, state, hint string, fresh bool) (string, Pending, error) {
	if t.Claim != nil {
		address, p := f.beginOpenID2(*t.Claim, state)
		return address, p, nil
	}
	if name := f.ProviderOf(t.Issuer); name != "" {
		return f.Begin(ctx, name, state, hint, fresh)
	}
	i, err := f.issuerAt(t.Issuer)
	if err != nil {
		return "", Pending{}, err
	}
	m, err := i.metadata(ctx)
	if err != nil {
		return "", Pending{}, err
	}
	c, err := f.client(ctx, i, m)
	if err != nil {
		return "", Pending{}, err
	}
	p := Pending{Issuer: t.Issuer, ClientID: c.id, Fresh: fresh}
	address, err := f.at(i, c).begin(ctx, &p, state, hint)
	return address, p, err
}

// at is an issuer that nobody configured, as people are led to it.
func (f *Service) at(i *issuer, c client) *openID {
	return &openID{issuer: i, client: c, callback: f.callbackOf(i.url), now: f.now}
}

// callbackOf is the callback of an issuer that nobody configured: one of its own, so that the
// response of another issuer is known by where it comes to (mix-up, RFC 9700 4.4.2.2).
func (f *Service) callbackOf(issuer string) string {
	return f.callback(anybody) + "?" + IssuerParam + "=" + tagOf(issuer)
}

// IssuerParam is the parameter of a callback that says whose it is.
const IssuerParam = "of"

// tagOf tells issuers apart.
func tagOf(issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return hex.EncodeToString(sum[:16])
}

// finishAt checks the response of an issuer that nobody configured.
func (f *Service) finishAt(ctx context.Context, p Pending, response url.Values) (Identity, error) {
	if response.Get(IssuerParam) != tagOf(p.Issuer) {
		return Identity{}, refused("the response is of another issuer")
	}
	i, err := f.issuerAt(p.Issuer)
	if err != nil {
		return Identity{}, err
	}
	var c client
	var found bool
	err = f.db.View(ctx, func(tx *db.Tx) (err error) {
		c, found, err = f.loadClient(tx, p.Issuer)
		return err
	})
	if err != nil {
		return Identity{}, err
	}
	if !found || c.id != p.ClientID {
		return Identity{}, ErrDead // another request has registered anew
	}
	who, err := f.at(i, c).finish(ctx, p, response)
	if !errors.Is(err, errNoClient) {
		return who, err
	}
	return who, errors.Join(ErrDead, f.db.Update(ctx, func(tx *db.Tx) error { return forgetClient(tx, p.Issuer, c.id) }))
}

// client is this server as a client of an issuer, registered now if it is not yet.
func (f *Service) client(ctx context.Context, i *issuer, m metadata) (c client, err error) {
	var found bool
	err = f.db.View(ctx, func(tx *db.Tx) (err error) {
		c, found, err = f.loadClient(tx, i.url)
		return err
	})
	if err == nil && found && f.now().Sub(c.used) > 24*time.Hour {
		err = f.db.Update(ctx, func(tx *db.Tx) error { return useClient(tx, i.url) })
	}
	if err != nil || found {
		return c, err
	}
	registered, expires, err := f.register(ctx, m)
	if err != nil {
		return c, err
	}
	err = f.db.Update(ctx, func(tx *db.Tx) (err error) {
		// Of two that register at once the first one counts.
		if c, found, err = f.loadClient(tx, i.url); err != nil || found {
			return err
		}
		c = registered
		c.used = tx.Now
		return f.storeClient(tx, i.url, c, expires)
	})
	return c, err
}

// register registers this server (RFC 7591 3.1).
func (f *Service) register(ctx context.Context, m metadata) (c client, expires time.Time, err error) {
	if u, err := url.Parse(m.Registration); m.Registration == "" || err != nil || !isWeb(m.Registration) || strings.HasPrefix(m.Issuer, "https:") && u.Scheme != "https" {
		return c, expires, ErrClosed
	}
	method := "client_secret_basic"
	if len(m.TokenMethods) > 0 && !slices.Contains(m.TokenMethods, method) {
		method = "client_secret_post"
	}
	text, err := json.Marshal(map[string]any{
		"client_name": f.settings.Client, "client_uri": f.settings.PublicURL, "redirect_uris": []string{f.callbackOf(m.Issuer)}, "response_types": []string{"code"},
		"grant_types": []string{"authorization_code"}, "application_type": "web", "token_endpoint_auth_method": method,
		"id_token_signed_response_alg": m.algorithms()[0],
	})
	if err != nil {
		return c, expires, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Registration, bytes.NewReader(text))
	if err != nil {
		return c, expires, down("registration: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	page, err := fetch.Do(f.strangers, r)
	if err != nil {
		return c, expires, down("registration: %w", err)
	}
	var said struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		Method       string `json:"token_endpoint_auth_method"`
		ExpiresAt    int64  `json:"client_secret_expires_at"` // unix seconds, 0: never
	}
	switch {
	case page.Status/100 == 4:
		return c, expires, errors.Join(ErrClosed, errors.New(beginning(string(page.Body), maxSaid)))
	case page.Status/100 != 2:
		return c, expires, down("its registration answers with %d", page.Status)
	case json.Unmarshal(page.Body, &said) != nil || said.ClientID == "" || len(said.ClientID) > 500 || len(said.ClientSecret) > 1000:
		return c, expires, down("its registration answers with no client")
	}
	if said.Method == "" {
		said.Method = method
	}
	if said.ExpiresAt > 0 {
		expires = time.Unix(said.ExpiresAt, 0)
	}
	return client{id: said.ClientID, secret: said.ClientSecret, method: said.Method}, expires, nil
}
