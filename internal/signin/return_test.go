package signin_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/federation/federationtest"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
)

// provided runs fn in a house whose people can sign in at a provider.
func provided(t *testing.T, fn func(t *testing.T, h *house, i *federationtest.Issuer)) {
	t.Helper()
	run(t, func(t *testing.T, h *house) {
		i := federationtest.New(t)
		i.Now = h.Clock.Now
		h.Leads(t, federation.Provider{
			Name: "corp", Kind: federation.OpenID, Issuer: i.URL, ClientID: "djauthy", ClientSecret: "s", TrustEmail: []string{"corp.example"},
		})
		fn(t, h, i)
	})
}

// follow goes to an address at the provider and returns the response with which it sends the
// browser back.
func follow(t *testing.T, address string) url.Values {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	check(t, err)
	resp, err := http.DefaultTransport.RoundTrip(r)
	check(t, err)
	_ = resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	check(t, err)
	return back.Query()
}

// away is a browser that was led to a provider and has signed in there.
type away struct {
	led      signin.Led
	response url.Values
}

func goes(t *testing.T, h *house, b *browser, req signin.Request) away {
	t.Helper()
	req.Provider = "corp"
	led, err := h.Signin.Lead(t.Context(), req, b.By)
	check(t, err)
	return away{led, follow(t, led.URL)}
}

func (a away) returns(t *testing.T, h *house, b *browser) signin.Entered {
	t.Helper()
	e, err := h.Signin.Return(t.Context(), "corp", a.led.Trip, a.response, b.By)
	check(t, err)
	if e.Verdict == signin.Accepted {
		b.By.Session = e.Session
	}
	return e
}

func openID(i *federationtest.Issuer, sub string) accounts.ID {
	return accounts.ID{Implementation: accounts.OpenID, Identifier: i.URL + " " + sub}
}

func TestWhoSignsInAtAProviderIsIn(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		i.Person = map[string]any{"sub": "ann-1", "preferred_username": "ann", "amr": []string{"pwd", "otp"}, "acr": "2", "auth_time": 1700000000}
		b := h.Browser("192.0.2.1")
		a := goes(t, h, b, signin.Request{Next: "/notes"})
		want(t, h.Count(t, `SELECT count(*) FROM attempts`), 0) // a stranger who begins many fills no table
		e := a.returns(t, h, b)
		want(t, e.Verdict, signin.Accepted)
		want(t, e.Next, "/notes")
		account, user := h.Account(t, openID(i, "ann-1"))
		want(t, h.User(t, b), user.ID)
		want(t, account.Active && user.Active, true)
		want(t, account.Label, "ann")
		want(t, user.Email, "")
		want(t, slices.Contains(h.Events(t, user.ID), audit.SignedInProvider), true)
		check(t, h.DB.View(t.Context(), func(tx *db.Tx) error {
			proofs, err := session.Proofs(tx, session.Session{ID: db.ID(e.Session.ID)})
			want(t, len(proofs), 1)
			want(t, proofs[0].Factor, "openid")
			want(t, proofs[0].Upstream, session.Upstream{AMR: "pwd otp", ACR: "2", AuthTime: time.Unix(1700000000, 0).UTC()})
			return err
		}))
	})
}

func TestTheSamePersonAtTheProviderIsTheSameUser(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		first, second, other := h.Browser("192.0.2.1"), h.Browser("198.51.100.1"), h.Browser("203.0.113.1")
		for _, b := range []*browser{first, second} {
			want(t, goes(t, h, b, signin.Request{}).returns(t, h, b).Verdict, signin.Accepted)
		}
		i.Person = map[string]any{"sub": "somebody else"}
		want(t, goes(t, h, other, signin.Request{}).returns(t, h, other).Verdict, signin.Accepted)
		want(t, h.User(t, first), h.User(t, second))
		if h.User(t, first) == h.User(t, other) {
			t.Fatal("two people are one user")
		}
	})
}

// another is a letter that is not the one.
func another(one string) string {
	if one == "A" {
		return "B"
	}
	return "A"
}

