package signin

import (
	"encoding/base64"
	"slices"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
	browserIDSize = 16
	tagSize       = 8
	maxKnown      = 16
)

// Browser is one browser, known by a sealed cookie that survives signing out.
// It remembers with which ids it has signed in; the server keeps nothing of it.
type Browser struct {
	ID   [browserIDSize]byte
	tags [][tagSize]byte
}

// ReadBrowser opens a browser cookie. Without a good one the browser is new.
func (s *Service) ReadBrowser(cookie string) (b Browser, isNew bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err == nil && cookie != "" {
		if plain, err := s.browser.Open(sealed, nil); err == nil && len(plain) >= browserIDSize {
			copy(b.ID[:], plain)
			for tag := range slices.Chunk(plain[browserIDSize:], tagSize) {
				b.tags = append(b.tags, [tagSize]byte(tag))
			}
			return b, false
		}
	}
	copy(b.ID[:], seal.Random(browserIDSize))
	return b, true
}

// Cookie is the browser's cookie.
func (s *Service) Cookie(b Browser) string {
	plain := slices.Clone(b.ID[:])
	for _, t := range b.tags {
		plain = append(plain, t[:]...)
	}
	return base64.RawURLEncoding.EncodeToString(s.browser.Seal(plain, nil))
}

// tag stands for an id in this browser's cookie, and for nothing in another's.
func (s *Service) tag(b Browser, id accounts.ID) [tagSize]byte {
	return [tagSize]byte(s.known.Sum(b.ID[:], []byte(id.Implementation), []byte(id.Identifier))[:tagSize])
}

// knows reports whether the browser has signed in with id before.
func (s *Service) knows(b Browser, id accounts.ID) bool {
	return len(b.tags) > 0 && slices.Contains(b.tags, s.tag(b, id))
}

// learn returns the browser after a sign-in with id, the latest first.
func (s *Service) learn(b Browser, id accounts.ID) Browser {
	tag := s.tag(b, id)
	rest := slices.DeleteFunc(slices.Clone(b.tags), func(t [tagSize]byte) bool { return t == tag })
	b.tags = append([][tagSize]byte{tag}, rest[:min(len(rest), maxKnown-1)]...)
	return b
}
