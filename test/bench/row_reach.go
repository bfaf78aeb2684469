package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// channelsRow is whole sign-ins by the channels beside mail, by turns with mailed ones at the
// same server.
func channelsRow(b *bench) (r *result, err error) {
	hook, err := openHook(b.sink)
	if err != nil {
		return nil, err
	}
	defer func() { _ = hook.Close() }()
	jabber, err := openJabber(b.sink, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = jabber.Close() }()
	s, err := b.startFresh(b.djauthy(), append(jabber.settings(), "DJAUTHY_HOOK_0_NAME=bench", "DJAUTHY_HOOK_0_URL="+hook.url,
		`DJAUTHY_HOOK_0_BODY={"to": "{{.To}}", "code": "{{.Code}}"}`)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	ways := []struct{ name, prefix, host string }{{"mail", "", "@people.example"}, {"Jabber", "xmpp:", "@people.example"}, {"a web hook", "bench:", ""}}
	samples := make([][]sample, len(ways))
	for range b.rounds {
		for i, way := range ways {
			m, err := sampleOf(s, func(s *server) (*outcome, error) {
				return closedLoop(b.ctx, 64, b.part, b.signInByWorker(s, way.prefix, way.host))
			})
			if err != nil {
				return nil, fmt.Errorf("by %s: %w", way.name, err)
			}
			samples[i] = append(samples[i], m)
		}
	}
	r = &result{}
	mailed := median(samples[0])
	for i, way := range ways {
		m := median(samples[i])
		r.Works = append(r.Works, work{Name: "whole sign-in by " + way.name + ", 64 browsers, one server", Djauthy: m})
		if i > 0 {
			r.Figures = append(r.Figures, figure{Name: "CPU of a sign-in by " + way.name, Unit: "ms", Djauthy: m.CPU, Beside: mailed.CPU, Against: "by mail"})
		}
	}
	return r, nil
}

// signInByWorker opens browsers that sign new people in by a channel.
func (b *bench) signInByWorker(s *server, prefix, host string) func() (*worker, error) {
	return func() (*worker, error) {
		br, err := newBrowser(s.addr, b.sink)
		if err != nil {
			return nil, err
		}
		return &worker{close: br.close, do: func() error {
			address := "p" + strconv.FormatUint(rand.Uint64(), 36) + host
			_, err := br.signInBy(prefix+address, address)
			return err
		}}, nil
	}
}

// Load of the row of discovery: other people's sign-ins a second, and ids a second whose host
// is asked.
const (
	othersRate   = 300
	discoverRate = 10
	// discoverAtMost is the limit of the p99 during discovery, as a multiple of that without.
	discoverAtMost = 1.1
)

// discoverRow is how long other people wait while ids are discovered whose host answers late.
func discoverRow(b *bench) (r *result, err error) {
	s, err := b.startFresh(b.djauthy(), "DJAUTHY_FETCH_ALLOW=127.0.0.0/8", "DJAUTHY_LIMITS_FETCH_PER_IP=1000000000/15m")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	delays := []time.Duration{-1, 0, 50 * time.Millisecond, 5 * time.Second} // -1: nobody asks
	samples := make([][]sample, len(delays))
	if _, err := b.signInsDuringDiscovery(s, -1); err != nil { // a warm-up
		return nil, err
	}
	for range b.rounds {
		for i, after := range delays {
			m, err := b.signInsDuringDiscovery(s, after)
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], m)
		}
	}
	r = &result{}
	without := median(samples[0])
	r.Works = []work{{Name: fmt.Sprintf("sign-in, %d arrivals a second, nobody's id is discovered", othersRate), Djauthy: without}}
	for i, after := range delays[1:] {
		m := median(samples[i+1])
		name := fmt.Sprintf("while %d ids a second are discovered whose host answers in %s ms", discoverRate, count(int(after.Milliseconds())))
		r.Works = append(r.Works, work{Name: "the same " + name, Djauthy: m})
		r.Figures = append(r.Figures, figure{Name: "sign-in p99 " + name, Unit: "ms", Djauthy: m.P99, Beside: without.P99, Against: "without", AtMost: discoverAtMost * without.P99})
	}
	return r, nil
}

// signInsDuringDiscovery is other people's sign-ins while ids are discovered whose host answers after a time.
func (b *bench) signInsDuringDiscovery(s *server, after time.Duration) (m sample, err error) {
	if after < 0 {
		return sampleOf(s, b.arrivingSignIns())
	}
	host, err := openHost(after)
	if err != nil {
		return m, err
	}
	defer func() { _ = host.Close() }()
	done := make(chan struct{})
	var asked *outcome
	var askedErr error
	var all sync.WaitGroup
	all.Go(func() {
		asked, askedErr = openLoop(b.ctx, checkers, discoverRate, b.part+time.Second, done, func() (*worker, error) {
			br, err := newBrowser(s.addr, b.sink)
			if err != nil {
				return nil, err
			}
			return &worker{close: br.close, do: func() error { return br.expectNoProvider(host.id) }}, nil
		})
	})
	time.Sleep(time.Second) // until requests are under way
	m, err = sampleOf(s, b.arrivingSignIns())
	close(done)
	all.Wait()
	if askedErr == nil && asked.failed > 0 {
		askedErr = asked.firstErr
	}
	return m, errors.Join(err, askedErr)
}

func (b *bench) arrivingSignIns() load {
	return func(s *server) (*outcome, error) {
		return openLoop(b.ctx, checkers, othersRate, b.part, nil, b.signInWorker(s, freshAddress, nil))
	}
}

// expectNoProvider asks to sign in with an id whose host knows no provider. All come from one
// network, so that those who find its slots taken are told to wait.
func (b *browser) expectNoProvider(id string) error {
	clear(b.cookies)
	err := b.want(422, "", "POST", "/login", "id="+url.QueryEscape(id+strconv.FormatUint(rand.Uint64(), 36)))
	if b.answer.status == 429 {
		return nil
	}
	return err
}

// jabberMemoryRow is the memory while 200 messages by Jabber are under way: the server takes them
// and does not answer.
func jabberMemoryRow(b *bench) (r *result, err error) {
	const messages = 200
	jabber, err := openJabber(b.sink, true)
	if err != nil {
		return nil, err
	}
	defer func() { _ = jabber.Close() }()
	s, err := b.startFresh(b.djauthy(), jabber.settings()...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	br, err := newBrowser(s.addr, b.sink)
	if err != nil {
		return nil, err
	}
	defer br.close()
	held, err := highest(s, func() error {
		for range messages {
			clear(br.cookies)
			if err := br.want(303, "/login/code", "POST", "/login", "id=xmpp:"+freshAddress()); err != nil {
				return err
			}
		}
		time.Sleep(8 * time.Second) // after five seconds a slow job makes room for the next one (outbox/slots.go)
		return nil
	})
	b.say("  %d messages are at the Jabber server", jabber.taken.Load())
	return &result{Figures: []figure{{Name: "memory (PSS), 200 messages by Jabber under way", Unit: "MiB", Djauthy: held}}}, err
}