// Rows 16 and 53.
func TestRow53_AResponseCountsOnceAndInItsBrowser(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		b, thief := h.Browser("192.0.2.1"), h.Browser("198.51.100.1")
		a := goes(t, h, b, signin.Request{Next: "/notes"})
		want(t, a.returns(t, h, thief).Verdict, signin.Gone)
		for name, change := range map[string]func(v *away){
			"no trip":        func(v *away) { v.led.Trip = "" },
			"a changed trip": func(v *away) { v.led.Trip = another(v.led.Trip[:1]) + v.led.Trip[1:] },
			"another trip":   func(v *away) { v.led.Trip = goes(t, h, b, signin.Request{}).led.Trip },
			"no state":       func(v *away) { v.response = url.Values{"code": v.response["code"]} },
			"another state": func(v *away) {
				v.response = url.Values{"code": v.response["code"], "state": goes(t, h, b, signin.Request{}).response["state"]}
			},
			"a state of no id": func(v *away) { v.response = url.Values{"code": v.response["code"], "state": {"x"}} },
		} {
			v := a
			if change(&v); v.returns(t, h, b).Verdict != signin.Gone {
				t.Errorf("%s is taken", name)
			}
		}
		want(t, i.Hits("/token"), 0)
		want(t, a.returns(t, h, b).Verdict, signin.Accepted)
		again := a.returns(t, h, b)
		want(t, again.Verdict, signin.Again)
		want(t, again.Next, "/notes")
		b.By.Session.ID = 0
		want(t, a.returns(t, h, b).Verdict, signin.Used)
		want(t, a.returns(t, h, thief).Verdict, signin.Used)
		want(t, i.Hits("/token"), 1)
	})
}

// Row 6.
func TestRow6_OfTwentyResponsesAtOnceOneIsRedeemed(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		b := h.Browser("192.0.2.1")
		a := goes(t, h, b, signin.Request{})
		var wg sync.WaitGroup
		var mu sync.Mutex
		verdicts := map[signin.Verdict]int{}
		for range 20 {
			wg.Go(func() {
				e, err := h.Signin.Return(t.Context(), "corp", a.led.Trip, a.response, b.By)
				mu.Lock()
				defer mu.Unlock()
				if verdicts[e.Verdict]++; err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		want(t, verdicts[signin.Accepted], 1)
		want(t, i.Hits("/token"), 1)
		want(t, h.Count(t, `SELECT count(*) FROM sessions`), 1)
	})
}

func TestASignInAtAProviderTakesNoLongerThanItsTime(t *testing.T) {
	provided(t, func(t *testing.T, h *house, _ *federationtest.Issuer) {
		b := h.Browser("192.0.2.1")
		h.Signin.Settings.Lives[accounts.OpenID] = 10 * time.Minute
		a := goes(t, h, b, signin.Request{})
		want(t, a.led.Life, 10*time.Minute)
		h.Clock.Advance(10*time.Minute + 5*time.Second)
		want(t, a.returns(t, h, b).Verdict, signin.Expired)
		late := goes(t, h, b, signin.Request{})
		h.Clock.Advance(9 * time.Minute)
		want(t, late.returns(t, h, b).Verdict, signin.Accepted)
	})
}

// Row 55.
func TestRow55_AnAddressAtAProviderIsNoProofOfAnAccount(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		owner := h.Browser("192.0.2.1")
		owner.SignsIn(t, addr(t, "ann@example.org"))
		attacker := h.Browser("198.51.100.1")
		for n, person := range []map[string]any{
			{"email": "ann@example.org", "email_verified": false},
			{"email": "ann@example.org", "email_verified": true},
			{"email": "ANN@example.org", "email_verified": "true"},
			{"email": "ann@example.org@corp.example", "email_verified": true},
			{"email": "ann@example.org\n@corp.example", "email_verified": true},
		} {
			person["sub"] = string(rune('a' + n))
			i.Person = person
			want(t, goes(t, h, attacker, signin.Request{ID: addr(t, "ann@example.org")}).returns(t, h, attacker).Verdict, signin.Accepted)
			if h.User(t, attacker) == h.User(t, owner) {
				t.Fatalf("%v signs in as the owner of the address", person)
			}
			if _, u := h.Account(t, openID(i, person["sub"].(string))); u.Email != "" {
				t.Errorf("%v sets the user's address to %s", person, u.Email)
			}
		}
	})
}

func TestAProviderIsTrustedWithItsOwnDomain(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		corp := map[string]any{"sub": "1", "email": "Ann@corp.example", "email_verified": true}
		owner := h.Browser("192.0.2.1")
		owner.SignsIn(t, addr(t, "ann@corp.example"))
		b := h.Browser("198.51.100.1")
		i.Person = corp
		want(t, goes(t, h, b, signin.Request{}).returns(t, h, b).Verdict, signin.Accepted)
		want(t, h.User(t, b), h.User(t, owner))

		i.Person = map[string]any{"sub": "2", "email": "Bob@corp.example", "email_verified": true}
		want(t, goes(t, h, b, signin.Request{}).returns(t, h, b).Verdict, signin.Accepted)
		a, u := h.Account(t, addr(t, "bob@corp.example"))
		want(t, h.User(t, b), u.ID)
		want(t, a.Active, true)
		want(t, u.Email, "Bob@corp.example")
		by := h.Browser("203.0.113.1")
		by.SignsIn(t, addr(t, "bob@corp.example"))
		want(t, h.User(t, by), u.ID)

		i.Person = map[string]any{"sub": "2", "email": "ann@corp.example", "email_verified": true} // Bob has another address now
		want(t, goes(t, h, b, signin.Request{}).returns(t, h, b).Verdict, signin.Accepted)
		want(t, h.User(t, b), u.ID)
	})
}

