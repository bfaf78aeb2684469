package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/markbates/goth"
	oauth1 "github.com/mrjones/oauth"
	"golang.org/x/oauth2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/fetch"
)

// oauth is a provider of OAuth 1.0a or 2, by one of goth's drivers.
//
// The drivers check no state and send no PKCE challenge, take no context, and panic at
// responses that they do not expect; what is missing is added here.
type oauth struct {
	provider Provider
	make     driver
	callback string
	http     *http.Client
	pkce     bool
	tokened  bool
}

func (f *Service) oauth(p Provider) (*oauth, error) {
	d, ok := drivers[p.Driver]
	if !ok {
		return nil, fmt.Errorf("provider %s: driver %q is unknown; use a name of github.com/markbates/goth, such as github", p.Name, p.Driver)
	}
	if p.Issuer == "" && slices.Contains(placed, p.Driver) {
		return nil, fmt.Errorf("provider %s: driver %s needs issuer, the address of your server", p.Name, p.Driver)
	}
	return &oauth{
		provider: p, make: d, callback: f.callback(p.Name), http: f.own,
		pkce: slices.Contains(challenged, p.Driver), tokened: slices.Contains(tokened, p.Driver),
	}, nil
}

// origin is that of the provider's pages, "" if it is not known without asking it.
func (o *oauth) origin() (origin string) {
	if o.tokened {
		return ""
	}
	defer func() { _ = recover() }()
	session, err := o.driver("state", "").BeginAuth("state")
	if err != nil {
		return ""
	}
	address, err := session.GetAuthURL()
	if err != nil {
		return ""
	}
	return Origin(address)
}

// driver makes goth's provider. callback has the state in it, where the provider has no
// state of its own.
func (o *oauth) driver(callback, verifier string) goth.Provider {
	d := o.make(o.provider, callback)
	d.SetName(o.provider.Name)
	c := *o.http
	if verifier != "" {
		c.Transport = withVerifier{c.Transport, verifier}
	}
	setClient(d, &c)
	return d
}

// setClient makes one of goth's drivers use c. Those of OAuth 2 export a field for it. Those of
// OAuth 1.0a keep a consumer, whose own client has no bounds, in a field that they do not
// export: reflection gives its pointer, but not its value.
func setClient(d goth.Provider, c *http.Client) {
	at := reflect.Indirect(reflect.ValueOf(d))
	if at.Kind() != reflect.Struct {
		return
	}
	for _, field := range at.Fields() {
		switch {
		case field.Type() == reflect.TypeFor[*http.Client]() && field.CanSet():
			field.Set(reflect.ValueOf(c))
		case field.Type() == reflect.TypeFor[*oauth1.Consumer]():
			(*oauth1.Consumer)(field.UnsafePointer()).HttpClient = c
		}
	}
}

func (o *oauth) begin(ctx context.Context, p *Pending, state, _ string) (string, error) {
	begun, err := guarded(ctx, func() (b begun, err error) {
		if !o.tokened {
			if b, err = o.start(o.callback, state); err != nil || hasState(b.address, state) {
				return b, err
			}
		}
		// Without a state the response is bound to this sign-in by the address that it comes to.
		return o.start(o.callback+"?state="+url.QueryEscape(state), state)
	})
	if err != nil {
		return "", err
	}
	p.Session, p.Callback = begun.session, begun.callback
	if !o.pkce {
		return begun.address, nil
	}
	p.Verifier = oauth2.GenerateVerifier()
	return withParams(begun.address, "code_challenge", oauth2.S256ChallengeFromVerifier(p.Verifier), "code_challenge_method", "S256"), nil
}

// begun is what a driver begins with.
type begun struct{ session, address, callback string }

func (o *oauth) start(callback, state string) (begun, error) {
	session, err := o.driver(callback, "").BeginAuth(state)
	if err != nil {
		return begun{}, down("%w", plainError(err))
	}
	address, err := session.GetAuthURL()
	if err != nil {
		return begun{}, down("%w", plainError(err))
	}
	return begun{session.Marshal(), address, callback}, nil
}

func hasState(address, state string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Query().Get("state") == state
}

