package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/djauthy/djauthy/internal/accounts"
)

// openID is an OpenID Connect provider: the code flow with PKCE (OIDC Core 3.1, RFC 7636).
type openID struct {
	issuer   *issuer
	client   client
	scopes   []string
	callback string
	now      func() time.Time
}

// client is what this server is at a provider.
type client struct {
	id, secret string
	method     string    // token_endpoint_auth_method; "": by what the provider supports
	used       time.Time // at most a day ago, of one that registered itself
}

func (f *Service) openID(p Provider) *openID {
	return &openID{
		issuer: newIssuer(p.Issuer, f.own, f.now), client: client{id: p.ClientID, secret: p.ClientSecret},
		scopes: p.Scopes, callback: f.callback(p.Name), now: f.now,
	}
}

func (o *openID) begin(ctx context.Context, p *Pending, state, hint string) (string, error) {
	m, err := o.issuer.metadata(ctx)
	if err != nil {
		return "", err
	}
	p.Nonce, p.Verifier = oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	options := []oauth2.AuthCodeOption{oidc.Nonce(p.Nonce), oauth2.S256ChallengeOption(p.Verifier)}
	// With max_age the ID token says when the person proved who they are (OIDC Core 2).
	age := maxAge
	if p.Fresh {
		age = freshAge
	}
	options = append(options, oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(age/time.Second))))
	if hint != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", hint))
	}
	return o.config(m).AuthCodeURL(state, options...), nil
}

// How long ago the sign-in at the provider may be on which a sign-in here rests, and one that
// has to be fresh.
const (
	maxAge   = 30 * 24 * time.Hour
	freshAge = 5 * time.Minute
)

// config is the provider as x/oauth2 knows it.
func (o *openID) config(m metadata) *oauth2.Config {
	c := &oauth2.Config{
		ClientID: o.client.id, ClientSecret: o.client.secret, RedirectURL: o.callback, Scopes: o.scopes,
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: oauth2.AuthStyleInHeader},
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{oidc.ScopeOpenID, "profile", "email"}
	} else if !slices.Contains(c.Scopes, oidc.ScopeOpenID) {
		c.Scopes = append([]string{oidc.ScopeOpenID}, c.Scopes...)
	}
	basic := len(m.TokenMethods) == 0 || slices.Contains(m.TokenMethods, "client_secret_basic")
	if o.client.secret == "" || o.client.method == "client_secret_post" || o.client.method == "" && !basic {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return c
}

func (o *openID) finish(ctx context.Context, p Pending, response url.Values) (Identity, error) {
	m, err := o.issuer.metadata(ctx)
	if err != nil {
		return Identity{}, err
	}
	code, err := codeOf(response, m)
	if err != nil {
		return Identity{}, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, o.issuer.http)
	tokens, err := o.config(m).Exchange(ctx, code, oauth2.VerifierOption(p.Verifier))
	if err != nil {
		return Identity{}, exchangeError(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, refused("the token response has no ID token")
	}
	claims, err := o.verify(ctx, m, raw, p.Nonce, tokens.AccessToken)
	if err != nil {
		return Identity{}, err
	}
	if claims.Email == "" && m.UserInfo != "" {
		if err := claims.fromUserInfo(ctx, m, tokens); err != nil {
			return Identity{}, err
		}
	}
	if at := claims.authTime(); p.Fresh && !at.IsZero() && o.now().Sub(at) > freshAge+clockSkew {
		return Identity{}, refused("the provider rests on a sign-in of %s", at)
	}
	return Identity{
		ID: accounts.ID{Implementation: OpenID, Identifier: m.Issuer + " " + claims.Subject}, Name: claims.name(),
		Email: claims.Email, Verified: claims.Email != "" && bool(claims.Verified),
		AMR: claims.AMR, ACR: claims.ACR, AuthTime: claims.authTime(),
	}, nil
}

// codeOf returns the code of a response (RFC 6749 4.1.2), which has to be the issuer's own
// (RFC 9207 2.4): a code of another would be sent to this one's token endpoint.
func codeOf(response url.Values, m metadata) (string, error) {
	for name, values := range response {
		if len(values) > 1 {
			return "", refused("the response has several values of %q", name)
		}
	}
	if iss := response.Get("iss"); iss != m.Issuer && (iss != "" || m.NamesIssuer) {
		return "", refused("the response is of the issuer %q", iss)
	}
	if e := response.Get("error"); e != "" {
		return "", refused("the provider says %q, %q", e, response.Get("error_description"))
	}
	if response.Get("code") == "" {
		return "", refused("the response has no code")
	}
	return response.Get("code"), nil
}

// errNoClient: the token endpoint does not know this server (RFC 6749 5.2).
var errNoClient = errors.New("invalid_client")

// exchangeError tells a provider that refuses the code from one that does not work.
func exchangeError(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response.StatusCode/100 == 4 {
		if answer.ErrorCode == "invalid_client" {
			return fmt.Errorf("%w: %w", errNoClient, down("this server is not its client: %s", answer.ErrorDescription))
		}
		return refused("its token endpoint answers with %d %s", answer.Response.StatusCode, answer.ErrorCode)
	}
	if errors.As(err, &answer) { // whose text has the whole body
		return down("its token endpoint answers with %d", answer.Response.StatusCode)
	}
	return down("its token endpoint: %w", err)
}

// claims are those of an ID token and of userinfo.
type claims struct {
	Subject   string  `json:"sub"`
	AZP       string  `json:"azp"`
	Full      string  `json:"name"`
	Preferred string  `json:"preferred_username"`
	Email     string  `json:"email"`
	Verified  truth   `json:"email_verified"`
	AMR       texts   `json:"amr"`
	ACR       string  `json:"acr"`
	Auth      float64 `json:"auth_time"` // unix seconds
}

// truth is a boolean that some providers write as a text.
type truth bool

func (t *truth) UnmarshalJSON(text []byte) error {
	*t = string(text) == "true" || string(text) == `"true"`
	return nil
}

// texts is a list that some providers write as a text.
type texts []string

func (t *texts) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil && one != "" {
		*t = texts{one}
		return nil
	}
	_ = json.Unmarshal(text, (*[]string)(t)) // anything else says nothing
	return nil
}

