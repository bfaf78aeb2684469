package federation

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/fetch"
)

// Words of OpenID Authentication 2.0.
const (
	openID2        = "http://specs.openid.net/auth/2.0"
	openID2Server  = openID2 + "/server" // the URL is a provider, which knows who comes
	openID2Signon  = openID2 + "/signon" // the URL is somebody's
	identifySelect = openID2 + "/identifier_select"
)

// Claim is what a URL says about itself: at which provider its owner signs in, and under
// which name there (OpenID Authentication 2.0, 7.3).
type Claim struct {
	Endpoint string // of the provider
	Claimed  string // the URL, after redirects; "": the provider says whose it is
	Local    string // the name at the provider; "": the URL
}

// identity is the name under which the owner of the URL signs in.
func (c Claim) identity() string {
	if c.Local == "" {
		return c.Claimed
	}
	return c.Local
}

// begin returns the request to the provider (9.1). There is no association: the provider is
// asked afterwards whether the response is its own (11.4.2).
func (f *Service) beginOpenID2(c Claim, state string) (string, Pending) {
	claimed, identity := c.Claimed, c.identity()
	if claimed == "" {
		claimed, identity = identifySelect, identifySelect
	}
	return withParams(c.Endpoint, "openid.ns", openID2, "openid.mode", "checkid_setup", "openid.claimed_id", claimed, "openid.identity", identity,
		"openid.return_to", f.returnTo(state), "openid.realm", f.settings.PublicURL+"/"), Pending{Claim: &c}
}

// returnTo is where the response comes to. The state in it is used once and signed along, so
// that a response cannot come twice or from another sign-in: the nonce adds nothing to that,
// and only its time is looked at.
func (f *Service) returnTo(state string) string {
	return f.callback(anybody) + "?state=" + url.QueryEscape(state)
}

// nonceFor is how old a response may be (11.3).
const nonceFor = 5 * time.Minute

// finishOpenID2 checks a response (11).
func (f *Service) finishOpenID2(ctx context.Context, began Claim, r url.Values) (Identity, error) {
	get := func(name string) string { return r.Get("openid." + name) }
	for name, values := range r {
		if len(values) > 1 {
			return Identity{}, refused("the response has several values of %q", name)
		}
	}
	signed := strings.Split(get("signed"), ",")
	nonce := get("response_nonce")
	made, err := time.Parse(time.RFC3339, nonce[:min(len(nonce), len("2006-01-02T15:04:05Z"))])
	switch {
	case get("mode") != "id_res":
		return Identity{}, refused("the provider says %q", get("mode"))
	case get("ns") != openID2:
		return Identity{}, refused("the response is of another version")
	case get("return_to") != f.returnTo(r.Get("state")):
		return Identity{}, refused("the response is for %q", get("return_to"))
	case get("op_endpoint") != began.Endpoint:
		return Identity{}, refused("the response is of the provider %q", get("op_endpoint"))
	case len(get("claimed_id")) > 500 || strings.ContainsFunc(get("claimed_id"), func(r rune) bool { return r <= ' ' || r > '~' }):
		return Identity{}, refused("the claimed id is too long or no URL")
	case err != nil || f.now().Sub(made).Abs() > nonceFor:
		return Identity{}, refused("the response was made at another time: %q", nonce)
	}
	for _, name := range []string{"op_endpoint", "return_to", "response_nonce", "assoc_handle", "claimed_id", "identity"} {
		if !slices.Contains(signed, name) || get(name) == "" {
			return Identity{}, refused("%s is not signed", name)
		}
	}
	if err := f.confirmClaim(ctx, began, get("claimed_id"), get("identity")); err != nil {
		return Identity{}, err
	}
	if err := f.checkAuthentication(ctx, began.Endpoint, r); err != nil {
		return Identity{}, err
	}
	claimed := get("claimed_id")
	return Identity{ID: accounts.ID{Implementation: OpenID, Identifier: claimed}, Name: label(claimed)}, nil
}

// confirmClaim checks that the provider may speak for the claimed URL, and that the person
// signed in there under the name that the URL names (11.2). Without the second check one user
// of a provider passes for another whose URL leads to the same provider.
func (f *Service) confirmClaim(ctx context.Context, began Claim, claimed, identity string) error {
	bare, _, _ := strings.Cut(claimed, "#")
	said := began
	if bare != began.Claimed {
		if began.Claimed != "" {
			return refused("the response is about %q", claimed)
		}
		found, err := f.findClaim(ctx, bare)
		if err != nil {
			return refused("%q names no provider: %w", claimed, err)
		}
		said = found
	}
	if said.Endpoint != began.Endpoint || said.Claimed != bare {
		return refused("%q is not of this provider", claimed)
	}
	if local, _, _ := strings.Cut(identity, "#"); local != said.identity() {
		return refused("the person signed in as %q, and not as %q", identity, said.identity())
	}
	return nil
}

// checkAuthentication asks the provider whether the response is its own (11.4.2).
func (f *Service) checkAuthentication(ctx context.Context, endpoint string, response url.Values) error {
	form := url.Values{}
	for name, values := range response {
		if strings.HasPrefix(name, "openid.") {
			form[name] = values
		}
	}
	form.Set("openid.mode", "check_authentication")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return down("its endpoint: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	page, err := fetch.Do(f.strangers, r)
	if err != nil {
		return down("its endpoint: %w", err)
	}
	if page.Status != http.StatusOK {
		return down("its endpoint answers with %d", page.Status)
	}
	if !slices.Contains(strings.Split(string(page.Body), "\n"), "is_valid:true") {
		return refused("the provider says that the response is not its own")
	}
	return nil
}
