package multifactor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// Relying is this server as authenticators know it: the Relying Party of WebAuthn, and the
// issuer of an authenticator app.
type Relying struct {
	Name   string // shown to people
	ID     string // the domain that passkeys are bound to; "" for an address: then there are none
	Origin string // the only origin whose pages may use them
}

// Ceremony is a use of a passkey that a browser is about to make.
type Ceremony struct {
	// Options is what the page's script hands to the browser, as JSON: options of
	// navigator.credentials.create or get (WebAuthn 5.4, 5.5).
	Options []byte
	// Kept is what has to come back along with the browser's response, sealed.
	Kept []byte
}

// purpose is what a ceremony is for. The response to one counts for no other.
type purpose string

const (
	toEnroll purpose = "enroll"
	toProve  purpose = "prove" // a person who is signed in
	toEnter  purpose = "enter" // nobody knows who it is
)

// Asker is the browser that a ceremony is bound to, and the session in it, 0 for none.
type Asker struct {
	Browser []byte
	Session db.ID
}

// keptCeremony is what is sealed in Ceremony.Kept.
type keptCeremony struct {
	Challenge db.ID
	Data      webauthn.SessionData
	Expires   time.Time
}

func (a Asker) context(p purpose) []byte {
	return append(append([]byte("passkey to "+string(p)+" "), db.Bytes(a.Session)...), a.Browser...)
}

// HasPasskeys reports whether this server can have passkeys.
func (e *Enrolled) HasPasskeys() bool { return e.site.ID != "" }

// errNoPasskeys reports a server at an address, which WebAuthn refuses.
var errNoPasskeys = errors.New("passkeys need a public_url with a domain")

func (e *Enrolled) relying() (*webauthn.WebAuthn, error) {
	if !e.HasPasskeys() {
		return nil, errNoPasskeys
	}
	return webauthn.New(&webauthn.Config{
		RPID: e.site.ID, RPDisplayName: e.site.Name, RPOrigins: []string{e.site.Origin},
		AttestationPreference:  protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationPreferred},
	})
}

// person is a user as WebAuthn sees them.
type person struct {
	user        accounts.User
	shown       string
	credentials []webauthn.Credential
}

func (p person) WebAuthnID() []byte                         { return db.Bytes(db.ID(p.user.ID)) }
func (p person) WebAuthnName() string                       { return p.shown }
func (p person) WebAuthnDisplayName() string                { return firstOf(p.user.Name(), p.shown) }
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.credentials }

// Owner is the user of a passkey as authenticators show them.
type Owner struct{ Handle, Name, DisplayName string } // Handle: in base64url

// OwnerOf is the owner of a user's passkeys. shown is the address by which they know themselves.
func OwnerOf(u accounts.User, shown string) Owner {
	p := person{user: u, shown: shown}
	return Owner{base64.RawURLEncoding.EncodeToString(p.WebAuthnID()), p.WebAuthnName(), p.WebAuthnDisplayName()}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// person reads the passkeys of a user.
func (e *Enrolled) person(u accounts.User, shown string, all []Authenticator) (p person, err error) {
	p = person{user: u, shown: shown}
	for _, a := range all {
		if a.Kind != Passkey {
			continue
		}
		c, err := e.credential(a)
		if err != nil {
			return p, err
		}
		p.credentials = append(p.credentials, c)
	}
	return p, nil
}

func (e *Enrolled) credential(a Authenticator) (c webauthn.Credential, err error) {
	text, err := e.keys.Open(a.sealed, db.Bytes(a.ID))
	if err != nil {
		return c, fmt.Errorf("passkey %d: %w", a.ID, err)
	}
	return c, json.Unmarshal(text, &c)
}

// sealCredential puts a credential into its authenticator.
func (e *Enrolled) sealCredential(a *Authenticator, c *webauthn.Credential) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	a.sealed, a.credential, a.Counter = e.keys.Seal(text, db.Bytes(a.ID)), c.ID, int64(c.Authenticator.SignCount)
	a.CanVerify = a.CanVerify || c.Flags.UserVerified
	return nil
}

func (e *Enrolled) ceremony(tx *db.Tx, p purpose, by Asker, options any, data *webauthn.SessionData) (c Ceremony, err error) {
	if c.Options, err = json.Marshal(options); err != nil {
		return c, err
	}
	kept, err := json.Marshal(keptCeremony{tx.NewID(), *data, tx.Now.Add(setupFor)})
	c.Kept = e.begun.Seal(kept, by.context(p))
	return c, err
}

