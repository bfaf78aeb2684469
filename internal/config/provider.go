package config

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// Provider is a server elsewhere at which people sign in: OpenID Connect, or OAuth.
type Provider struct {
	Name         string
	Kind         string // "oauth" or "openid"
	Driver       string // of oauth: goth's name
	Label        string // on its button; Load sets the name where it is empty
	Issuer       string
	ClientID     string
	ClientSecret string
	Scopes       []string
	Domains      []string // of email addresses, in lower case and ASCII
	TrustEmail   []string // the same
	TrustFactors bool
}

func (p *Provider) table() table {
	return table{settings: []setting{
		text("name", &p.Name, "", "as in its callback, PUBLIC_URL/login/NAME/callback, which is registered there", nameOf),
		choice("kind", &p.Kind, "oauth (needs driver) or openid (OpenID Connect, needs issuer)", "oauth", "openid"),
		text("driver", &p.Driver, "", "of oauth: which one, by its name in github.com/markbates/goth, such as github", anyText),
		text("label", &p.Label, "", "on its button; empty: its name", anyText),
		text("issuer", &p.Issuer, "", "of openid: the issuer, exactly as it names itself; of oauth: the address of a server of your own, for drivers that have one (gitea, gitlab, mastodon, nextcloud, …)", optional(webAddress)),
		text("client_id", &p.ClientID, "", "as the provider gave it to you", anyText),
		text("client_secret", &p.ClientSecret, "", "the same; empty for a public client", anyText).markSecret(),
		list("scopes", &p.Scopes, "empty: those that are needed to know who somebody is"),
		domains("domains", &p.Domains, "people with an email address at these domains are led here"),
		domains("trust_email", &p.TrustEmail, "domains whose addresses are taken for proved, without a code, when the provider says that it has verified them. Name only domains for which it speaks"),
		boolean("trust_factors", &p.TrustFactors, false, "true: how people proved who they are there (amr, acr, auth_time) counts toward levels"),
	}}
}

func webAddress(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("an address such as https://login.example.org, without a query")
	}
	return nil
}

// footAddress accepts what the foot of a page may link to.
func footAddress(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "mailto" || u.Host == "" && u.Opaque == "" {
		return errors.New("an address such as https://example.org/help or mailto:help@example.org")
	}
	return nil
}

// checkProviders looks for providers that cannot work.
func (c *Config) checkProviders() error {
	var all []error
	for i := range c.Providers {
		p := &c.Providers[i]
		wrong := func(key, value, allowed string) {
			all = append(all, &Error{Key: entryKey("provider", i) + "." + key, Value: value, Allowed: allowed, Source: "settings"})
		}
		switch {
		case p.Kind == "openid" && p.Issuer == "":
			wrong("issuer", "", "it is needed with kind = \"openid\"")
		case p.Kind == "openid" && p.Driver != "":
			wrong("driver", p.Driver, "it is for kind = \"oauth\"")
		case p.Kind == "oauth" && p.Driver == "":
			wrong("driver", "", "it is needed with kind = \"oauth\": a name of github.com/markbates/goth, such as github")
		case p.ClientID == "":
			wrong("client_id", "", "it is needed: register PUBLIC_URL/login/NAME/callback at the provider, which then gives you one")
		}
		if p.Label == "" {
			p.Label = p.Name
		}
		if slices.ContainsFunc(p.Scopes, func(s string) bool { return strings.ContainsAny(s, " \t\"\\") }) {
			wrong("scopes", strings.Join(p.Scopes, ","), "one scope for each entry of the list")
		}
	}
	return errors.Join(all...)
}
