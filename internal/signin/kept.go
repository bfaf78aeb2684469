package signin

import (
	"encoding/base64"
	"encoding/json"

	"github.com/djauthy/djauthy/internal/accounts"
)

// Asked is what a person typed, kept while they choose a way or prove again who they are. The
// browser keeps it, sealed, because no address belongs into a URL.
type Asked struct {
	Text       string
	Next       string          // a local path, or ""
	AdminToken string          // the first administrator's token, or ""
	Adding     bool            // the address is to be added to the person who is signed in
	User       accounts.UserID // who wants to add it, if they have to prove first who they are
}

// keepsAsked tells what is sealed here from what else a browser keeps.
const keepsAsked = "asked"

// SealAsked seals what was typed for this browser.
func (s *Service) SealAsked(a Asked, by Requester) (string, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.trips.Seal(text, append([]byte(keepsAsked), by.Browser.ID[:]...))), nil
}

// OpenAsked opens it.
func (s *Service) OpenAsked(sealed string, by Requester) (a Asked, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || sealed == "" {
		return a, false
	}
	text, err := s.trips.Open(raw, append([]byte(keepsAsked), by.Browser.ID[:]...))
	if err != nil {
		return a, false
	}
	return a, json.Unmarshal(text, &a) == nil
}