// reopen opens what was kept of a ceremony. ok is false if it has expired, or is another
// browser's, session's or purpose's.
func (e *Enrolled) reopen(tx *db.Tx, p purpose, by Asker, kept []byte) (k keptCeremony, ok bool) {
	text, err := e.begun.Open(kept, by.context(p))
	if err != nil || json.Unmarshal(text, &k) != nil {
		return k, false
	}
	return k, tx.Now.Before(k.Expires)
}

// BeginPasskey begins to enroll a passkey of a user. shown is the address by which they
// know themselves.
func (e *Enrolled) BeginPasskey(tx *db.Tx, by Asker, u accounts.User, shown string) (Ceremony, error) {
	site, err := e.relying()
	if err != nil {
		return Ceremony{}, err
	}
	all, err := Authenticators(tx, u.ID)
	if err != nil {
		return Ceremony{}, err
	}
	p, err := e.person(u, shown, all)
	if err != nil {
		return Ceremony{}, err
	}
	options, data, err := site.BeginRegistration(p, webauthn.WithExclusions(webauthn.Credentials(p.credentials).CredentialDescriptors()))
	if err != nil {
		return Ceremony{}, err
	}
	return e.ceremony(tx, toEnroll, by, options.Response, data)
}

// EnrollPasskey stores a passkey from the browser's response. Its name is that of its model if
// nothing else was given; for what is no name it returns ErrName. A response that is not right
// is Wrong, one that was used Spent.
func (e *Enrolled) EnrollPasskey(tx *db.Tx, by Asker, u accounts.User, kept, response []byte, name string) (a Authenticator, v Verdict, err error) {
	k, ok := e.reopen(tx, toEnroll, by, kept)
	if !ok {
		return a, Expired, nil
	}
	if name != "" && !isName(name) {
		return a, Wrong, ErrName
	}
	site, err := e.relying()
	if err != nil {
		return a, Wrong, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(bounded(response))
	if err != nil {
		return a, Wrong, nil //nolint:nilerr // what a browser sends is a verdict
	}
	c, err := site.CreateCredential(person{user: u}, k.Data, parsed)
	if err != nil {
		return a, Wrong, nil //nolint:nilerr // as above
	}
	first, err := claim(tx, k.Challenge)
	if err != nil || !first {
		return a, Spent, err
	}
	a = Authenticator{ID: tx.NewID(), User: u.ID, Kind: Passkey, Model: model(c.Authenticator.AAGUID), LastUsed: tx.Now}
	a.Name = firstOf(name, a.Model)
	if taken, err := taken(tx, c.ID); err != nil || taken {
		return a, Spent, err
	}
	if err := e.sealCredential(&a, c); err != nil {
		return a, Wrong, err
	}
	return a, Right, a.insert(tx)
}

// maxResponse bounds a browser's response, in bytes. One with a key for ML-DSA-87, the longest
// that the library takes, has about 12,000. Parts of it are stored and sent to browsers again.
const maxResponse = 32 << 10

// bounded is a response, or nothing, which is refused, in place of one that is too long.
func bounded(response []byte) []byte {
	if len(response) > maxResponse {
		return nil
	}
	return response
}

// taken reports whether a credential is enrolled already, by anybody.
func taken(tx *db.Tx, credential []byte) (bool, error) {
	_, err := byCredential(tx, credential)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func byCredential(tx *db.Tx, credential []byte) (a Authenticator, err error) {
	err = a.scan(tx.Get(`SELECT `+authenticatorColumns+` FROM authenticators WHERE kind = 'passkey' AND credential_id = $1`, credential).Scan)
	return a, err
}

// BeginProof begins a proof by one of the passkeys of a person who is signed in.
func (e *Enrolled) BeginProof(tx *db.Tx, by Asker, u accounts.User) (Ceremony, error) {
	return e.beginProof(tx, by, u, protocol.VerificationPreferred)
}

// BeginVerified is BeginProof by a passkey that has to verify who uses it.
func (e *Enrolled) BeginVerified(tx *db.Tx, by Asker, u accounts.User) (Ceremony, error) {
	return e.beginProof(tx, by, u, protocol.VerificationRequired)
}

func (e *Enrolled) beginProof(tx *db.Tx, by Asker, u accounts.User, verify protocol.UserVerificationRequirement) (Ceremony, error) {
	site, err := e.relying()
	if err != nil {
		return Ceremony{}, err
	}
	all, err := Authenticators(tx, u.ID)
	if err != nil {
		return Ceremony{}, err
	}
	p, err := e.person(u, "", all)
	if err != nil {
		return Ceremony{}, err
	}
	options, data, err := site.BeginLogin(p, webauthn.WithUserVerification(verify))
	if err != nil {
		return Ceremony{}, err
	}
	return e.ceremony(tx, toProve, by, options.Response, data)
}

// BeginEntry begins a sign-in by a passkey: the browser offers those that it has for this
// site. It says nothing about who has one.
func (e *Enrolled) BeginEntry(tx *db.Tx, by Asker) (Ceremony, error) {
	site, err := e.relying()
	if err != nil {
		return Ceremony{}, err
	}
	options, data, err := site.BeginDiscoverableLogin()
	if err != nil {
		return Ceremony{}, err
	}
	return e.ceremony(tx, toEnter, by, options.Response, data)
}

// Used is what a passkey has proved.
type Used struct {
	Authenticator Authenticator
	Verified      bool // the passkey has verified who uses it
	// Unknown is the credential of a response that nobody has enrolled, as the Signal API takes
	// it (base64url), or "". One that was removed and may be restored is not: browsers forget
	// what is unknown.
	Unknown string
	Copied  bool // the passkey was copied, by its counter: it is refused
	// Unverified: it was to verify who uses it, and did not.
	Unverified bool
}

// UsePasskey checks the browser's response to a ceremony that a session (BeginProof) or nobody
// yet (BeginEntry, by.Session 0) began.
func (e *Enrolled) UsePasskey(tx *db.Tx, by Asker, kept, response []byte) (out Used, v Verdict, err error) {
	p := toProve
	if by.Session == 0 {
		p = toEnter
	}
	k, ok := e.reopen(tx, p, by, kept)
	if !ok {
		return out, Expired, nil
	}
	site, err := e.relying()
	if err != nil {
		return out, Wrong, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(bounded(response))
	if err != nil {
		return out, Wrong, nil //nolint:nilerr // what a browser sends is a verdict
	}
	first, err := claim(tx, k.Challenge)
	if err != nil || !first {
		return out, Spent, err
	}
	a, err := byCredential(tx, parsed.RawID)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return Used{Unknown: base64.RawURLEncoding.EncodeToString(parsed.RawID)}, Wrong, nil
	case err != nil || !a.Removed.IsZero():
		return out, Wrong, err
	}
	c, err := e.credential(a)
	if err != nil {
		return out, Wrong, err
	}
	verified := parsed.Response.AuthenticatorData.Flags.HasUserVerified()
	out.Unverified = k.Data.UserVerification == protocol.VerificationRequired && !verified
	who := person{user: accounts.User{ID: a.User}, credentials: []webauthn.Credential{c}}
	now, err := validate(site, who, k.Data, parsed)
	if err != nil {
		return out, Wrong, nil //nolint:nilerr // as above
	}
	out.Authenticator, out.Verified = a, verified
	if now.Authenticator.CloneWarning || !a.Warned.IsZero() { // a copy counts on, so the next try would be right
		out.Copied = true
		_, err = tx.Exec(`UPDATE authenticators SET warned_at = $2 WHERE id = $1 AND warned_at = 0`, a.ID, tx.Now)
		return out, Wrong, err
	}
	out.Authenticator.CanVerify = a.CanVerify || out.Verified // the library keeps what was true at enrolling
	if err := e.sealCredential(&out.Authenticator, now); err != nil {
		return out, Wrong, err
	}
	a = out.Authenticator
	n, err := tx.Exec(`UPDATE authenticators SET sealed = $2, counter = $3, can_verify = $4, last_used_at = $5 WHERE id = $1 AND removed_at = 0 AND (counter < $3 OR $3 = 0)`,
		a.ID, a.sealed, a.Counter, db.Int(a.CanVerify), tx.Now)
	if err != nil || n == 0 {
		return out, Spent, err
	}
	return out, Right, nil
}

// validate checks a response: challenge, origin, Relying Party, signature, and the flags that
// the ceremony wanted (WebAuthn 7.2).
func validate(site *webauthn.WebAuthn, who person, data webauthn.SessionData, parsed *protocol.ParsedCredentialAssertionData) (*webauthn.Credential, error) {
	if len(data.UserID) > 0 {
		if !slices.ContainsFunc(data.AllowedCredentialIDs, func(id []byte) bool { return bytes.Equal(id, parsed.RawID) }) {
			return nil, errors.New("the passkey is none of those that were allowed")
		}
		data.AllowedCredentialIDs = [][]byte{parsed.RawID} // who has this one only
		return site.ValidateLogin(who, data, parsed)
	}
	_, c, err := site.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		if string(handle) != string(who.WebAuthnID()) {
			return nil, errors.New("the passkey is another user's")
		}
		return who, nil
	}, data, parsed)
	return c, err
}
