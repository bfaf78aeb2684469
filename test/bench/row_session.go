package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// sessionAtMost is this project's limit for a session check: times the CPU of
// one indexed read and join behind Fiber.
const sessionAtMost = 1.8

// checkers is how many kept connections ask at once.
const checkers = 64

// sessionsPerServer is how many sessions are asked for by turns, so that not
// one row alone is warm.
const sessionsPerServer = 512

// sessionRow is GET /forward-auth with a session cookie.
func sessionRow(b *bench) (*result, error) {
	return b.withPair(func(p *pair) (*result, error) {
		requests := map[*server][]string{}
		for _, s := range []*server{p.djauthy, p.standin} {
			cookies, err := b.sessions(s, sessionsPerServer, freshAddress)
			if err != nil {
				return nil, err
			}
			requests[s] = checks(s, "", cookies)
		}
		w, err := b.compare("session check, GET /forward-auth (stand-in: Fiber with one indexed read and join)", p, b.asks(requests))
		w.AtMost = sessionAtMost
		if err != nil {
			return nil, err
		}
		beside, err := b.compare("the same, "+besideCommits, p, b.whileOthersCommit(b.asks(requests)))
		return &result{Works: []work{w, beside}}, err
	})
}

// smallestRow is the smallest answer there is: what the way through the HTTP
// library and the headers of every answer cost.
func smallestRow(b *bench) (*result, error) {
	return b.withPair(func(p *pair) (*result, error) {
		w, err := b.compare("smallest answer, GET /healthz (stand-in: bare Fiber reply)", p, b.asks(map[*server][]string{
			p.djauthy: {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"},
			p.standin: {"GET /bare HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		}))
		return &result{Works: []work{w}}, err
	})
}

// asks is the load of many connections that make each server's requests.
func (b *bench) asks(requests map[*server][]string) load {
	return func(s *server) (*outcome, error) {
		return closedLoop(b.ctx, checkers, b.part, asker(s, requests[s]))
	}
}

// sessions signs people in and returns n of their cookies.
func (b *bench) sessions(s *server, n int, next func() string) ([]string, error) {
	const browsers = 16
	cookies := make([]string, n)
	errs := make([]error, browsers)
	var wg sync.WaitGroup
	for i := range browsers {
		wg.Go(func() {
			br, err := newBrowser(s.addr, b.sink)
			if err != nil {
				errs[i] = err
				return
			}
			defer br.close()
			for j := i; j < n && errs[i] == nil && b.ctx.Err() == nil; j += browsers {
				cookies[j], errs[i] = br.signIn(next())
			}
		})
	}
	wg.Wait()
	if err := errors.Join(append(errs, b.ctx.Err())...); err != nil {
		return nil, fmt.Errorf("sign in for sessions: %w", err)
	}
	return cookies, nil
}

// checks are the requests of an app's reverse proxy.
func checks(s *server, query string, cookies []string) []string {
	requests := make([]string, len(cookies))
	for i, c := range cookies {
		requests[i] = "GET /forward-auth" + query + " HTTP/1.1\r\nHost: " + s.addr + "\r\nCookie: " + c + "\r\n\r\n"
	}
	return requests
}

// asker opens connections that make the requests by turns and want 200.
func asker(s *server, requests []string) func() (*worker, error) {
	texts := make([][]byte, len(requests))
	for i, r := range requests {
		texts[i] = []byte(r)
	}
	var opened atomic.Int64
	return func() (*worker, error) {
		c, err := dial(s.addr)
		if err != nil {
			return nil, err
		}
		// Each connection begins elsewhere in the list.
		next := int(opened.Add(1)) * len(texts) / checkers
		var a answer
		return &worker{close: c.close, do: func() error {
			next++
			if err := c.do(texts[next%len(texts)], &a); err != nil {
				return err
			}
			if a.status != 200 {
				return fmt.Errorf("status %d instead of 200", a.status)
			}
			return nil
		}}, nil
	}
}
