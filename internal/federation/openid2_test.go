package federation_test

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/federation/federationtest"
)

func TestAURLThatSpeaksOpenID2SignsItsOwnerIn(t *testing.T) {
	o := federationtest.NewOpenID2(t)
	s, _ := service(t)
	o.Pages["links"] = o.Links("ann")
	o.Pages["meta"] = `<head><meta http-equiv="x-xrds-location" content="/id/ann"></head>`
	o.Pages["upper"] = strings.NewReplacer("link", "LINK", "openid2", "OpenID2", `"`, "'").Replace(o.Links("ann"))
	for typed, want := range map[string]string{
		"/page/links":   "/page/links",
		"/page/links#x": "/page/links",
		"/page/meta":    "/page/meta",
		"/page/upper":   "/page/upper",
		"/id/ann":       "/id/ann",
	} {
		if who, err := toIssuer(t, s, o.URL+typed); err != nil || who.ID != (accounts.ID{Implementation: accounts.OpenID, Identifier: o.URL + want}) {
			t.Errorf("%s: %+v, %v", typed, who, err)
		}
	}
}

// The provider itself was typed: it says who comes.
func TestAProviderOfOpenID2SaysWhoComes(t *testing.T) {
	o := federationtest.NewOpenID2(t)
	s, _ := service(t)
	o.Kind, o.Pages["provider"] = "application/xrds+xml; charset=utf-8", o.XRDS("server", "")
	if who, err := toIssuer(t, s, o.URL+"/page/provider"); err != nil || who.ID.Identifier != o.URL+"/id/ann" {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestThePriorityOfYadisCounts(t *testing.T) {
	o, other := federationtest.NewOpenID2(t), federationtest.NewOpenID2(t)
	s, _ := service(t)
	o.Kind = "application/xrds+xml"
	o.Pages["many"] = strings.Replace(o.XRDS("signon", "<LocalID>"+o.URL+"/id/ann</LocalID>"), "<XRD>",
		"<XRD><Service><Type>x</Type></Service><Service priority=\"7\"><Type>http://specs.openid.net/auth/2.0/signon</Type><URI>"+other.URL+"/op</URI></Service>", 1)
	if who, err := toIssuer(t, s, o.URL+"/page/many"); err != nil || who.ID.Identifier != o.URL+"/page/many" {
		t.Errorf("%+v, %v", who, err)
	}
}

// Two people sign in at one provider. Without comparing the name at the provider with the one
// that the URL names, each would pass for the other.
func TestOneUserOfAProviderPassesForNoOther(t *testing.T) {
	o := federationtest.NewOpenID2(t)
	s, _ := service(t)
	o.Pages["ann"] = o.Links("ann")
	o.Person = "eve"
	for _, typed := range []string{"/page/ann", "/id/ann"} {
		if who, err := toIssuer(t, s, o.URL+typed); !errors.Is(err, federation.ErrRefused) {
			t.Errorf("%s: %+v, %v", typed, who, err)
		}
	}
	o.Kind, o.Pages["provider"] = "application/xrds+xml", o.XRDS("server", "")
	for name, claimed := range map[string]string{
		"somebody else's URL":      o.URL + "/page/ann",
		"somebody else there":      o.URL + "/id/ann",
		"a URL of no provider":     o.URL + "/nothing",
		"a URL of another server":  federationtest.NewOpenID2(t).URL + "/id/eve",
		"this server":              publicURL + "/id/ann",
		"a script":                 "javascript:alert(1)",
		"somebody with a fragment": o.URL + "/id/ann#1",
	} {
		o.Kind = "application/xrds+xml"
		o.Sign = func(r url.Values) { r.Set("openid.claimed_id", claimed) }
		if who, err := toIssuer(t, s, o.URL+"/page/provider"); !errors.Is(err, federation.ErrRefused) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	o.Sign = func(r url.Values) { r.Set("openid.claimed_id", o.URL+"/id/eve#2") }
	if who, err := toIssuer(t, s, o.URL+"/page/provider"); err != nil || who.ID.Identifier != o.URL+"/id/eve#2" {
		t.Errorf("a URL that was given out twice has a fragment: %+v, %v", who, err)
	}
}

func TestAResponseOfOpenID2IsCheckedWhole(t *testing.T) {
	o := federationtest.NewOpenID2(t)
	s, _ := service(t)
	o.Pages["ann"] = o.Links("ann")
	set := func(name, value string) func(url.Values) {
		return func(r url.Values) { r.Set("openid."+name, value) }
	}
	unsigned := func(name string) func(url.Values) {
		return func(r url.Values) {
			r.Set("openid.signed", strings.ReplaceAll(","+r.Get("openid.signed"), ","+name, "")[1:])
		}
	}
	for name, c := range map[string]struct{ sign, respond func(url.Values) }{
		"cancelled":           {set("mode", "cancel"), nil},
		"an error":            {set("mode", "error"), nil},
		"version 1":           {set("ns", "http://openid.net/signon/1.1"), nil},
		"another address":     {set("return_to", publicURL+"/login/openid/callback?state=other"), nil},
		"another server":      {set("return_to", "https://evil.example/?state=state"), nil},
		"another provider":    {set("op_endpoint", "https://evil.example/op"), nil},
		"made yesterday":      {set("response_nonce", time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339)+"x"), nil},
		"made tomorrow":       {set("response_nonce", time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339)+"x"), nil},
		"no nonce":            {set("response_nonce", ""), nil},
		"a nonce of words":    {set("response_nonce", "yesterday"), nil},
		"identity unsigned":   {unsigned("identity"), nil},
		"claimed_id unsigned": {unsigned("claimed_id"), nil},
		"return_to unsigned":  {unsigned("return_to"), nil},
		"nonce unsigned":      {unsigned("response_nonce"), nil},
		"provider unsigned":   {unsigned("op_endpoint"), nil},
		"nothing signed":      {set("signed", ""), nil},
		"changed later":       {nil, set("identity", "https://evil.example/eve")},
		"another signature":   {nil, set("sig", "AAAA")},
		"no signature":        {nil, set("sig", "")},
	} {
		o.Sign, o.Respond = c.sign, c.respond
		if who, err := toIssuer(t, s, o.URL+"/page/ann"); !errors.Is(err, federation.ErrRefused) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}

func TestALinkInTheBodyOrByHTTPIsNotUsed(t *testing.T) {
	o := federationtest.NewOpenID2(t)
	s, _ := service(t)
	for name, page := range map[string]string{
		"body":       `<html><head></head><body><link rel="openid2.provider" href="` + o.URL + `/op"></body></html>`,
		"after":      `<head></head><link rel="openid2.provider" href="` + o.URL + `/op">`,
		"comment":    `<head><!-- <link rel="openid2.provider" href="` + o.URL + `/op"> --></head>`,
		"script":     `<head><script>"<link rel='openid2.provider' href='` + o.URL + `/op'>"</script></head>`,
		"javascript": `<head><link rel="openid2.provider" href="javascript:alert(1)"></head>`,
		"user":       `<head><link rel="openid2.provider" href="http://a@127.0.0.1/op"></head>`,
		"itself":     `<head><link rel="openid2.provider" href="` + publicURL + `/op"></head>`,
		"nothing":    `hello`,
	} {
		o.Pages["page"] = page
		if who, err := toIssuer(t, s, o.URL+"/page/page"); !errors.Is(err, federation.ErrNowhere) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	o.Pages["page"] = o.Links("ann")
	if who, err := toIssuer(t, serviceFor(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}), o.URL+"/page/page"); !errors.Is(err, federation.ErrNowhere) {
		t.Errorf("a page at an address that is not allowed: %+v, %v", who, err)
	}
}

func FuzzYadis(f *testing.F) {
	f.Add(`<head><link rel="openid2.provider openid.server" href="/op"><meta http-equiv="X-XRDS-Location" content="/x"></head>`)
	f.Add(`<?xml version="1.0"?><XRDS><XRD><Service priority="-1"><Type>http://specs.openid.net/auth/2.0/signon</Type><URI>https://a.example/op</URI></Service></XRD></XRDS>`)
	f.Add(`<XRDS><XRD/></XRDS>`)
	f.Fuzz(func(t *testing.T, text string) {
		for name, value := range federation.ReadHead([]byte(text)) {
			if strings.ContainsAny(name, " \t\n") {
				t.Fatalf("a relation is %q: %q", name, value)
			}
		}
		if c, ok := federation.ReadXRDS([]byte(text), "https://ann.example/"); ok && c.Claimed != "" && c.Claimed != "https://ann.example/" {
			t.Fatalf("%+v", c)
		}
	})
}
