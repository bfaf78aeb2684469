package boundkey

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/seal"
)

// What a stamp is for. One for another purpose is worth nothing.
const (
	purposeRegister = "register"
	purposeRefresh  = "refresh"
	purposeCookie   = "cookie"
)

// stamp says that this house said something for a session at a time: the time in unix
// milliseconds to the base 36, a dot, and a MAC. Nothing is stored for it, so that asking for
// challenges fills no table. Two stamps of one millisecond are the same, which is no weakness:
// Refresh accepts no second proof from either.
func (b *Binder) stamp(purpose, session string, at time.Time) string {
	ms := strconv.FormatInt(at.UnixMilli(), 36)
	return ms + "." + base64.RawURLEncoding.EncodeToString(b.mac.Sum([]byte(purpose), []byte(session), []byte(ms)))
}

// read returns when a stamp was made, if it is one, for this purpose and session, and made at
// most life ago. Processes with clocks of their own make stamps, so one of the future is
// accepted as far ahead, and none further.
func (b *Binder) read(purpose, session, stamp string, now time.Time, life time.Duration) (at time.Time, ok bool) {
	text, _, _ := strings.Cut(stamp, ".")
	ms, err := strconv.ParseInt(text, 36, 64)
	if err != nil {
		return time.Time{}, false
	}
	at = time.UnixMilli(ms).UTC()
	if !seal.Equal([]byte(b.stamp(purpose, session, at)), []byte(stamp)) {
		return time.Time{}, false
	}
	return at, at.After(now.Add(-life)) && at.Before(now.Add(life))
}

// believable is last, or zero if it is so far ahead that it comes from a wrong clock: no
// session waits for that time to come.
func believable(last, now time.Time) time.Time {
	if last.After(now.Add(ChallengeLife)) {
		return time.Time{}
	}
	return last
}
