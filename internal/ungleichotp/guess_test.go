package ungleichotp_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

// Networks that have nothing in common.
const (
	home    = "192.0.2.1"
	office  = "198.51.100.1"
	cafe    = "203.0.113.1"
	station = "2001:db8:1:2::1"
)

// atOnceMost is the smaller of the budget's rates: 30 a minute.
const atOnceMost = 30

// logsIn asks for the index, which says nothing but whether the triple holds.
func (w who) logsIn(token, from string) request {
	return ask(http.MethodGet, rootPath, w.g4().with(fields{"auth_token": token})).from(from)
}

// checks asks by a caller about a token of another.
func (w who) checks(of who, token, from string) request {
	return ask(http.MethodPost, verifyPath, w.g4().with(of.claim(), fields{"token": token})).from(from)
}

// fails sends a request n times, which has to be refused each time.
func (h *house) fails(t *testing.T, n int, q request, with string) {
	t.Helper()
	for range n {
		h.send(t, q).is(t, http.StatusForbidden, with)
	}
}

// isLetIn and isShutOut demand what a right token gets.
func (w who) isLetIn(t *testing.T, from string) {
	t.Helper()
	w.h.send(t, w.logsIn(w.token(0), from)).is(t, http.StatusOK, indexBody)
}

func (w who) isShutOut(t *testing.T, from string) {
	t.Helper()
	w.h.send(t, w.logsIn(w.token(0), from)).is(t, http.StatusForbidden, badCredentials)
}

// remembers lets services in from networks and waits until that is written down.
func (h *house) remembers(t *testing.T, pairs map[who][]string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.s.Run(ctx) })
	defer wg.Wait()
	defer stop()
	n := 0
	for w, networks := range pairs {
		for _, from := range networks {
			w.isLetIn(t, from)
			n++
		}
	}
	patience := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for h.count(t, `SELECT COUNT(*) FROM service_callers`) < n {
		select {
		case <-tick.C:
		case <-patience:
			t.Fatal("who was right, and from where, is not written down")
		}
	}
}

// compared is how many wrong tokens of a service were looked at and counted.
func (w who) compared(t *testing.T) (n int) {
	t.Helper()
	check(t, w.h.d.View(t.Context(), func(tx *db.Tx) error {
		lines, err := audit.OfService(tx, int64(w.ID), 10000)
		for _, l := range lines {
			if l.Event == audit.ServiceRefused {
				n++
			}
		}
		return err
	}))
	return n
}

func TestThirtyWrongTokensShutOutARightOneFromThere(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		w := h.add(t, "till", "shop")
		others := []who{h.add(t, "other", "shop"), h.add(t, "till", "bar")}
		for _, other := range others {
			h.fails(t, 1, other.logsIn(other.wrong(), home), badCredentials)
		}
		h.fails(t, atOnceMost-1, w.logsIn(w.wrong(), home), badCredentials)
		w.isLetIn(t, home)
		h.fails(t, 1, w.logsIn(w.wrong(), home), badCredentials)
		w.isShutOut(t, home)
		h.fails(t, 5, w.logsIn(w.token(1), home), badCredentials) // nor any other that would be right
		for _, other := range others {
			other.isLetIn(t, home) // each entry has a budget of its own
		}
	})
}

// Wherever a caller shows its triple, and in whichever shape, it is one budget.
func TestAGuessCountsWhereverItIsMade(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		w, of := h.add(t, "root", services.AdminRealm), h.add(t, "till", "shop")
		var all []request
		for _, s := range shapes() {
			wrong := s.verify(w, of).with(fields{s.ours + "token": w.wrong()})
			for _, q := range []request{
				ask("POST", verifyPath, wrong), ask("POST", verifyPath, wrong.without(s.theirs+"name")), ask("PUT", verifyPath, wrong), ask("GET", collectionPath, wrong),
				ask("POST", collectionPath, wrong), ask("HEAD", collectionPath, wrong), ask("GET", of.path(), wrong), ask("PUT", of.path(), wrong), ask("PATCH", of.path(), wrong),
				ask("DELETE", of.path(), wrong), ask("OPTIONS", of.path(), wrong), ask("GET", rootPath, wrong), ask("POST", rootPath, wrong), ask("GET", "/ungleichotp/99/", wrong),
			} {
				all = append(all, q.from(home))
			}
		}
		h.fails(t, atOnceMost-len(all), w.logsIn(w.wrong(), home), badCredentials)
		w.isLetIn(t, home)
		for _, q := range all {
			h.fails(t, 1, q, bodyFor(q.method, badCredentials))
		}
		w.isShutOut(t, home)
	})
}

