package federation

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/fetch"
)

// Target is where an id leads: an issuer that nobody has configured, or a provider of OpenID
// 2.0.
type Target struct {
	Issuer string
	Claim  *Claim
}

// ErrNowhere means that no provider is found for the id.
var ErrNowhere = errors.New("no provider is found for the id")

// issuerRel is the relation of an issuer in WebFinger (OpenID Connect Discovery 2).
const issuerRel = "http://openid.net/specs/connect/1.0/issuer"

// Find finds the provider that an id names. It asks the id's host, unless the answer is known;
// before that it asks whether it may.
func (f *Service) Find(ctx context.Context, id accounts.ID, may func() bool) (Target, error) {
	if user, ok := strings.CutPrefix(id.Identifier, "acct:"); ok {
		return f.FindMail(ctx, user, may)
	}
	if !may() {
		return Target{}, ErrNowhere
	}
	for _, address := range f.spellings(id.Identifier) {
		t, err := f.findURL(ctx, address)
		if !errors.Is(err, ErrNowhere) {
			return t, err
		}
	}
	return Target{}, ErrNowhere
}

// spellings are the URLs that an id without scheme may mean. Only in the networks of
// fetch.allow does a server exist by http.
func (f *Service) spellings(id string) []string {
	switch {
	case strings.Contains(id, "://"):
		return []string{id}
	case len(f.settings.Allow) > 0:
		return []string{"https://" + id, "http://" + id}
	}
	return []string{"https://" + id}
}

// FindMail finds the issuer that the host of user@host names for it (RFC 7033). may is as for
// Find.
func (f *Service) FindMail(ctx context.Context, user string, may func() bool) (Target, error) {
	host := user[strings.LastIndexByte(user, '@')+1:]
	if len(f.settings.Allow) == 0 && isReserved(host) {
		return Target{}, ErrNowhere
	}
	for _, base := range f.spellings(host) {
		issuer, err := f.webFinger(ctx, base, "acct:"+user, may)
		if err == nil {
			return Target{Issuer: issuer}, nil
		}
		if !errors.Is(err, ErrNowhere) {
			return Target{}, err
		}
	}
	return Target{}, ErrNowhere
}

// findURL finds the provider of a URL: the issuer that its host names for it, an issuer that
// it is itself, or the provider of OpenID 2.0 that its page names.
func (f *Service) findURL(ctx context.Context, address string) (Target, error) {
	type answer struct {
		target Target
		err    error
	}
	named := make(chan answer, 1)
	go func() {
		issuer, err := f.webFinger(ctx, Origin(address), address, func() bool { return true })
		named <- answer{Target{Issuer: issuer}, err}
	}()
	own, err := f.isIssuer(ctx, address)
	if a := <-named; a.err == nil {
		return a.target, nil
	}
	if !errors.Is(err, ErrNowhere) {
		return Target{Issuer: own}, err
	}
	c, err := f.findClaim(ctx, address)
	if err != nil || strings.HasPrefix(c.Endpoint, f.settings.PublicURL+"/") {
		return Target{}, ErrNowhere
	}
	return Target{Claim: &c}, nil
}

// isIssuer returns the issuer that a URL is, with a slash at its end or without.
func (f *Service) isIssuer(ctx context.Context, address string) (string, error) {
	bare := strings.TrimSuffix(address, "/")
	for _, url := range []string{bare, bare + "/"} {
		i, err := f.issuerAt(url)
		if err != nil {
			return "", err
		}
		_, err = i.metadata(ctx)
		if err == nil {
			return url, nil
		}
		if errors.Is(err, fetch.ErrBusy) {
			return "", err
		}
		if !errors.Is(err, errOtherIssuer) {
			break
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", ErrNowhere
}

// isReserved reports a host that the public internet does not have (RFC 2606, RFC 6761, RFC
// 6762): nobody need be asked.
func isReserved(host string) bool {
	host, _, _ = strings.Cut(host, ":")
	for _, name := range []string{"test", "example", "invalid", "localhost", "local", "example.com", "example.net", "example.org"} {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	return false
}

// webFinger returns the issuer that a host names for a resource. Answers are kept for a
// while, that there is none, too.
func (f *Service) webFinger(ctx context.Context, base, resource string, may func() bool) (string, error) {
	key := base + " " + resource
	if _, known := f.fingers.lookup(f.now(), base); known || base == f.settings.PublicURL {
		return "", ErrNowhere // nobody signs in here by signing in here
	}
	issuer, known := f.fingers.lookup(f.now(), key)
	if !known {
		if !may() {
			return "", ErrNowhere
		}
		var err error
		if issuer, err = f.fingers.ask(ctx, key, func(ctx context.Context) (string, error) { return f.askWebFinger(ctx, base, resource) }); err != nil {
			return "", err
		}
	}
	if issuer == "" {
		return "", ErrNowhere
	}
	return issuer, nil
}

// askWebFinger asks a host and remembers the answer: the issuer, or "" for none.
func (f *Service) askWebFinger(ctx context.Context, base, resource string) (string, error) {
	issuer, err := f.fetchWebFinger(ctx, base, resource)
	now, key := f.now(), base+" "+resource
	switch {
	case errors.Is(err, errLate):
		f.fingers.remember(base, "", now.Add(nowhereFor))
		return "", nil
	case errors.Is(err, errNoHost):
		f.fingers.remember(base, "", now.Add(hostFor))
		return "", nil
	case err != nil:
		return "", err
	case issuer == "":
		f.fingers.remember(key, "", now.Add(nowhereFor))
	default:
		f.fingers.remember(key, issuer, now.Add(foundFor))
	}
	return issuer, nil
}

// fetchWebFinger returns the issuer in a host's answer, or "". errNoHost means that the host
// has no WebFinger server, errLate that it was too slow: another answer may be about this
// resource alone.
func (f *Service) fetchWebFinger(ctx context.Context, base, resource string) (string, error) {
	query := url.Values{"resource": {resource}, "rel": {issuerRel}}
	page, err := fetch.Get(ctx, f.strangers, base+"/.well-known/webfinger?"+query.Encode(), "application/jrd+json, application/json")
	if errors.Is(err, fetch.ErrBusy) {
		return "", err
	}
	if network := net.Error(nil); errors.As(err, &network) && network.Timeout() {
		return "", errLate
	}
	if err != nil {
		return "", errNoHost
	}
	var said struct {
		Links []struct{ Rel, Href string }
	}
	if page.Status != http.StatusOK || json.Unmarshal(page.Body, &said) != nil {
		return "", nil
	}
	for _, link := range said.Links {
		if link.Rel == issuerRel && f.mayBeIssuer(link.Href) {
			return link.Href, nil
		}
	}
	return "", nil
}

// mayBeIssuer reports a URL that can be an issuer (OpenID Connect Discovery 3): without
// query and fragment, and by http only where strangers' addresses may lead to a network of
// one's own. This server is none for itself.
func (f *Service) mayBeIssuer(address string) bool {
	u, err := url.Parse(address)
	return err == nil && isWeb(address) && u.RawQuery == "" && u.Fragment == "" && !u.ForceQuery && len(address) <= 500 && !strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) &&
		(u.Scheme == "https" || len(f.settings.Allow) > 0) && strings.TrimSuffix(address, "/") != f.settings.PublicURL
}
