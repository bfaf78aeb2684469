package signin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/federation/federationtest"
	"github.com/djauthy/djauthy/internal/fetch"
	"github.com/djauthy/djauthy/internal/signin"
)

// discovers are the ways of an id and their reasons: "corp domain, email syntax".
func discovers(t *testing.T, h *house, b *browser, id string) (c signin.Choice, ways string) {
	t.Helper()
	c, refusal, err := h.Signin.Discover(t.Context(), id, "", b.By)
	check(t, err)
	if refusal != "" {
		t.Fatalf("%s is refused: %s", id, refusal)
	}
	var all []string
	for _, w := range c {
		all = append(all, w.Name()+" "+string(w.Why))
	}
	return c, strings.Join(all, ", ")
}

// published runs fn with a provider that names itself the issuer of ann@ its host.
func published(t *testing.T, fn func(t *testing.T, h *house, i *federationtest.Issuer, ann string)) {
	t.Helper()
	provided(t, func(t *testing.T, h *house, _ *federationtest.Issuer) {
		i := federationtest.New(t)
		i.Now = h.Clock.Now
		h.LeadsBy(t, i.Client("corp.test"))
		const ann = "ann@corp.test"
		i.WebFinger["acct:"+ann] = i.URL
		fn(t, h, i, ann)
	})
}

func TestWhatTheHostSaysIsStrongerThanSyntax(t *testing.T) {
	published(t, func(t *testing.T, h *house, i *federationtest.Issuer, ann string) {
		c, ways := discovers(t, h, h.Browser("192.0.2.1"), ann)
		want(t, ways, "openid published, email syntax")
		want(t, c.Clear(), true)
		want(t, c[0].Issuer, i.URL)
		_, ways = discovers(t, h, h.Browser("192.0.2.1"), strings.Replace(ann, "ann", "bob", 1))
		want(t, ways, "email syntax")
	})
}

func TestTheBrowsersPastIsStrongerThanWhatIsPublic(t *testing.T) {
	published(t, func(t *testing.T, h *house, i *federationtest.Issuer, ann string) {
		b, other := h.Browser("192.0.2.1"), h.Browser("198.51.100.1")
		b.SignsIn(t, accounts.ID{Implementation: accounts.Email, Identifier: ann})
		hits := i.Hits("/.well-known/webfinger")
		_, ways := discovers(t, h, b, ann)
		want(t, ways, "email browser")
		want(t, i.Hits("/.well-known/webfinger"), hits) // nobody need be asked
		_, ways = discovers(t, h, other, ann)           // though the account exists
		want(t, ways, "openid published, email syntax")
	})
}

func TestAChoiceIsRememberedAndTheLastOneCounts(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Signin.Settings.Discovery.Jabber = &accounts.JabberIDs{Domains: []string{"both.example"}}
		h.Signin.Settings.Discovery.Providers = []accounts.ProviderIDs{{Name: "corp", Kind: accounts.OpenID, Issuer: "https://a.example", Domains: []string{"both.example"}}}
		b := h.Browser("192.0.2.1")
		c, ways := discovers(t, h, b, "ann@both.example")
		want(t, ways, "jabber domain, corp domain, email syntax")
		want(t, c.Clear(), false)
		for _, name := range []string{"corp", "email", "jabber", "corp"} {
			for _, w := range c {
				if w.Name() == name {
					b.Keeps(h.Signin.Chooses(b.By.Browser, w))
				}
			}
			c, ways = discovers(t, h, b, "ann@both.example")
			want(t, strings.HasPrefix(ways, name+" browser, "), true)
			want(t, c.Clear(), true)
		}
		if c, ways = discovers(t, h, b, "bob@both.example"); c.Clear() {
			t.Errorf("somebody else's id is clear, too: %s", ways)
		}
		c, _ = discovers(t, h, h.Browser("198.51.100.1"), "ann@both.example")
		want(t, c.Clear(), false)
	})
}

func TestAHostThatIsSlowHoldsNobodyUpForLong(t *testing.T) {
	provided(t, func(t *testing.T, h *house, _ *federationtest.Issuer) {
		release := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		defer s.Close()
		defer close(release)
		start := time.Now()
		h.LeadsBy(t, (&federationtest.Issuer{URL: s.URL}).Client("slow.test"))
		c, ways := discovers(t, h, h.Browser("192.0.2.1"), "ann@slow.test")
		want(t, ways, "email syntax")
		want(t, c.Clear(), true)
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestFetchingHasABudget(t *testing.T) {
	published(t, func(t *testing.T, h *house, i *federationtest.Issuer, ann string) {
		h.Signin.Settings.FetchPerIP = config.Rates{{N: 2, Per: time.Hour}}
		for _, user := range []string{"bob", "cat", "dan", "eve"} {
			_, ways := discovers(t, h, h.Browser("192.0.2.1"), strings.Replace(ann, "ann", user, 1))
			want(t, ways, "email syntax")
		}
		want(t, i.Hits("/.well-known/webfinger"), 2)
		_, ways := discovers(t, h, h.Browser("192.0.2.1"), ann)
		want(t, ways, "email syntax")
		_, ways = discovers(t, h, h.Browser("198.51.100.1"), ann)
		want(t, ways, "openid published, email syntax")
		led, err := h.Signin.Lead(t.Context(), signin.Request{ID: accounts.ID{Implementation: accounts.OpenID, Identifier: i.URL + "/me"}}, h.Browser("192.0.2.1").By)
		check(t, err)
		if led.Wait <= 0 || led.URL != "" {
			t.Errorf("a URL is looked for beyond the budget: %+v", led)
		}
	})
}

// crowded is a transport without a free slot.
type crowded struct{}

func (crowded) RoundTrip(*http.Request) (*http.Response, error) { return nil, fetch.ErrBusy }

// Whoever finds all slots for requests to others taken is told to wait, and not that there is
// no provider.
func TestALackOfSlotsIsAWait(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.LeadsBy(t, &http.Client{Transport: crowded{}})
		b := h.Browser("192.0.2.1")
		led, err := h.Signin.Lead(t.Context(), signin.Request{ID: accounts.ID{Implementation: accounts.OpenID, Identifier: "https://op.example"}}, b.By)
		check(t, err)
		want(t, led.Wait > 0, true)
	})
}
