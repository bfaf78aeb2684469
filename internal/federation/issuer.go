package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/djauthy/djauthy/internal/fetch"
)

// How long what an issuer publishes is used without asking again.
const (
	metadataFor = 10 * time.Minute
	keysFor     = 24 * time.Hour
	// retryAfter is how long an issuer is not asked again that did not answer.
	retryAfter = 10 * time.Second
	// keysEvery bounds how often keys are fetched because a token names an unknown one.
	keysEvery = time.Minute
)

// metadata is what an issuer says about itself (OpenID Connect Discovery 3).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	UserInfo      string   `json:"userinfo_endpoint"`
	Keys          string   `json:"jwks_uri"`
	Registration  string   `json:"registration_endpoint"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	TokenMethods  []string `json:"token_endpoint_auth_methods_supported"`
	NamesIssuer   bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207 3
}

// signatures are the algorithms that prove who signed: none with a shared secret, and not
// "none" (RFC 8725 3.1).
var signatures = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// algorithms are those of the issuer's ID tokens that this server accepts.
func (m metadata) algorithms() []string {
	all := slices.DeleteFunc(slices.Clone(m.Algorithms), func(a string) bool { return !slices.Contains(signatures, jose.SignatureAlgorithm(a)) })
	if len(all) == 0 {
		return []string{string(jose.RS256)} // which each provider has (OIDC Core 15.1)
	}
	return all
}

// issuer is an OpenID Connect issuer with what it publishes, fetched at the first use.
type issuer struct {
	url  string
	http *http.Client
	now  func() time.Time

	mu      sync.Mutex // held while fetching, so that one request fetches for all
	said    metadata
	saidAt  time.Time
	failed  error
	triedAt time.Time

	keys      jose.JSONWebKeySet
	keysAt    time.Time // of the last fetch
	keysTried time.Time // and of one that failed
	unknownAt time.Time // when keys were last fetched because of an unknown one
}

func newIssuer(url string, c *http.Client, now func() time.Time) *issuer {
	return &issuer{url: url, http: c, now: now}
}

// metadata returns what the issuer says about itself, fetched anew every ten minutes. What
// it said before is used while it does not answer.
func (i *issuer) metadata(ctx context.Context) (metadata, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	if now.Sub(i.saidAt).Abs() < metadataFor {
		return i.said, nil
	}
	if now.Sub(i.triedAt).Abs() >= retryAfter {
		m, err := i.discover(ctx)
		if err != nil && (ctx.Err() != nil || errors.Is(err, fetch.ErrBusy)) {
			return m, err // of this request, and none of the issuer's
		}
		i.triedAt, i.failed = now, err
		if err == nil {
			i.said, i.saidAt = m, now
		}
	}
	if i.failed != nil && i.said.Issuer == "" {
		return metadata{}, i.failed
	}
	return i.said, nil
}

func (i *issuer) discover(ctx context.Context) (m metadata, err error) {
	page, err := fetch.Get(ctx, i.http, strings.TrimSuffix(i.url, "/")+"/.well-known/openid-configuration", "application/json")
	switch {
	case err != nil:
		return m, down("%w", err)
	case page.Status != http.StatusOK:
		return m, down("%s answers with %d", page.URL, page.Status)
	}
	if err := json.Unmarshal(page.Body, &m); err != nil {
		return m, down("%s is no metadata: %w", page.URL, err)
	}
	m.forget()
	if m.Issuer != i.url {
		return m, fmt.Errorf("%w: %w", errOtherIssuer, down("%s is of the issuer %q", page.URL, m.Issuer))
	}
	return m, m.check()
}

// maxAddress bounds the addresses of endpoints.
const maxAddress = 2000

// forget drops what is not used, so that no issuer fills the memory.
func (m *metadata) forget() {
	m.Algorithms = slices.DeleteFunc(slices.Clone(m.Algorithms), func(a string) bool { return !slices.Contains(signatures, jose.SignatureAlgorithm(a)) })
	m.Algorithms = slices.Clone(slices.Compact(slices.Sorted(slices.Values(m.Algorithms))))
	var methods []string
	for _, known := range []string{"client_secret_basic", "client_secret_post", "none"} {
		if slices.Contains(m.TokenMethods, known) {
			methods = append(methods, known)
		}
	}
	if len(m.TokenMethods) > 0 && len(methods) == 0 {
		methods = []string{"none"} // it takes another one, which this server does not have
	}
	m.TokenMethods = methods
	for _, address := range []*string{&m.Issuer, &m.Authorization, &m.Token, &m.UserInfo, &m.Keys, &m.Registration} {
		if len(*address) > maxAddress {
			*address = ""
		}
		*address = strings.Clone(*address)
	}
}

// maxKeys bounds the keys of an issuer.
const maxKeys = 50

// errOtherIssuer: metadata is of another issuer than was asked.
var errOtherIssuer = errors.New("another issuer")

// check requires the endpoints, and https wherever the issuer has it.
func (m metadata) check() error {
	secure := strings.HasPrefix(m.Issuer, "https://")
	for name, address := range map[string]string{"authorization_endpoint": m.Authorization, "token_endpoint": m.Token, "jwks_uri": m.Keys, "userinfo_endpoint": m.UserInfo} {
		if address == "" && name == "userinfo_endpoint" {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || !isWeb(address) || secure && u.Scheme != "https" {
			return down("%s of %s is %q", name, m.Issuer, address)
		}
	}
	return nil
}

// errUnknownKey is a token that no known key has signed.
var errUnknownKey = errors.New("no key of the issuer fits")

// VerifySignature implements oidc.KeySet. Keys that the token brings along or names by an
// address are never used (RFC 8725 3.10): only those that the issuer publishes.
func (i *issuer) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	token, err := jose.ParseSignedCompact(jwt, signatures)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	if now.Sub(i.keysAt).Abs() >= keysFor {
		if now.Sub(i.keysTried).Abs() < retryAfter {
			return nil, down("its keys do not come")
		}
		if err := i.fetchKeys(ctx, now); err != nil {
			return nil, err
		}
	}
	payload, err := i.verified(token)
	if errors.Is(err, errUnknownKey) && now.Sub(i.unknownAt).Abs() >= keysEvery {
		fetched := i.fetchKeys(ctx, now)
		if !errors.Is(fetched, fetch.ErrBusy) {
			i.unknownAt = now
		}
		if fetched != nil {
			return nil, fetched
		}
		payload, err = i.verified(token)
	}
	return payload, err
}

// verified returns the payload that a key with the token's kid has signed, or any key if it
// has none.
func (i *issuer) verified(token *jose.JSONWebSignature) ([]byte, error) {
	if len(token.Signatures) != 1 {
		return nil, errors.New("the token has not one signature")
	}
	header, known := token.Signatures[0].Header, false
	for _, key := range i.keys.Keys {
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := token.Verify(key); err == nil {
			return payload, nil
		}
		known = header.KeyID != ""
	}
	if known {
		return nil, errors.New("the signature is wrong")
	}
	return nil, errUnknownKey
}

// fetchKeys needs the lock.
func (i *issuer) fetchKeys(ctx context.Context, now time.Time) error {
	page, err := fetch.Get(ctx, i.http, i.said.Keys, "application/jwk-set+json, application/json")
	if !errors.Is(err, fetch.ErrBusy) {
		i.keysTried = now
	}
	switch {
	case err != nil:
		return down("its keys: %w", err)
	case page.Status != http.StatusOK:
		return down("%s answers with %d", page.URL, page.Status)
	}
	// One key of a kind that is not known must not hide the others.
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(page.Body, &raw); err != nil {
		return down("%s is no set of keys: %w", page.URL, err)
	}
	i.keys, i.keysAt = jose.JSONWebKeySet{}, now
	for _, text := range raw.Keys {
		var key jose.JSONWebKey
		if len(i.keys.Keys) < maxKeys && key.UnmarshalJSON(text) == nil && key.Valid() && key.IsPublic() {
			i.keys.Keys = append(i.keys.Keys, key)
		}
	}
	return nil
}

// doWith makes a request with the client of a context for x/oauth2.
func doWith(ctx context.Context, r *http.Request) (fetch.Page, error) {
	c, _ := ctx.Value(oauth2.HTTPClient).(*http.Client)
	return fetch.Do(c, r)
}
