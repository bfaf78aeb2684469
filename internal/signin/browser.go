package signin

import (
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
	browserIDSize = 16
	tagSize       = 8
	maxKnown      = 24
)

// Browser is one browser, identified by a sealed cookie that outlives sessions. The cookie
// holds tags of the ids with which the browser has signed in; the server stores nothing.
type Browser struct {
	ID   [browserIDSize]byte
	tags [][tagSize]byte
}

// ReadBrowser opens a browser cookie. Without a valid one the browser is new.
func (s *Service) ReadBrowser(cookie string) (b Browser, isNew bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err == nil && cookie != "" {
		if opened, err := s.browser.Open(sealed, nil); err == nil && len(opened) >= browserIDSize {
			copy(b.ID[:], opened)
			for tag := range slices.Chunk(opened[browserIDSize:], tagSize) {
				b.tags = append(b.tags, [tagSize]byte(tag))
			}
			return b, false
		}
	}
	copy(b.ID[:], seal.Random(browserIDSize))
	return b, true
}

// Cookie returns the value of the browser's cookie.
func (s *Service) Cookie(b Browser) string {
	value := slices.Clone(b.ID[:])
	for _, t := range b.tags {
		value = append(value, t[:]...)
	}
	return base64.RawURLEncoding.EncodeToString(s.browser.Seal(value, nil))
}

// tag is the MAC of an id under the browser's own id: it identifies the id in this
// browser's cookie and means nothing in another's.
func (s *Service) tag(b Browser, id accounts.ID) [tagSize]byte {
	return [tagSize]byte(s.known.Sum(b.ID[:], []byte(id.Implementation), []byte(id.Identifier))[:tagSize])
}

// knows reports whether the browser has signed in with id before.
func (s *Service) knows(b Browser, id accounts.ID) bool { return s.lastKnown(b, id) >= 0 }

// trusts reports whether the browser has signed in as the user since trust in browsers ended
// last (accounts.ForgetBrowsers). One that knows an id may be that of a former owner.
func (s *Service) trusts(b Browser, user accounts.UserID, epoch int64) bool {
	return s.knows(b, asUser(user, epoch))
}

// asUser stands, in a browser's cookie, for a user as whom the browser has signed in.
func asUser(user accounts.UserID, epoch int64) accounts.ID {
	return accounts.ID{Implementation: "user", Identifier: fmt.Sprint(int64(user), " ", epoch)}
}

// lastKnown is how many ids the browser has signed in with since it did with id, or -1.
func (s *Service) lastKnown(b Browser, id accounts.ID) int {
	if len(b.tags) == 0 {
		return -1
	}
	return slices.Index(b.tags, s.tag(b, id))
}

// Chooses returns the browser's cookie after a way was chosen for what was typed.
func (s *Service) Chooses(b Browser, w Way) string {
	return s.Cookie(s.remember(b, chosen(w.Name(), w.Address)))
}

// remember returns the browser with the tag of id in front.
func (s *Service) remember(b Browser, id accounts.ID) Browser {
	tag := s.tag(b, id)
	rest := slices.DeleteFunc(slices.Clone(b.tags), func(t [tagSize]byte) bool { return t == tag })
	b.tags = append([][tagSize]byte{tag}, rest[:min(len(rest), maxKnown-1)]...)
	return b
}
