package federation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/djauthy/djauthy/internal/fetch"
)

const xrdsType = "application/xrds+xml"

// findClaim finds what a URL says about itself (OpenID Authentication 2.0, 7.3): a document
// of Yadis at its address or where it points to, or links in its page.
func (f *Service) findClaim(ctx context.Context, address string) (Claim, error) {
	page, err := fetch.Get(ctx, f.strangers, address, xrdsType+", text/html;q=0.9, application/xhtml+xml;q=0.9")
	if err != nil || page.Status != http.StatusOK {
		return Claim{}, ErrNowhere
	}
	claimed, _, _ := strings.Cut(page.URL, "#")
	document, links := page.Body, map[string]string{}
	if !strings.Contains(page.Header.Get("Content-Type"), xrdsType) {
		links = readHead(page.Body)
		document = nil
		if at := cmp.Or(page.Header.Get("X-XRDS-Location"), links["x-xrds-location"]); at != "" {
			if linked, err := fetch.Get(ctx, f.strangers, resolved(page.URL, at), xrdsType); err == nil && linked.Status == http.StatusOK {
				document = linked.Body
			}
		}
	}
	c, ok := readXRDS(document, claimed)
	if !ok && links["openid2.provider"] != "" {
		c = Claim{Endpoint: resolved(page.URL, links["openid2.provider"]), Claimed: claimed, Local: links["openid2.local_id"]}
	}
	// By http anybody on the network between could speak for the provider.
	if !isWeb(c.Endpoint) || strings.HasPrefix(c.Endpoint, "http:") && len(f.settings.Allow) == 0 {
		return Claim{}, ErrNowhere
	}
	return c, nil
}

// resolved is an address as a page at base names it.
func resolved(base, address string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ""
	}
	u, err := b.Parse(strings.TrimSpace(address))
	if err != nil {
		return ""
	}
	return u.String()
}

// readHead returns the links of a page's head by their relation, and the location of its
// document of Yadis as x-xrds-location. What stands in the body was perhaps written by others.
func readHead(page []byte) map[string]string {
	found := map[string]string{}
	z := html.NewTokenizer(bytes.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return found
		case html.EndTagToken:
			if t := z.Token(); t.DataAtom == atom.Head {
				return found
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if t.DataAtom == atom.Body {
				return found
			}
			readTag(t, found)
		}
	}
}

// readTag adds what a tag of the head says. The first of several counts.
func readTag(t html.Token, found map[string]string) {
	attributes := map[string]string{}
	for _, a := range t.Attr {
		attributes[a.Key] = a.Val
	}
	add := func(name, value string) {
		if found[name] == "" {
			found[name] = value
		}
	}
	switch t.DataAtom {
	case atom.Link:
		for rel := range strings.FieldsSeq(strings.ToLower(attributes["rel"])) {
			add(rel, attributes["href"])
		}
	case atom.Meta:
		if strings.EqualFold(attributes["http-equiv"], "X-XRDS-Location") {
			add("x-xrds-location", attributes["content"])
		}
	}
}

// xrds is a document of Yadis (XRI Resolution 2.0, 3).
type xrds struct {
	XRD []struct {
		Service []xrdService `xml:"Service"`
	} `xml:"XRD"`
}

type xrdService struct {
	Priority *int     `xml:"priority,attr"`
	Type     []string `xml:"Type"`
	URI      []string `xml:"URI"`
	LocalID  string   `xml:"LocalID"`
}

// readXRDS returns what a document of Yadis says about a URL: that it is a provider, or else
// the service with the lowest priority at which its owner signs in.
func readXRDS(document []byte, claimed string) (Claim, bool) {
	var x xrds
	if len(document) == 0 || xml.Unmarshal(document, &x) != nil || len(x.XRD) == 0 {
		return Claim{}, false
	}
	services := x.XRD[len(x.XRD)-1].Service // the last one is about the URL itself
	slices.SortStableFunc(services, func(a, b xrdService) int { return priority(a.Priority) - priority(b.Priority) })
	for _, kind := range []string{openID2Server, openID2Signon} {
		for _, s := range services {
			if len(s.URI) == 0 || !slices.ContainsFunc(s.Type, func(t string) bool { return strings.TrimSpace(t) == kind }) {
				continue
			}
			c := Claim{Endpoint: strings.TrimSpace(s.URI[0])}
			if kind == openID2Signon {
				c.Claimed, c.Local = claimed, strings.TrimSpace(s.LocalID)
			}
			return c, true
		}
	}
	return Claim{}, false
}

// priority is that of a service; none is the lowest.
func priority(p *int) int {
	const none = 1 << 30
	if p == nil || *p < 0 || *p > none {
		return none
	}
	return *p
}