func withParams(address string, pairs ...string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func (o *oauth) finish(ctx context.Context, p Pending, response url.Values) (who Identity, err error) {
	for name, values := range response {
		if len(values) > 1 {
			return who, refused("the response has several values of %q", name)
		}
	}
	if e := response.Get("error") + response.Get("denied"); e != "" {
		return who, refused("the provider says %q, %q", e, response.Get("error_description"))
	}
	if o.tokened && response.Get("oauth_token") != requestToken(p.Session) {
		return who, refused("the response is for another request token")
	}
	user, err := guarded(ctx, func() (user goth.User, err error) {
		d := o.driver(p.Callback, p.Verifier)
		session, err := d.UnmarshalSession(p.Session)
		if err != nil {
			return user, refused("what was kept: %w", err)
		}
		if _, err := session.Authorize(d, params(response)); err != nil {
			return user, authorizeError(err)
		}
		if user, err = d.FetchUser(session); err != nil {
			return user, down("who it is: %w", plainError(err))
		}
		return user, nil
	})
	if err != nil {
		return who, err
	}
	if user.UserID == "" || len(user.UserID) > maxSubject || strings.ContainsFunc(user.UserID, unprintable) {
		return who, refused("the provider says no usable id")
	}
	return Identity{
		ID: accounts.ID{Implementation: OAuth, Identifier: o.provider.Name + ":" + user.UserID}, Name: called(user),
		Email: user.Email, Verified: user.Email != "" && isVerified(user.RawData),
	}, nil
}

// requestToken is the request token in what a driver of OAuth 1.0a kept.
func requestToken(session string) string {
	var kept struct{ RequestToken struct{ Token string } }
	if json.Unmarshal([]byte(session), &kept) != nil || kept.RequestToken.Token == "" {
		return "\x00" // which no response has
	}
	return kept.RequestToken.Token
}

// params are what drivers may see of a response.
func params(response url.Values) url.Values {
	all := url.Values{}
	for name, values := range response {
		if slices.Contains([]string{"code", "oauth_token", "oauth_verifier", "token", "user"}, name) || strings.HasPrefix(name, "openid.") {
			all[name] = values
		}
	}
	return all
}

func called(u goth.User) string {
	for _, name := range []string{u.NickName, u.Email, u.Name} {
		if name != "" {
			return name
		}
	}
	return ""
}

// isVerified reports that the provider says so in words of its own.
func isVerified(raw map[string]any) bool {
	for _, name := range []string{"email_verified", "verified_email"} {
		if raw[name] == true || raw[name] == "true" {
			return true
		}
	}
	return false
}

// guarded runs what calls a driver: a panic is a provider that does not answer as it should,
// and one that answers too late is left.
func guarded[T any](ctx context.Context, fn func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- outcome{err: down("the driver failed at what it answers: %v", r)}
			}
		}()
		value, err := fn()
		done <- outcome{value, err}
	}()
	late := time.NewTimer(2 * fetch.Timeout)
	defer late.Stop()
	var none T
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-late.C:
		return none, down("it does not answer")
	}
}

// authorizeError tells a provider that refuses the code from one that does not work.
func authorizeError(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) {
		return exchangeError(err)
	}
	var network *url.Error
	if errors.As(err, &network) {
		return down("%w", plainError(err))
	}
	return refused("%w", plainError(err))
}

// plainError is an error without what follows the address in it, which may be a secret, and
// no longer than a line.
func plainError(err error) error {
	var network *url.Error
	if errors.As(err, &network) {
		return fmt.Errorf("%s: %w", Origin(network.URL), network.Err)
	}
	const most = 200
	text := err.Error()
	return errors.New(text[:min(len(text), most)])
}

// withVerifier adds the verifier of PKCE to the token request (RFC 7636 4.5).
type withVerifier struct {
	http.RoundTripper
	verifier string
}

func (t withVerifier) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || r.Body == nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return t.RoundTripper.RoundTrip(r)
	}
	text, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(text))
	if err == nil && form.Get("code") != "" {
		form.Set("code_verifier", t.verifier)
		text = []byte(form.Encode())
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(text))), int64(len(text))
	return t.RoundTripper.RoundTrip(r)
}
