package signin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/signin/signintest"
)

func TestANetworkThatHasTakenNoneFindsASendKept(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		for range 10 { // two networks take what there is
			refused(t, h, "192.0.2.1", ann)
			refused(t, h, "192.0.2.2", ann)
		}
		want(t, h.Messages(t), 5)
		// The owner's own is given back, also one that was kept.
		for range 3 {
			h.Browser("198.51.100.2").SignsIn(t, ann)
		}
		want(t, refused(t, h, "192.0.2.2", ann), true) // it is given back where it was taken
		want(t, refused(t, h, "198.51.100.1", ann), false)
		want(t, refused(t, h, "198.51.100.1", ann), true) // one is kept, for each network
		want(t, refused(t, h, "192.0.2.1", ann), true)
		h.Clock.Advance(5 * time.Minute)
		want(t, refused(t, h, "203.0.113.1", ann), false)
	})
}

// One customer has many of the /64 that other limits count.
func TestTheNetworksOfOneIPv6CustomerShareASendKept(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		refused := func(site, subnet int) bool {
			b := h.Browser(fmt.Sprintf("2001:db8:%d:%d::/64", site, subnet))
			b.By.Client.Prefix = fmt.Sprintf("2001:db8:%d::/48", site)
			return b.Asks(t, signin.Request{ID: ann}).Wait > 0
		}
		for n := range 5 {
			want(t, refused(1, n), false)
		}
		want(t, refused(1, 5), true)
		want(t, refused(2, 0), false)
	})
}

func TestAFloodFromManyNetworksIsSixMessages(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		want(t, granted(t, h, addr(t, "ann@example.org"), "198.51.100"), 6)
	})
}

func TestAMailboxGetsSoManyMessagesADayFromAnyNumberOfNetworks(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.DB.Rehearse = false // many asks, each rehearsed elsewhere
		h.Signin.Settings.KeptSends = config.Rates{{N: 3, Per: 24 * time.Hour}}
		ann := addr(t, "ann@example.org")
		for quarter := range 24 * 4 {
			for n := range 3 {
				refused(t, h, fmt.Sprintf("10.%d.%d.1", quarter, n), ann)
			}
			h.Clock.Advance(15 * time.Minute)
		}
		// 40 and what comes back of them within the day, and the same of those kept.
		if n := h.Messages(t); n > 2*(40+3) {
			t.Errorf("%d messages came in a day", n)
		}
	})
}

func TestAnOfficeBehindOneAddressGetsIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.DB.Rehearse = false // many asks, each rehearsed elsewhere
		const people = 200
		office := make([]*browser, people)
		for i := range office { // over the weeks before
			office[i] = h.Browser("192.0.2.1")
			office[i].SignsIn(t, person(t, i))
		}
		h.Clock.Advance(31 * 24 * time.Hour)
		// A stranger among them asks for invented names until nothing is left.
		for i := 0; !refused(t, h, "192.0.2.1", addr(t, fmt.Sprintf("invented%d@example.org", i))); i++ {
			if i > 100 {
				t.Fatal("a network may ask without end for invented names")
			}
		}
		for i, b := range office { // at nine in the morning
			if asked := b.Asks(t, signin.Request{ID: person(t, i)}); asked.Wait > 0 {
				t.Fatalf("number %d has to wait for %v", i, asked.Wait)
			}
			want(t, b.Types(t, h.Mail(t).Code).Verdict, signin.Accepted)
		}
	})
}

func person(t *testing.T, i int) accounts.ID { return addr(t, fmt.Sprintf("p%d@example.org", i)) }

func TestInventedNamesOfOneDomainAreFew(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.DB.Rehearse = false // many asks, each rehearsed elsewhere
		n := 0
		for hour := range 24 {
			for i := range 40 {
				if !refused(t, h, "192.0.2.1", addr(t, fmt.Sprintf("x%d.%d@example.org", hour, i))) {
					n++
				}
			}
			h.Clock.Advance(time.Hour)
		}
		// 30 at once, and five an hour; a network used to get 120 an hour.
		if n > 30+24*5 {
			t.Errorf("%d messages went to one domain in a day", n)
		}
		want(t, refused(t, h, "192.0.2.1", addr(t, "ann@example.net")), false)
		for i := 0; !refused(t, h, "192.0.2.1", addr(t, fmt.Sprintf("y%d@example.org", i))); {
			i++
		}
		want(t, refused(t, h, "192.0.2.2", addr(t, "ann@example.org")), false) // people elsewhere
	})
}

// All browsers that have signed in with an id have together four times what strangers
// have, so that they make no flood of its mailbox either.
func TestKnownBrowsersOfOneMailboxShareABudget(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Signin.Settings.ResendEvery = 0
		ann := addr(t, "ann@example.org")
		sent := 0
		for n := range 6 {
			b := h.Browser(fmt.Sprintf("192.0.2.%d", n))
			b.SignsIn(t, ann)
			for range 7 {
				b.By.Attempt = (seal.Token{})
				if b.Asks(t, signin.Request{ID: ann}).Wait == 0 {
					h.Mail(t)
					sent++
				}
			}
		}
		want(t, sent, 4*5)
	})
}

