package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

// passkeyBrowsers sign in at once, each with a passkey of its own.
const passkeyBrowsers = 64

// passkeyRow is sign-ins by passkey, with the bare check of a signature beside.
func passkeyRow(b *bench) (*result, error) {
	return b.withPair(func(p *pair) (*result, error) {
		keys := map[*server][]*passkeytest.Key{}
		for _, s := range []*server{p.djauthy, p.standin} {
			var err error
			if keys[s], err = b.enrollKeys(s, passkeyBrowsers); err != nil {
				return nil, fmt.Errorf("%s: enroll passkeys: %w", s.name, err)
			}
		}
		var checks []float64
		for range b.rounds {
			var ns float64
			if err := b.alone("ecdsa", &ns); err != nil {
				return nil, err
			}
			checks = append(checks, ns)
		}
		w, err := b.compare("sign-in by passkey, "+many(passkeyBrowsers, "browser")+" (stand-in: one ECDSA check, one indexed read, one durable commit)", p, func(s *server) (*outcome, error) {
			return closedLoop(b.ctx, passkeyBrowsers, b.part, b.passkeyWorker(s, keys[s]))
		})
		return &result{Works: []work{w}, Figures: []figure{{
			Name: "CPU of a sign-in by passkey, and of the ECDSA P-256 check in it alone", Unit: "ms", Djauthy: w.Djauthy.CPU, Beside: middle(checks) / 1e6, Against: "for the check",
		}}}, err
	})
}

// enrollKeys makes people with a passkey each.
func (b *bench) enrollKeys(s *server, n int) (keys []*passkeytest.Key, err error) {
	br, err := newBrowser(s.addr, b.sink)
	if err != nil {
		return nil, err
	}
	defer br.close()
	for range n {
		if _, err := br.signIn(freshAddress()); err != nil {
			return nil, err
		}
		key, err := br.addPasskey()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// passkeyWorker opens browsers that sign in again and again, each by one of the keys.
func (b *bench) passkeyWorker(s *server, keys []*passkeytest.Key) func() (*worker, error) {
	opened := 0
	return func() (*worker, error) {
		br, err := newBrowser(s.addr, b.sink)
		if err != nil {
			return nil, err
		}
		key := keys[opened]
		opened++
		return &worker{close: br.close, do: func() error { return br.signInByPasskey(key) }}, nil
	}
}

// runECDSA measures the bare check of a signature, and prints its CPU in ns.
func runECDSA(args []string) error {
	flags := flag.NewFlagSet("ecdsa", flag.ContinueOnError)
	_ = flags.String("dir", "", "not used")
	seconds := flags.Float64("seconds", 1, "how long")
	if err := flags.Parse(args); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("signed"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return err
	}
	ns, err := cpuOf(time.Duration(*seconds*float64(time.Second)), func(int) error {
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], signature) {
			return errors.New("a good signature was refused")
		}
		return nil
	})
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(ns))
}
