// Package browser owns what a browser keeps of the people who have signed in with it: a
// sealed cookie with tags of their ids. The server stores nothing of it.
package browser

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

// Count is how many ids the browser remembers.
func (b Browser) Count() int { return len(b.tags) }

// Cookies opens and seals the cookies of browsers.
type Cookies struct {
	box *seal.Box
	mac *seal.MAC
}

// New returns Cookies; its keys are derived from keys.
func New(keys *seal.Keys) Cookies {
	return Cookies{box: keys.Box("browser"), mac: keys.MAC("browser knows")}
}

// Read opens a browser's cookie. Without a valid one the browser is new.
func (c Cookies) Read(cookie string) (b Browser, isNew bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err == nil && cookie != "" {
		if opened, err := c.box.Open(sealed, nil); err == nil && len(opened) >= browserIDSize {
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

// Cookie returns the value of a browser's cookie.
func (c Cookies) Cookie(b Browser) string {
	value := slices.Clone(b.ID[:])
	for _, t := range b.tags {
		value = append(value, t[:]...)
	}
	return base64.RawURLEncoding.EncodeToString(c.box.Seal(value, nil))
}

// tag is the MAC of an id under the browser's own id: it identifies the id in this
// browser's cookie and means nothing in another's.
func (c Cookies) tag(b Browser, id accounts.ID) [tagSize]byte {
	return [tagSize]byte(c.mac.Sum(b.ID[:], []byte(id.Implementation), []byte(id.Identifier))[:tagSize])
}

// Knows reports whether the browser has signed in with id before.
func (c Cookies) Knows(b Browser, id accounts.ID) bool { return c.LastKnown(b, id) >= 0 }

// Trusts reports whether the browser has signed in as the user since trust in browsers ended
// last (accounts.ForgetBrowsers). One that knows an id may be that of a former owner.
func (c Cookies) Trusts(b Browser, user accounts.UserID, epoch int64) bool {
	return c.Knows(b, AsUser(user, epoch))
}

// AsUser stands, in a browser's cookie, for a user as whom the browser has signed in.
func AsUser(user accounts.UserID, epoch int64) accounts.ID {
	return accounts.ID{Implementation: "user", Identifier: fmt.Sprint(int64(user), " ", epoch)}
}

// LastKnown is how many ids the browser has signed in with since it did with id, or -1.
func (c Cookies) LastKnown(b Browser, id accounts.ID) int {
	if len(b.tags) == 0 {
		return -1
	}
	return slices.Index(b.tags, c.tag(b, id))
}

// Remember returns the browser with the tag of id in front.
func (c Cookies) Remember(b Browser, id accounts.ID) Browser {
	tag := c.tag(b, id)
	rest := slices.DeleteFunc(slices.Clone(b.tags), func(t [tagSize]byte) bool { return t == tag })
	b.tags = append([][tagSize]byte{tag}, rest[:min(len(rest), maxKnown-1)]...)
	return b
}
