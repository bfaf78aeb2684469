package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"

	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

// keyHolder stands for the test that a passkeytest.Key belongs to: what a browser would refuse is
// an error.
type keyHolder struct{}

func (keyHolder) Helper()                   {}
func (keyHolder) Fatal(args ...any)         { panic(keyRefused(fmt.Sprint(args...))) }
func (keyHolder) Fatalf(f string, a ...any) { panic(keyRefused(fmt.Sprintf(f, a...))) }

type keyRefused string

// touch has a key answer, as when its owner touches it.
func touch(use func() []byte) (response []byte, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case keyRefused:
			err = errors.New(string(p))
		default:
			panic(p)
		}
	}()
	return use(), nil
}

// ceremony is what a server hands to the page's script.
type ceremony struct {
	Options json.RawMessage `json:"options"`
	Kept    string          `json:"kept"`
}

// form is what the page sends back.
func (c ceremony) form(response []byte) string {
	return "kept=" + url.QueryEscape(c.Kept) + "&response=" + url.QueryEscape(string(response))
}

func (b *browser) origin() string { return "http://" + b.host }

// passkeyForm finds the ceremony in the page of factors.
var passkeyForm = regexp.MustCompile(`(?s)data-passkey="create" data-options="([^"]*)".*?name="kept" value="([^"]*)"`)

// addPasskey makes a key and adds it to the account of who is signed in.
func (b *browser) addPasskey() (*passkeytest.Key, error) {
	page, err := b.read("navigate", "/account/factors")
	if err != nil {
		return nil, err
	}
	found := passkeyForm.FindSubmatch(page)
	if found == nil {
		return nil, errors.New("the page of factors offers to add no passkey")
	}
	c := ceremony{Options: []byte(html.UnescapeString(string(found[1]))), Kept: html.UnescapeString(string(found[2]))}
	var key *passkeytest.Key
	response, err := touch(func() []byte {
		key = passkeytest.New(keyHolder{})
		return key.Create(b.origin(), c.Options)
	})
	if err != nil {
		return nil, err
	}
	return key, b.want(303, "/account/factors?done=passkey", "POST", "/account/factors/passkey", c.form(response))
}

// signInByPasskey walks the whole way of a browser that was never here: the page, the challenge
// that its script fetches, and the key's answer.
func (b *browser) signInByPasskey(key *passkeytest.Key) error {
	clear(b.cookies)
	if err := b.want(200, "", "GET", "/login", ""); err != nil {
		return err
	}
	text, err := b.read("cors", "/login/passkey")
	if err != nil {
		return err
	}
	var c ceremony
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("read the challenge: %w", err)
	}
	response, err := touch(func() []byte { return key.Get(b.origin(), c.Options) })
	if err != nil {
		return err
	}
	if err := b.want(303, "", "POST", "/login/passkey", c.form(response)); err != nil {
		return err
	}
	if b.cookies["djauthy"] == "" {
		return errors.New("signed in, but no session cookie")
	}
	return nil
}