func (c claims) name() string {
	for _, name := range []string{c.Email, c.Preferred, c.Full} {
		if name != "" {
			return name
		}
	}
	return ""
}

func (c claims) authTime() time.Time {
	if c.Auth <= 0 || c.Auth > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(c.Auth), 0).UTC()
}

// maxSubject is the longest sub (OIDC Core 2).
const maxSubject = 255

// verify checks an ID token (OIDC Core 3.1.3.7).
func (o *openID) verify(ctx context.Context, m metadata, raw, nonce, accessToken string) (c claims, err error) {
	verifier := oidc.NewVerifier(m.Issuer, o.issuer, &oidc.Config{ClientID: o.client.id, SupportedSigningAlgs: m.algorithms(), Now: o.now})
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		if errors.Is(err, ErrDown) {
			return c, err
		}
		return c, refused("ID token: %w", err)
	}
	if err := token.Claims(&c); err != nil {
		return c, refused("claims of the ID token: %w", err)
	}
	switch {
	case nonce == "" || token.Nonce != nonce:
		return c, refused("the nonce of the ID token is another")
	case token.Subject == "" || len(token.Subject) > maxSubject || strings.ContainsFunc(token.Subject, unprintable):
		return c, refused("the sub of the ID token is missing, too long or no plain text")
	case token.IssuedAt.IsZero() || token.IssuedAt.After(o.now().Add(clockSkew)):
		return c, refused("the iat of the ID token is missing or in the future")
	case c.AZP != "" && c.AZP != o.client.id, c.AZP == "" && len(token.Audience) > 1:
		return c, refused("the ID token is for another client")
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(accessToken); err != nil {
			return c, refused("ID token: %w", err)
		}
	}
	return c, nil
}

// clockSkew is how far a provider's clock may be ahead.
const clockSkew = 5 * time.Minute

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// fromUserInfo adds what the userinfo endpoint says (OIDC Core 5.3). A response about
// somebody else ends the sign-in (5.3.2); one that fails adds nothing.
func (c *claims) fromUserInfo(ctx context.Context, m metadata, tokens *oauth2.Token) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserInfo, nil)
	if err != nil {
		return down("userinfo: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	r.Header.Set("Accept", "application/json")
	page, err := doWith(ctx, r)
	if err != nil || page.Status != http.StatusOK {
		return nil
	}
	var said claims
	if json.Unmarshal(page.Body, &said) != nil {
		return nil
	}
	if said.Subject != c.Subject {
		return refused("userinfo is about somebody else")
	}
	c.Email, c.Verified, c.Preferred, c.Full = said.Email, said.Verified, said.Preferred, said.Full
	return nil
}
