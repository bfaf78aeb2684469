package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const corp = `
[[provider]]
name = "corp"
kind = "openid"
issuer = "https://login.corp.example/realm"
client_id = "djauthy"
client_secret = "hunter2"
scopes = ["openid", "email"]
domains = ["Corp.example", "bücher.example"]
trust_email = ["corp.example"]
`

func TestAProviderIsConfiguredByATable(t *testing.T) {
	c, _, err := load(corp, "DJAUTHY_PROVIDER_0_LABEL=Corp", "DJAUTHY_PROVIDER_1_NAME=github", "DJAUTHY_PROVIDER_1_DRIVER=github", "DJAUTHY_PROVIDER_1_CLIENT_ID=x")
	if err != nil {
		t.Fatal(err)
	}
	p := c.Providers[0]
	if p.Label != "Corp" || p.ClientSecret != "hunter2" || !slices.Equal(p.Domains, []string{"corp.example", "xn--bcher-kva.example"}) {
		t.Errorf("%+v", p)
	}
	if o := c.Providers[1]; o.Kind != "oauth" || o.Label != "github" || o.Driver != "github" {
		t.Errorf("%+v", o)
	}
	if strings.Contains(c.String(), "hunter2") {
		t.Error("the secret is printed")
	}
	if lives := c.Lives(); lives["openid"] != 10*time.Minute || lives["oauth"] != 10*time.Minute {
		t.Error(lives)
	}
}

func TestAProviderThatCannotWorkStopsTheStart(t *testing.T) {
	for name, c := range map[string]struct{ text, key string }{
		"no issuer":          {strings.Replace(corp, `issuer = "https://login.corp.example/realm"`, "", 1), "provider[0].issuer"},
		"no client":          {strings.Replace(corp, `client_id = "djauthy"`, "", 1), "provider[0].client_id"},
		"no driver":          {strings.Replace(corp, `"openid"`, `"oauth"`, 1), "provider[0].driver"},
		"a driver":           {corp + `driver = "github"`, "provider[0].driver"},
		"a query":            {strings.Replace(corp, "/realm", "/?a=b", 1), "provider[0].issuer"},
		"a password":         {strings.Replace(corp, "https://", "https://a:b@", 1), "provider[0].issuer"},
		"a script":           {strings.Replace(corp, "https:", "javascript:", 1), "provider[0].issuer"},
		"another kind":       {strings.Replace(corp, `"openid"`, `"saml"`, 1), "provider[0].kind"},
		"scopes in one":      {strings.Replace(corp, `["openid", "email"]`, `["openid email"]`, 1), "provider[0].scopes"},
		"a path under it":    {strings.Replace(corp, `"corp"`, `"callback"`, 1), "provider[0].name"},
		"a name twice":       {corp + corp, "provider[1].name"},
		"the name of a hook": {corp + "[[hook]]\nname = \"corp\"\nurl = \"https://a.example\"", "provider[0].name"},
		"no domain":          {strings.Replace(corp, "Corp.example", "a b", 1), "provider[0].domains"},
	} {
		if _, _, err := load(c.text); err == nil || !strings.Contains(err.Error(), c.key) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
