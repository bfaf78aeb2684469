package main

import (
	"errors"
	"fmt"
)

// sizes are how long djauthy's pages and messages are, in bytes. The
// stand-in's are made as long, so that moving them costs both the same.
type sizes struct{ login, code, letter int }

func (s sizes) String() string { return fmt.Sprintf("%d,%d,%d", s.login, s.code, s.letter) }

func parseSizes(text string) (s sizes, err error) {
	_, err = fmt.Sscanf(text, "%d,%d,%d", &s.login, &s.code, &s.letter)
	return s, err
}

// measureSizes signs in once and looks at what came.
func (b *bench) measureSizes() error {
	s, err := b.startFresh(b.djauthy())
	if err != nil {
		return err
	}
	br, err := newBrowser(s.addr, b.sink)
	if err != nil {
		return errors.Join(err, s.stop())
	}
	defer br.close()
	if _, err := br.signIn(freshAddress()); err != nil {
		return errors.Join(fmt.Errorf("first sign-in at djauthy: %w; it said: %s", err, s.words()), s.stop())
	}
	b.sink.mu.Lock()
	b.sizes = sizes{br.pages["/login"], br.pages["/login/code"], b.sink.length}
	b.sink.mu.Unlock()
	return s.stop()
}
