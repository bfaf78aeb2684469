package multifactor

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/totp"
)

// drift is how many steps the clock of an app may be off (RFC 6238 5.2).
const drift = 1

// NewApp is an authenticator app that is being set up. Nothing is stored until a code of it
// proves that it works.
type NewApp struct {
	Seed string // as people type it, 32 letters and digits
	URL  string // for the QR code: otpauth://totp/…
	// Kept is what has to come back along with the code, sealed.
	Kept []byte
}

// keptApp is what is sealed in NewApp.Kept.
type keptApp struct {
	Challenge db.ID
	Seed      string
	Expires   time.Time
}

// setupFor is how long somebody may take to set up an authenticator.
const setupFor = 30 * time.Minute

// BeginApp makes the seed of an app for a session. account is what the app calls it.
func (e *Enrolled) BeginApp(tx *db.Tx, session db.ID, account string) (NewApp, error) {
	seed := totp.NewSeed()
	text, err := json.Marshal(keptApp{tx.NewID(), seed, tx.Now.Add(setupFor)})
	if err != nil {
		return NewApp{}, err
	}
	return NewApp{Seed: seed, URL: e.appURL(seed, account), Kept: e.begun.Seal(text, appContext(session))}, nil
}

func appContext(session db.ID) []byte { return append([]byte("app of session "), db.Bytes(session)...) }

// appURL is what authenticator apps read from a QR code.
func (e *Enrolled) appURL(seed, account string) string {
	issuer := strings.ReplaceAll(e.site.Name, ":", " ")
	label := issuer + ":" + account
	query := "secret=" + seed + "&issuer=" + strings.ReplaceAll(url.QueryEscape(issuer), "+", "%20") + "&algorithm=SHA1&digits=6&period=30"
	return "otpauth://totp/" + url.PathEscape(label) + "?" + query
}

// AgainApp is the app that is being set up once more, for a page that shows what was wrong.
// ok is false if it has expired or is another session's.
func (e *Enrolled) AgainApp(tx *db.Tx, session db.ID, kept []byte, account string) (a NewApp, ok bool) {
	k, ok := e.openApp(tx, session, kept)
	return NewApp{Seed: k.Seed, URL: e.appURL(k.Seed, account), Kept: kept}, ok
}

func (e *Enrolled) openApp(tx *db.Tx, session db.ID, kept []byte) (k keptApp, ok bool) {
	text, err := e.begun.Open(kept, appContext(session))
	if err != nil || json.Unmarshal(text, &k) != nil {
		return k, false
	}
	return k, tx.Now.Before(k.Expires)
}

// EnrollApp stores an app whose code is right. The code is used up. A name is not needed; for
// what is none it returns ErrName.
func (e *Enrolled) EnrollApp(tx *db.Tx, user accounts.UserID, session db.ID, kept []byte, name, code string) (a Authenticator, v Verdict, err error) {
	k, ok := e.openApp(tx, session, kept)
	if !ok {
		return a, Expired, nil
	}
	if name != "" && !isName(name) {
		return a, Wrong, ErrName
	}
	seed, err := totp.ParseSeed(k.Seed)
	if err != nil {
		return a, Wrong, err
	}
	step, ok := totp.Match(seed, appCode(code), tx.Now, drift)
	if !ok {
		return a, Wrong, nil
	}
	first, err := claim(tx, k.Challenge)
	if err != nil || !first {
		return a, Spent, err
	}
	a = Authenticator{ID: tx.NewID(), User: user, Kind: TOTP, Name: name, Counter: step, LastUsed: tx.Now}
	a.sealed = e.apps.Seal([]byte(k.Seed), db.Bytes(a.ID))
	return a, Right, a.insert(tx)
}

// appCode is what was typed as the code of an app: digits, whatever stands between them.
func appCode(typed string) string { return Shape{Digits: true, Length: 6}.Find(typed) }

// checkApp compares a code with the user's apps. A step counts once.
func (e *Enrolled) checkApp(tx *db.Tx, all []Authenticator, typed string) (a Authenticator, v Verdict, err error) {
	code := appCode(typed)
	v = Wrong
	for _, x := range all {
		if x.Kind != TOTP || code == "" {
			continue
		}
		text, err := e.apps.Open(x.sealed, db.Bytes(x.ID))
		if err != nil {
			return a, Wrong, err
		}
		seed, err := totp.ParseSeed(string(text))
		if err != nil {
			return a, Wrong, err
		}
		step, ok := totp.Match(seed, code, tx.Now, drift)
		switch {
		case !ok:
		case step <= x.Counter:
			v = Spent
		default:
			first, err := x.used(tx, step)
			if err != nil || first {
				return x, Right, err
			}
			v = Spent
		}
	}
	return a, v, nil
}
