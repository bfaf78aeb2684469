package main

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Row 1.
func TestRow01_TheRightCodeAfterFiveWrongOnesIsRefused(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b := s.browser(t)
		code := b.ask(anID()).code()
		for range 5 {
			b.submit(wrong(code)).want(t, http.StatusUnprocessableEntity, "")
		}
		b.submit(wrong(code)).want(t, http.StatusGone, "")
		b.submit(code).want(t, http.StatusGone, "")
		if b.in() {
			t.Fatal("the sixth try opened a session")
		}
	})
}

// together runs n calls at once.
func together(n int, call func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			call(i)
		})
	}
	done.Wait()
}

// Row 2.
func TestRow02_FortyWrongCodesAtOnceCountAsFiveTries(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.browser(t), anID()
		code := b.ask(id).code()
		var mu sync.Mutex
		statuses := map[int]int{}
		together(40, func(int) {
			a, _, err := b.try(http.MethodPost, "/login/code", formKind, strings.NewReader(form("auth_code", wrong(code))), nil)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
		})
		if statuses[http.StatusUnprocessableEntity] != 5 || statuses[http.StatusGone] != 35 {
			t.Errorf("statuses of 40 wrong codes: %v, want 5 of 422 and 35 of 410", statuses)
		}
		b.submit(code).want(t, http.StatusGone, "")
		// They took five of the id's twenty tries, so codes stay short.
		if next := s.browser(t).ask(id).code(); !sixDigits.MatchString(next) {
			t.Errorf("after 40 wrong codes at one attempt the next code is %q, want six digits", next)
		}
	})
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

// Row 3. A day of guessing from ever new browsers and addresses: what counts
// is how often a code of six digits was compared.
func TestRow03_GuessingOverManyAttemptsAndAddressesIsBoundedPerID(t *testing.T) {
	t.Parallel()
	s, id := start(t), anID()
	compared, long := 0, 0
	for range 96 {
		s.clock.advance(15 * time.Minute)
		b := s.browser(t)
		if b.post("/login", "id", id).status == http.StatusTooManyRequests {
			continue
		}
		code := s.mail.next(t, id).code()
		if !sixDigits.MatchString(code) {
			long++
			continue
		}
		for range 5 {
			if b.submit(wrong(code)).status == http.StatusUnprocessableEntity {
				compared++
			}
		}
	}
	// 60 at once and 60 that come back over the day.
	if compared > 120 {
		t.Errorf("%d guesses at six digits within a day, want at most 120", compared)
	}
	if long == 0 {
		t.Error("no ask after many wrong tries got a long code")
	}
	t.Logf("a day of guessing: %d guesses at six digits, %d codes of ten letters", compared, long)
}

// burn spends an id's tries and sends from strangers' browsers.
func burn(t *testing.T, s *site, id string) {
	t.Helper()
	for range 8 {
		b := s.browser(t)
		if b.post("/login", "id", id).status != http.StatusSeeOther {
			continue
		}
		code := s.mail.next(t, id).code()
		for range 6 {
			b.submit(wrong(code))
		}
	}
}

// Row 4.
func TestRow04_AStrangerWhoBurnsTheBudgetsDoesNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		owner, id := s.person(t)
		owner.post("/logout")
		s.clock.advance(time.Hour)
		burn(t, s, id)

		l := owner.ask(id)
		if !sixDigits.MatchString(l.code()) {
			t.Errorf("the browser that had signed in before got %q, want six digits", l.code())
		}
		owner.submit(l.code()).want(t, http.StatusSeeOther, "/account")

		// Elsewhere a send is kept for the owner, who types a long code.
		other := s.browser(t)
		l = other.ask(id)
		if !regexp.MustCompile(`^[a-z]{10}$`).MatchString(l.code()) {
			t.Errorf("an unknown browser got %q, want ten letters", l.code())
		}
		other.submit(strings.ToUpper(l.code())).want(t, http.StatusSeeOther, "/account")

		// After the window everything is as before.
		s.clock.advance(25 * time.Hour)
		if l = s.browser(t).ask(id); !sixDigits.MatchString(l.code()) {
			t.Errorf("after the window an unknown browser got %q, want six digits", l.code())
		}
	}, "DJAUTHY_LIMITS_SEND_PER_ID=8/15m")
}

// Row 5.
func TestRow05_AUsedCodeIsRefused(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b := s.browser(t)
		code := b.ask(anID()).code()
		before := b.clone()
		b.submit(code).want(t, http.StatusSeeOther, "/account")
		before.submit(code).want(t, http.StatusGone, "")
		if before.in() {
			t.Fatal("a used code opened a session")
		}
		// The same browser twice is a double click.
		b.submit(code).want(t, http.StatusSeeOther, "/account")
		b.submit(wrong(code)).want(t, http.StatusGone, "")
		if !b.in() {
			t.Error("a repeated answer ended the session")
		}
	})
}

// Row 6.
func TestRow06_OneCodeRedeemedByManyAtOnceOpensOneSession(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		for _, n := range []int{20, 200} {
			b := s.browser(t)
			code := b.ask(anID()).code()
			var mu sync.Mutex
			sessions := map[string]bool{}
			together(n, func(int) {
				a, cookies, err := b.try(http.MethodPost, "/login/code", formKind, strings.NewReader(form("auth_code", code)), nil)
				if err != nil || a.status != http.StatusSeeOther && a.status != http.StatusGone {
					t.Errorf("answered %d, %v", a.status, err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, c := range cookies {
					if c.Name == "djauthy" && c.Value != "" {
						sessions[c.Value] = true
					}
				}
			})
			if len(sessions) != 1 {
				t.Errorf("%d clients with one code opened %d sessions, want 1", n, len(sessions))
			}
		}
	})
}

