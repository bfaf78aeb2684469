package multifactor

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// Set is the codes of one attempt, up to Slots, oldest first, as they are stored in its
// row. The zero set is empty. Without the secret key or the link it reveals no code.
//
// Each code is one byte for its form; three numbers of eight bytes, most significant
// first: created and expires in unix milliseconds, and the generation; the MAC and the
// hash of the link's token of 32 bytes each; the length of what follows in one byte; and
// the text sealed under the link's token.
type Set []byte

const (
	hashSize  = 32
	fixedSize = 1 + 3*8 + 2*hashSize + 1
)

// stored is a code as it is stored.
type stored struct {
	long                  bool
	mac, linkHash, sealed []byte
	created, expires      time.Time
	generation            accounts.Generation
}

// alive reports whether a code has not expired. One created in the future, by a clock that
// was ahead, does not count: it would be valid for too long.
func (k stored) alive(now time.Time) bool {
	return now.Before(k.expires) && !k.created.After(now.Add(db.Skew))
}

func (s *Set) add(k stored) {
	rest := *s
	if ends := s.ends(); len(ends) >= Slots {
		rest = rest[ends[len(ends)-Slots]:]
	}
	set := make(Set, 0, len(rest)+fixedSize+len(k.sealed))
	set = append(set, rest...)
	set = append(set, byte(db.Int(k.long)))
	for _, n := range []int64{k.created.UnixMilli(), k.expires.UnixMilli(), int64(k.generation)} {
		set = binary.BigEndian.AppendUint64(set, uint64(n))
	}
	set = append(append(set, k.mac...), k.linkHash...)
	set = append(set, byte(len(k.sealed)))
	*s = append(set, k.sealed...)
}

// ends lists where each whole code ends.
func (s Set) ends() (ends []int) {
	for at := 0; at+fixedSize <= len(s); {
		at += fixedSize + int(s[at+fixedSize-1])
		if at > len(s) {
			break
		}
		ends = append(ends, at)
	}
	return ends
}

// codes decodes the set. It returns an error for a set that this package did not make.
func (s Set) codes() ([]stored, error) {
	ends := s.ends()
	if len(s) > 0 && (len(ends) == 0 || ends[len(ends)-1] != len(s)) {
		return nil, errors.New("the codes of an attempt cannot be read: the row is damaged")
	}
	all := make([]stored, 0, len(ends))
	from := 0
	for _, end := range ends {
		k := s[from:end]
		number := func(i int) int64 { return int64(binary.BigEndian.Uint64(k[1+8*i:])) }
		hashes := k[1+3*8:]
		all = append(all, stored{
			long: k[0] == 1, created: time.UnixMilli(number(0)).UTC(), expires: time.UnixMilli(number(1)).UTC(), generation: accounts.Generation(number(2)),
			mac: hashes[:hashSize], linkHash: hashes[hashSize : 2*hashSize], sealed: k[fixedSize:],
		})
		from = end
	}
	return all, nil
}

// ExpireForGood sets the time of expired codes to 0, so that a clock that is set back cannot
// revive them. It reports whether it changed any.
func (s Set) ExpireForGood(now time.Time) (changed bool) {
	from := 0
	for _, end := range s.ends() {
		expires := s[from+1+8 : from+1+2*8]
		if at := int64(binary.BigEndian.Uint64(expires)); at != 0 && at <= now.UnixMilli() {
			clear(expires)
			changed = true
		}
		from = end
	}
	return changed
}