// Row 22.
func TestRow22_WhoIsDeactivatedIsNotLetInByAProvider(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		b := h.Browser("192.0.2.1")
		i.Person = map[string]any{"sub": "1", "email": "ann@corp.example", "email_verified": true}
		want(t, goes(t, h, b, signin.Request{}).returns(t, h, b).Verdict, signin.Accepted)
		user := h.User(t, b)
		h.Update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, user) })
		for _, sub := range []string{"1", "2"} { // by the account itself, and by the address that is trusted
			i.Person["sub"] = sub
			want(t, goes(t, h, b, signin.Request{}).returns(t, h, b).Verdict, signin.Refused)
		}
		want(t, h.Count(t, `SELECT count(*) FROM accounts`), 2)
	})
}

func TestWithoutSignUpAProviderLetsInWhoWasInvited(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		h.Signin.Settings.OpenSignup = false
		b := h.Browser("192.0.2.1")
		for _, person := range []map[string]any{{"sub": "1"}, {"sub": "2", "email": "eve@corp.example", "email_verified": true}} {
			i.Person = person
			want(t, goes(t, h, b, signin.Request{}).returns(t, h, b).Verdict, signin.Refused)
		}
		want(t, h.Count(t, `SELECT count(*) FROM users`), 0)
		h.Update(t, func(tx *db.Tx) error {
			_, u, err := accounts.Ensure(tx, addr(t, "ann@corp.example"))
			return errors.Join(err, accounts.Invite(tx, u.ID))
		})
		i.Person = map[string]any{"sub": "3", "email": "ann@corp.example", "email_verified": true}
		want(t, goes(t, h, b, signin.Request{}).returns(t, h, b).Verdict, signin.Accepted)
	})
}

func TestAnAdministratorMayComeByAProvider(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		superuser := func(b *browser) bool {
			var u accounts.User
			check(t, h.DB.View(t.Context(), func(tx *db.Tx) (err error) { u, err = accounts.GetUser(tx, h.User(t, b)); return err }))
			return u.Superuser
		}
		first, named, trusted, nobody := h.Browser("192.0.2.1"), h.Browser("192.0.2.2"), h.Browser("192.0.2.3"), h.Browser("192.0.2.4")
		token := h.MakesFirst(t)
		h.Signin.Settings.Admins[openID(i, "named")] = true
		h.Signin.Settings.Admins[addr(t, "root@corp.example")] = true
		for _, c := range []struct {
			b      *browser
			person map[string]any
			token  string
			want   bool
		}{
			{nobody, map[string]any{"sub": "nobody", "email": "root@corp.example"}, "", false},
			{first, map[string]any{"sub": "first"}, token, true},
			{named, map[string]any{"sub": "named"}, "", true},
			{trusted, map[string]any{"sub": "trusted", "email": "root@corp.example", "email_verified": true}, "", true},
			{nobody, map[string]any{"sub": "late"}, token, false},
		} {
			i.Person = c.person
			want(t, goes(t, h, c.b, signin.Request{AdminToken: c.token}).returns(t, h, c.b).Verdict, signin.Accepted)
			if superuser(c.b) != c.want {
				t.Errorf("%v: superuser is %v", c.person, !c.want)
			}
		}
	})
}

func TestResponsesThatFailSpendABudgetAndSuccessesDoNot(t *testing.T) {
	provided(t, func(t *testing.T, h *house, i *federationtest.Issuer) {
		h.Signin.Settings.FetchPerIP = config.Rates{{N: 3, Per: time.Hour}}
		b := h.Browser("192.0.2.1")
		for range 5 {
			want(t, goes(t, h, b, signin.Request{}).returns(t, h, b).Verdict, signin.Accepted)
		}
		for range 3 {
			a := goes(t, h, b, signin.Request{})
			a.response.Set("code", "made up")
			if _, err := h.Signin.Return(t.Context(), "corp", a.led.Trip, a.response, b.By); !errors.Is(err, federation.ErrRefused) {
				t.Fatal(err)
			}
		}
		hits := i.Hits("/token")
		e := goes(t, h, b, signin.Request{}).returns(t, h, b)
		want(t, e.Verdict, signin.Spent)
		if e.Wait <= 0 || i.Hits("/token") != hits {
			t.Errorf("wait %s, %d requests more", e.Wait, i.Hits("/token")-hits)
		}
	})
}