func TestAWrongClaimCountsForTheCallerAndTheEntry(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		of := h.add(t, "other", "shop")
		h.fails(t, 1, c.auth.checks(of, of.wrong(), home), notPermitted)
		h.fails(t, atOnceMost-1, c.auth.checks(c.shop, c.shop.wrong(), home), notPermitted)
		h.send(t, c.auth.checks(c.shop, c.shop.token(0), home)).is(t, http.StatusOK, statusOK)
		h.fails(t, 1, c.auth.checks(c.shop, c.shop.wrong(), cafe), notPermitted) // where it calls from is the same
		h.send(t, c.auth.checks(c.shop, c.shop.token(0), home)).is(t, http.StatusForbidden, notPermitted)
		h.send(t, c.auth.checks(c.shop, c.shop.token(0), office)).is(t, http.StatusForbidden, notPermitted)
		h.send(t, ask("POST", verifyPath, c.auth.g2().with(c.shop.verifying()))).is(t, http.StatusForbidden, notPermitted)
		h.send(t, c.auth.checks(of, of.token(0), home)).is(t, http.StatusOK, statusOK)          // another entry
		h.send(t, c.admin.checks(c.shop, c.shop.token(0), home)).is(t, http.StatusOK, statusOK) // another caller
		h.send(t, c.auth.checks(c.auth, c.auth.token(0), home)).is(t, http.StatusOK, statusOK)  // itself
		c.shop.isLetIn(t, home)                                                                 // and the entry may call
		h.add(t, "gate", services.AdminRealm).verifies(t, c.shop)                               // a caller of this name elsewhere
	})
}

func (w who) verifies(t *testing.T, of who) {
	t.Helper()
	w.h.send(t, w.checks(of, of.token(0), home)).is(t, http.StatusOK, statusOK)
}

func TestTheMinutesBudgetComesBackByTheClock(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		w := c.shop
		spend := func(n int) {
			t.Helper()
			h.fails(t, n, w.logsIn(w.wrong(), home), badCredentials)
			h.fails(t, n, c.auth.checks(w, w.wrong(), home), notPermitted)
		}
		open := func(after time.Duration, is bool) {
			t.Helper()
			h.clock.Advance(after)
			if status := map[bool]int{true: 200, false: 403}[is]; h.send(t, w.logsIn(w.token(0), home)).status != status || h.send(t, c.auth.checks(w, w.token(0), home)).status != status {
				t.Errorf("%v later a right token is let in, or not: want %v", after, is)
			}
		}
		spend(atOnceMost)
		open(0, false)
		open(1900*time.Millisecond, false)
		open(100*time.Millisecond, true) // one of thirty a minute
		spend(1)
		open(0, false)
		open(time.Minute, true)
		spend(atOnceMost - 1)
		open(0, true)
		spend(1)
		open(0, false)
	})
}

func TestTheHoursBudgetIsThreeHundred(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		w := h.add(t, "till", "shop")
		const minutes = 13
		for range minutes {
			h.clock.Advance(time.Minute)
			h.fails(t, atOnceMost, w.logsIn(w.wrong(), home), badCredentials)
		}
		// 300 at once and five more each minute.
		if n := w.compared(t); n < 300 || n > 300+5*minutes {
			t.Errorf("%d wrong tokens were compared in %d minutes, want 300 and five a minute", n, minutes)
		}
		h.clock.Advance(2 * time.Second) // which brings one back of thirty a minute, but none of 300 an hour
		w.isShutOut(t, home)
		h.clock.Advance(10 * time.Second)
		w.isLetIn(t, home)
	})
}

func TestWhoRetriesAWrongTokenEachSecondIsSoonLetInAgain(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		w := h.add(t, "till", "shop")
		stale := w.token(0)
		h.clock.Advance(5 * time.Minute) // the caller's clock stands
		for range 100 {
			h.fails(t, 1, w.logsIn(stale, home), badCredentials)
			h.clock.Advance(time.Second)
		}
		h.clock.Advance(2 * time.Second)
		w.isLetIn(t, home)
	})
}

