package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

// A limit that leaves out what makes a sign-in safe would be none.
func TestTheStandInRefusesForgedPasskeys(t *testing.T) {
	br := visitStandin(t)
	key, err := br.addPasskey()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := br.signInByPasskey(key); err != nil {
			t.Fatal(err)
		}
	}
	for name, forge := range map[string]func(r *passkeytest.Response){
		"another key":      passkeytest.Stranger(t),
		"an old counter":   func(r *passkeytest.Response) { r.Counter = 1 },
		"another page":     func(r *passkeytest.Response) { r.Origin = "http://elsewhere.example" },
		"another site":     func(r *passkeytest.Response) { r.RPID = "elsewhere.example" },
		"another purpose":  func(r *passkeytest.Response) { r.Type = "webauthn.create" },
		"a made challenge": func(r *passkeytest.Response) { r.Challenge = make([]byte, 32) },
	} {
		key.Forge = forge
		if err := br.signInByPasskey(key); err == nil {
			t.Errorf("%s signs in", name)
		}
	}
}

// visitStandin is a browser at a stand-in without mail, with the cookie of a session.
func visitStandin(t *testing.T) *browser {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	addr, err := freeAddr()
	check(err)
	file := filepath.Join(t.TempDir(), "standin.db")
	s := &standin{key: random(32), origin: originAt(addr)}
	s.store, err = openStore(file)
	check(err)
	s.passkeys, err = openPasskeys(file, s.store)
	check(err)
	id := s.store.nextID()
	check(s.store.writer.do(func() error {
		if _, err := s.store.user.Exec(id, "somebody@people.example", "somebody"); err != nil {
			return err
		}
		_, err := s.store.sess.Exec(id, random(32), id, time.Now().Add(time.Hour).UnixMilli())
		return err
	}))
	app := s.app(makePages(sizes{3000, 4000, 4000}))
	go func() { _ = app.Listen(addr) }() // until the test ends
	t.Cleanup(func() { _ = app.Shutdown() })
	var br *browser
	for deadline := time.Now().Add(10 * time.Second); br == nil; {
		if br, err = newBrowser(addr, nil); time.Now().After(deadline) {
			check(err)
		}
	}
	t.Cleanup(br.close)
	br.cookies["djauthy"] = fmt.Sprint(id, ".AA")
	return br
}