func TestANetworkThatSpendsItsShareOfADomainSpendsNobodyElses(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.DB.Rehearse = false // many asks, each rehearsed elsewhere
		for n := 0; !refused(t, h, "192.0.2.1", addr(t, fmt.Sprintf("x%d@example.org", n))); n++ {
		}
		want(t, refused(t, h, "192.0.2.2", addr(t, "ann@example.org")), false)
	})
}

// The first day of an attack: so many networks ask for the owner's codes as often as they
// are let. The owner asks once in half an hour, each time in a browser that is
// fresh and at home, and in one that is known, and signs in where a code comes.
// docs/security.md has the numbers.
func TestADayOfAttack(t *testing.T) {
	for _, c := range []struct {
		networks            int
		fresh, known, total int // of 48 asks each; messages that strangers caused
	}{
		{2, 48, 48, 79},
		{4, 48, 48, 81},
		{50, 39, 48, 127},
		{1000, 0, 48, 198},
	} {
		t.Run(fmt.Sprint(c.networks), func(t *testing.T) {
			d := dbtest.Fresh(t, "sqlite")
			clock := started()
			d.Now = clock.Now
			h := signintest.Furnish(t, d, clock)
			h.Deliver(t)
			fresh, known, strangers := attacked(t, h, c.networks)
			t.Logf("%d networks: %d of 48 fresh, %d of 48 known, %d messages for strangers", c.networks, fresh, known, strangers)
			if fresh != c.fresh || known != c.known || strangers > c.total {
				t.Errorf("the page says %d of 48, %d of 48, at most %d messages", c.fresh, c.known, c.total)
			}
		})
	}
}

func attacked(t *testing.T, h *house, networks int) (fresh, known, strangers int) {
	t.Helper()
	ann := addr(t, "ann@example.org")
	own := h.Browser("198.51.100.1")
	own.SignsIn(t, ann)
	again := make([]time.Time, networks) // each network's Retry-After
	for minute := range 24 * 60 {
		again[minute%networks] = time.Time{} // one of them does not wait for that
		refused := 0
		for n := range networks { // the first take what comes back, and leave the others what is kept
			for refused < 60 && !h.Clock.Now().Before(again[n]) { // after so many nothing is left for any
				asked := h.Browser(fmt.Sprintf("10.%d.%d.1/32", n/250, n%250)).Asks(t, signin.Request{ID: ann})
				again[n] = h.Clock.Now().Add(asked.Wait)
				if asked.Wait == 0 {
					h.Mail(t)
					strangers++
				} else {
					refused++
				}
			}
		}
		if minute%30 == 15 {
			fresh += triesToSignIn(t, h.Browser("198.51.100.9"), ann)
			known += triesToSignIn(t, own, ann)
		}
		h.Clock.Advance(time.Minute)
	}
	return fresh, known, strangers
}

// triesToSignIn returns 1 if a code comes, which is then the right one.
func triesToSignIn(t *testing.T, b *browser, id accounts.ID) int {
	t.Helper()
	if b.Asks(t, signin.Request{ID: id}).Wait > 0 {
		return 0
	}
	want(t, b.Types(t, b.House.Mail(t).Code).Verdict, signin.Accepted)
	return 1
}

// Whoever signs in without end comes to the limits of strangers; the account's owner
// is not shut out by it, and time gives back.
func TestSuccessesOfOneAccountGiveBackSoOftenOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Signin.Settings.GivesBack = config.Rate{N: 4, Per: 24 * time.Hour}
		ann, ben := addr(t, "ann@example.org"), addr(t, "ben@example.org")
		// signIns counts how often somebody signs in, each time in a fresh browser of one
		// network, until that network has to wait.
		signIns := func() (n int) {
			for ; n < 20; n++ {
				b := h.Browser("192.0.2.1")
				if b.Asks(t, signin.Request{ID: ann}).Wait > 0 {
					break
				}
				want(t, b.Types(t, h.Mail(t).Code).Verdict, signin.Accepted)
			}
			return n
		}
		want(t, signIns(), 4+3) // a network has three sends of one mailbox
		h.Browser("192.0.2.1").SignsIn(t, ben)
		h.Browser("198.51.100.1").SignsIn(t, ann)
		h.Clock.Advance(24 * time.Hour / 4) // in which one comes back
		want(t, signIns(), 1+3)
	})
}

// History looks for a sign-in no further back than its attempt can lie.
func TestHistoryLooksAsFarBackAsAnAttemptIsKept(t *testing.T) {
	if kept := signin.Kept(config.LongestExpiry); kept > audit.FinishedWithin {
		t.Errorf("an attempt is kept for %v, history looks back %v", kept, audit.FinishedWithin)
	}
}