func TestNetworksThatWereNeverRightShareOneCap(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		w := h.add(t, "till", "shop")
		h.fails(t, 10, w.logsIn(w.wrong(), home), badCredentials)
		h.fails(t, 10, w.logsIn(w.wrong(), office), badCredentials)
		h.fails(t, 9, w.logsIn(w.wrong(), station), badCredentials)
		w.isLetIn(t, cafe)
		h.fails(t, 1, w.logsIn(w.wrong(), cafe), badCredentials)
		for _, from := range []string{cafe, home, station, "192.0.2.99"} {
			w.isShutOut(t, from)
		}
		h.clock.Advance(time.Minute)
		w.isLetIn(t, cafe)
	})
}

// One house for all of these, since what it remembers takes a second.
func TestANetworkThatWasRightBefore(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		tests := map[string]struct {
			right []string // networks
			then  func(t *testing.T, w who)
		}{
			"is not shut out by others":              {[]string{home, office}, isNotShutOut},
			"takes nothing from others":              {[]string{home}, takesNothing},
			"is known for that entry only":           {[]string{home}, isKnownForThatEntry},
			"is all of a /64 of IPv6":                {[]string{station, home}, isASlash64},
			"is what the nearest proxy says":         {[]string{cafe}, isWhatTheProxySays},
			"is let in while others guess":           {[]string{home}, isLetInWhileOthersGuess},
			"is shut out by its own guesses at once": {[]string{home, office}, isShutOutByItsOwn},
		}
		pairs, services := map[who][]string{}, map[string]who{}
		for name, test := range tests {
			services[name] = h.add(t, name, "shop")
			pairs[services[name]] = test.right
		}
		h.remembers(t, pairs)
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test.then(t, services[name]) })
		}
	})
}

func isNotShutOut(t *testing.T, w who) {
	for i := range atOnceMost {
		w.h.fails(t, 1, w.logsIn(w.wrong(), fmt.Sprintf("203.0.113.%d", i)), badCredentials)
	}
	w.isShutOut(t, "203.0.113.200")
	w.isLetIn(t, home)
	w.isLetIn(t, office)
	// Its own budget it has for itself.
	w.h.fails(t, atOnceMost, w.logsIn(w.wrong(), home), badCredentials)
	w.isShutOut(t, home)
	w.isLetIn(t, office)
}

func takesNothing(t *testing.T, w who) {
	w.h.fails(t, atOnceMost, w.logsIn(w.wrong(), home), badCredentials)
	w.isShutOut(t, home)
	w.h.fails(t, atOnceMost-1, w.logsIn(w.wrong(), cafe), badCredentials)
	w.isLetIn(t, cafe)
}

// To be right for one entry says nothing about another.
func isKnownForThatEntry(t *testing.T, w who) {
	other := w.h.add(t, "other", "shop")
	w.h.fails(t, atOnceMost, other.logsIn(other.wrong(), cafe), badCredentials)
	other.isShutOut(t, home)
	w.isLetIn(t, home)
}

// A customer has a /64, so that all of it is one network.
func isASlash64(t *testing.T, w who) {
	for i := range atOnceMost {
		w.h.fails(t, 1, w.logsIn(w.wrong(), fmt.Sprintf("2001:db8:1:2:%x::1", i)), badCredentials)
	}
	w.isShutOut(t, "2001:db8:1:2:ffff::1")
	w.isShutOut(t, station)
	w.isLetIn(t, home)
}

// What stands further left anybody can write.
func isWhatTheProxySays(t *testing.T, w who) {
	for i := range atOnceMost {
		w.h.fails(t, 1, w.logsIn(w.wrong(), fmt.Sprintf("10.0.0.%d, %s", i, cafe)), badCredentials)
	}
	w.isShutOut(t, cafe)
}

func isLetInWhileOthersGuess(t *testing.T, w who) {
	right, wrong := w.logsIn(w.token(0), home), w.wrong()
	for i, a := range w.h.atOnce(t, 100, func(i int) request {
		if i%2 == 0 {
			return right
		}
		return w.logsIn(wrong, fmt.Sprintf("203.0.113.%d", i))
	}) {
		if i%2 == 0 {
			a.is(t, http.StatusOK, indexBody)
		} else {
			a.is(t, http.StatusForbidden, badCredentials)
		}
	}
}

