package federationtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const openID2 = "http://specs.openid.net/auth/2.0"

// OpenID2 is a provider of OpenID 2.0 at a loopback address, and the pages of people who sign
// in there. It signs in whoever comes as Person.
type OpenID2 struct {
	URL string
	// Person is the name under which somebody signs in next: URL/id/PERSON.
	Person string
	// Respond changes a response after it was signed.
	Respond func(response url.Values)
	// Sign changes it before.
	Sign func(response url.Values)
	// Pages are the pages at /page/NAME, and Kind their content type.
	Pages map[string]string
	Kind  string
	// Now is its clock.
	Now func() time.Time

	mu     sync.Mutex
	signed map[string]bool
}

// NewOpenID2 starts a provider.
func NewOpenID2(t testing.TB) *OpenID2 {
	t.Helper()
	o := &OpenID2{Person: "ann", Pages: map[string]string{}, Kind: "text/html", Now: time.Now, signed: map[string]bool{}}
	s := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(s.Close)
	o.URL = s.URL
	return o
}

// Links is a page of somebody who signs in at the provider as name.
func (o *OpenID2) Links(name string) string {
	return fmt.Sprintf(`<html><head><link rel="openid2.provider" href="%s/op"><link rel="openid2.local_id" href="%s/id/%s"></head><body></body></html>`, o.URL, o.URL, name)
}

// XRDS is a document of Yadis with one service.
func (o *OpenID2) XRDS(kind, local string) string {
	return fmt.Sprintf(`<?xml version="1.0"?><xrds:XRDS xmlns:xrds="xri://$xrds" xmlns="xri://$xrd*($v*2.0)"><XRD><Service priority="0"><Type>%s/%s</Type><URI>%s/op</URI>%s</Service></XRD></xrds:XRDS>`,
		openID2, kind, o.URL, local)
}

func (o *OpenID2) serve(w http.ResponseWriter, r *http.Request) {
	page, ok := strings.CutPrefix(r.URL.Path, "/page/")
	name, isPerson := strings.CutPrefix(r.URL.Path, "/id/")
	switch {
	case ok && o.Pages[page] != "":
		w.Header().Set("Content-Type", o.Kind)
		_, _ = w.Write([]byte(o.Pages[page]))
	case isPerson: // the page of somebody at the provider itself
		w.Header().Set("Content-Type", "application/xrds+xml")
		_, _ = w.Write([]byte(o.XRDS("signon", "<LocalID>"+o.URL+"/id/"+name+"</LocalID>")))
	case r.URL.Path == "/op" && r.FormValue("openid.mode") == "check_authentication":
		o.mu.Lock()
		valid := o.signed[signature(r.Form)]
		o.mu.Unlock()
		fmt.Fprintf(w, "ns:%s\nis_valid:%v\n", openID2, valid)
	case r.URL.Path == "/op":
		o.signIn(w, r)
	default:
		http.NotFound(w, r)
	}
}

// signIn signs the person in at once and sends them back.
func (o *OpenID2) signIn(w http.ResponseWriter, r *http.Request) {
	me := o.URL + "/id/" + o.Person
	claimed := r.FormValue("openid.claimed_id")
	if strings.HasSuffix(claimed, "/identifier_select") {
		claimed = me
	}
	response := url.Values{}
	for name, value := range map[string]string{
		"ns": openID2, "mode": "id_res", "op_endpoint": o.URL + "/op", "claimed_id": claimed, "identity": me, "return_to": r.FormValue("openid.return_to"),
		"response_nonce": o.Now().UTC().Format(time.RFC3339) + rand.Text(), "assoc_handle": "none", "signed": "op_endpoint,claimed_id,identity,return_to,response_nonce,assoc_handle",
	} {
		response.Set("openid."+name, value)
	}
	if o.Sign != nil {
		o.Sign(response)
	}
	response.Set("openid.sig", rand.Text())
	o.mu.Lock()
	o.signed[signature(response)] = true
	o.mu.Unlock()
	if o.Respond != nil {
		o.Respond(response)
	}
	var pairs []string
	for name, values := range response {
		pairs = append(pairs, name, values[0])
	}
	back(w, r, r.FormValue("openid.return_to"), pairs...)
}

// signature is what the provider remembers of a response: all that it has signed.
func signature(response url.Values) string {
	var all []string
	for name := range strings.SplitSeq(response.Get("openid.signed"), ",") {
		all = append(all, name+"="+response.Get("openid."+name))
	}
	return strings.Join(append(all, response.Get("openid.sig")), "\n")
}