// Row 7.
func TestRow07_ACodeWorksOnlyForItsIDAndInTheBrowserThatAsked(t *testing.T) {
	t.Parallel()
	s := shared(t)
	a, b, victim := s.browser(t), s.browser(t), anID()
	code := a.ask(victim).code()
	b.ask(anID())
	b.submit(code).want(t, http.StatusUnprocessableEntity, "")
	if b.in() {
		t.Fatal("the code of another id opened a session")
	}
	// Asked for by both, each has its own.
	c := s.browser(t)
	c.ask(victim)
	c.submit(code).want(t, http.StatusUnprocessableEntity, "")
	s.browser(t).submit(code).want(t, http.StatusGone, "")
	a.submit(code).want(t, http.StatusSeeOther, "/account")
}

// Row 8.
func TestRow08_AUsedCodeVoidsEveryOtherOpenCodeOfTheAccount(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, other, id := s.browser(t), s.browser(t), anID()
		first := b.ask(id).code()
		elsewhere := other.ask(id)
		s.clock.advance(31 * time.Second)
		b.post("/login/resend").want(t, http.StatusSeeOther, "/login/code")
		second := s.mail.next(t, id).code()
		before := b.clone()
		b.submit(second).want(t, http.StatusSeeOther, "/account")
		before.submit(first).want(t, http.StatusGone, "")
		other.submit(elsewhere.code()).want(t, http.StatusGone, "")
		other.get(elsewhere.link()).want(t, http.StatusSeeOther, "/login/link")
		other.get("/login/link").want(t, http.StatusGone, "")
		other.post("/login/link").want(t, http.StatusGone, "")
		if before.in() || other.in() {
			t.Fatal("an older code opened a session after a newer one")
		}
	})
}

func TestThreeCodesOfAnAttemptLiveTogetherAndTheFourthReplacesTheOldest(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_LIMITS_SEND_PER_ID_PREFIX=9/15m", "DJAUTHY_LIMITS_SEND_PER_ID=9/15m")
	for pick := range 4 {
		b, id := s.browser(t), anID()
		codes := []string{b.ask(id).code()}
		b.post("/login/resend").want(t, http.StatusTooManyRequests, "")
		for range 3 {
			s.clock.advance(30 * time.Second)
			if len(codes) == 1 { // asking in the box goes on with it, too
				codes = append(codes, b.ask(id).code())
				continue
			}
			b.post("/login/resend").want(t, http.StatusSeeOther, "/login/code")
			codes = append(codes, s.mail.next(t, id).code())
		}
		if pick == 0 {
			b.submit(codes[0]).want(t, http.StatusUnprocessableEntity, "")
			continue
		}
		b.submit(codes[pick]).want(t, http.StatusSeeOther, "/account")
	}
}

// Row 9.
func TestRow09_ACodeLivesTenMinutes(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.browser(t), anID()
		code := b.ask(id).code()
		s.clock.advance(10*time.Minute + 5*time.Second)
		b.submit(code).want(t, http.StatusGone, "")
		b.get("/login/code").want(t, http.StatusGone, "")
		if b.in() {
			t.Fatal("an expired code opened a session")
		}
		b = s.browser(t)
		l := b.ask(id)
		s.clock.advance(9*time.Minute + 50*time.Second)
		b.submit(l.code()).want(t, http.StatusSeeOther, "/account")
	})
}

func TestExpiryTimeEmailSaysHowLongACodeLives(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_EXPIRY_TIME_EMAIL=90")
	b, c := s.browser(t), s.browser(t)
	one, two := b.ask(anID()), c.ask(anID())
	s.clock.advance(85 * time.Second)
	b.submit(one.code()).want(t, http.StatusSeeOther, "/account")
	s.clock.advance(6 * time.Second)
	c.submit(two.code()).want(t, http.StatusGone, "")
}

// Row 10.
func TestRow10_TwoThousandCodesAreSpreadEvenly(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const n, workers = 2000, 8
	var mu sync.Mutex
	digits, all := [6][10]int{}, map[string]int{}
	together(workers, func(int) {
		var b *browser
		for i := range n / workers {
			if i%25 == 0 {
				b = s.browser(t)
			}
			id := anID()
			if _, _, err := b.try(http.MethodPost, "/login", formKind, strings.NewReader(form("id", id)), nil); err != nil {
				t.Error(err)
				return
			}
			l, err := s.mail.take(id)
			code := l.code()
			if err != nil || !sixDigits.MatchString(code) {
				t.Errorf("the code is %q, %v", code, err)
				return
			}
			mu.Lock()
			all[code]++
			for place, d := range code {
				digits[place][d-'0']++
			}
			mu.Unlock()
		}
	})
	if t.Failed() {
		return
	}
	for place, counts := range digits {
		chi := 0.0
		for _, c := range counts {
			d := float64(c) - n/10
			chi += d * d / (n / 10)
		}
		// Nine degrees of freedom: above 40 by chance once in 130,000.
		if chi > 40 {
			t.Errorf("digit %d: chi-square %.1f over %v", place+1, chi, counts)
		}
		t.Logf("digit %d: chi-square %.1f", place+1, chi)
	}
	// Of 2,000 out of a million about two pairs meet.
	if len(all) < n-15 {
		t.Errorf("only %d of %d codes differ", len(all), n)
	}
}