func isShutOutByItsOwn(t *testing.T, w who) {
	wrong := w.logsIn(w.wrong(), home)
	w.h.atOnce(t, 100, func(int) request { return wrong })
	if n := w.compared(t); n == 0 || n > atOnceMost {
		t.Errorf("%d of 100 were compared, want 1 to %d", n, atOnceMost)
	}
	w.h.fails(t, atOnceMost, wrong, badCredentials)
	w.isShutOut(t, home)
	w.isLetIn(t, office)
}

func TestOfManyGuessesAtOnceNoMoreThanThirtyAreCompared(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		for name, q := range map[string]func(w who, i int) request{
			"from one network": func(w who, _ int) request { return w.logsIn(w.wrong(), home) },
			"from two hundred": func(w who, i int) request { return w.logsIn(w.wrong(), fmt.Sprintf("198.51.100.%d", i)) },
			"as a claim":       func(w who, i int) request { return c.auth.checks(w, w.wrong(), fmt.Sprintf("203.0.113.%d", i)) },
		} {
			t.Run(name, func(t *testing.T) {
				w := h.add(t, name, "shop")
				for _, a := range h.atOnce(t, 200, func(i int) request { return q(w, i) }) {
					a.is(t, http.StatusForbidden, map[bool]string{true: notPermitted, false: badCredentials}[a.to.path == verifyPath])
				}
				if n := w.compared(t); n == 0 || n > atOnceMost {
					t.Errorf("%d of 200 were compared, want 1 to %d", n, atOnceMost)
				}
				for range atOnceMost { // what those left that were refused unseen, since others were under way
					h.send(t, q(w, 0))
				}
				if n := w.compared(t); n != atOnceMost {
					t.Errorf("%d were compared in all, want %d", n, atOnceMost)
				}
				w.isRefused(t, q(w, 0))
			})
		}
	})
}

// isRefused sends the request with the right token.
func (w who) isRefused(t *testing.T, q request) {
	t.Helper()
	if q.path == verifyPath {
		auth := who{h: w.h}
		check(t, w.h.d.View(t.Context(), func(tx *db.Tx) (err error) {
			auth.Entry, err = w.h.s.Find(tx, "gate", services.AuthRealm)
			return err
		}))
		w.h.send(t, auth.checks(w, w.token(0), home)).is(t, http.StatusForbidden, notPermitted)
		return
	}
	w.isShutOut(t, home)
}

func TestRightTokensAtOnceAreAllLetIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		q := c.auth.checks(c.shop, c.shop.token(0), home)
		for _, a := range h.atOnce(t, 200, func(int) request { return q }) {
			a.is(t, http.StatusOK, statusOK)
		}
	})
}

func TestAnUnknownNameAWrongTokenAndASpentBudgetLookAlike(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		spent := h.add(t, "spent", services.AdminRealm)
		h.fails(t, atOnceMost, spent.logsIn(spent.wrong(), home), badCredentials)
		h.fails(t, atOnceMost, c.auth.checks(spent, spent.wrong(), home), notPermitted)
		nobody := who{Entry: services.Entry{Name: "nobody", Realm: services.AdminRealm, Seed: rfcSeed}, h: h}
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "TRACE"} {
			first := h.send(t, ask(method, collectionPath, c.admin.g4().with(fields{"auth_token": c.admin.wrong()})).from(home))
			first.is(t, http.StatusForbidden, bodyFor(method, badCredentials))
			for _, w := range []who{spent, nobody} {
				h.send(t, ask(method, collectionPath, w.g4()).from(home)).isLike(t, first)
			}
		}
		first := h.send(t, c.auth.checks(c.shop, c.shop.wrong(), home))
		first.is(t, http.StatusForbidden, notPermitted)
		for _, w := range []who{spent, nobody} {
			h.send(t, c.auth.checks(w, w.token(0), home)).isLike(t, first)
		}
	})
}

// An unknown name has a budget like any other, which nobody can tell.
func TestGuessesAtAnUnknownNameAreAlwaysRefusedAlike(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		nobody := who{Entry: services.Entry{Name: "nobody", Realm: "shop", Seed: rfcSeed}, h: h}
		h.fails(t, atOnceMost+5, nobody.logsIn(nobody.token(0), home), badCredentials)
		h.fails(t, atOnceMost+5, admin.checks(nobody, nobody.token(0), home), notPermitted)
		h.add(t, "till", "shop").isLetIn(t, home)
	})
}
