package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/fetch"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/seal"
)

// Led is a person who is led to a provider.
type Led struct {
	URL string // at the provider
	// Direct: the sign-in form's page names the provider's origin, so that its POST may
	// redirect there (Content-Security-Policy form-action). Else a page of ours leads on.
	Direct bool
	// Name names this sign-in among others of the browser. It is part of a cookie's name and
	// of an address, and no secret.
	Name string
	// Trip is what the browser keeps until the person comes back, sealed.
	Trip string
	Life time.Duration
	// Wait is how long until another request has a chance; 0: it was not refused.
	Wait time.Duration
}

// trip is a sign-in at a provider, from leading there to coming back. The browser keeps it,
// sealed, so that strangers who begin many fill no table.
type trip struct {
	StateHash  []byte
	Pending    federation.Pending
	URL        string           // at the provider, for the page that leads on; else ""
	Typed      accounts.Address // what the person typed to get there, or ""
	Next       string           // a local path, or ""
	AdminHash  []byte           // of the first administrator's token, or empty
	Expires    time.Time
	ForSession db.ID // that wants to add the account or to prove it once more, or 0
	StepUp     bool  // it wants to prove it
	Again      bool  // it began anew because the issuer had forgotten this server
}

// Lead leads a person to the provider of the request, or else to the one that its id names.
func (s *Service) Lead(ctx context.Context, req Request, by Requester) (Led, error) {
	t := trip{Typed: req.Typed, Next: req.Next, AdminHash: adminHash(req.AdminToken)}
	return s.lead(ctx, req, t, by)
}

// busyFor is how long to wait where too many requests to others were in flight.
const busyFor = 5 * time.Second

// lead begins a trip. A lack of slots for requests to others is a wait, too.
func (s *Service) lead(ctx context.Context, req Request, t trip, by Requester) (led Led, err error) {
	led, err = s.begin(fetch.WithNetwork(ctx, by.Network), req, t, by)
	if errors.Is(err, fetch.ErrBusy) {
		return Led{Wait: busyFor}, nil
	}
	return led, err
}

func (s *Service) begin(ctx context.Context, req Request, t trip, by Requester) (led Led, err error) {
	target := federation.Target{Issuer: req.Issuer}
	if req.Provider == "" && req.Issuer == "" {
		if target, led.Wait, err = s.target(ctx, req.ID, by); err != nil || led.Wait > 0 {
			return led, err
		}
	}
	state, err := s.newState(ctx)
	if err != nil {
		return Led{}, err
	}
	t.StateHash, led.Name = state.Hash(), tripName(state)
	if req.Provider != "" {
		led.URL, t.Pending, err = s.Federation.Begin(ctx, req.Provider, state.String(), string(req.Typed), req.Fresh)
	} else {
		led.URL, t.Pending, err = s.Federation.BeginAt(ctx, target, state.String(), hint(req.Typed), req.Fresh)
	}
	if err != nil {
		return Led{}, err
	}
	if led.Direct = slices.Contains(s.Federation.Origins(), federation.Origin(led.URL)); !led.Direct {
		t.URL = led.URL
	}
	if len(t.Next) > maxNext { // browsers drop cookies over 4 KB
		t.Next = ""
	}
	led.Life = s.Settings.life(s.implementation(t.Pending))
	t.Expires = db.ID(state.ID).Time().Add(led.Life)
	led.Trip, err = s.sealTrip(t, by)
	return led, err
}

// maxNext bounds the path that is kept during a sign-in at a provider, in bytes.
const maxNext = 1000

// hint is what tells an issuer who comes: an address at it (login_hint, OIDC Core 3.1.2.1).
func hint(typed accounts.Address) string {
	if strings.Contains(string(typed), "@") && !strings.Contains(string(typed), "/") {
		return string(typed)
	}
	return ""
}

// newState is the state of a request to a provider (RFC 6749 10.12). The ID will be that
// of the attempt.
func (s *Service) newState(ctx context.Context) (state seal.Token, err error) {
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		state = seal.NewToken(int64(tx.NewID()))
		return nil
	})
	return state, err
}

// tripName is the part of a state that is no secret. Names are ordered by time.
func tripName(state seal.Token) string {
	return fmt.Sprintf("%016x", uint64(state.ID))
}

// implementation is that of a provider.
func (s *Service) implementation(p federation.Pending) string {
	if configured, ok := s.Federation.Provider(p.Provider); ok {
		return configured.Kind
	}
	return accounts.OpenID
}

func (s *Service) sealTrip(t trip, by Requester) (string, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.trips.Seal(text, by.Browser.ID[:])), nil
}

// openTrip opens what this browser kept.
func (s *Service) openTrip(sealed string, by Requester) (t trip, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || sealed == "" {
		return t, false
	}
	text, err := s.trips.Open(raw, by.Browser.ID[:])
	if err != nil {
		return t, false
	}
	return t, json.Unmarshal(text, &t) == nil
}

// LeadsTo is the provider's address of a sign-in that this browser has begun, "" if there is
// none or it is over.
func (s *Service) LeadsTo(sealed string, now time.Time, by Requester) string {
	if t, ok := s.openTrip(sealed, by); ok && now.Before(t.Expires) {
		return t.URL
	}
	return ""
}

// TripName is the part of a state that names the browser's trip; ok is false if it is no state.
func TripName(state string) (name string, ok bool) {
	token, ok := seal.ParseToken(state)
	if !ok {
		return "", false
	}
	return tripName(token), true
}

// fetchBudget is the budget of what one network may make this server fetch.
func (s *Service) fetchBudget(by Requester) limit.Budget {
	return limit.Budget{Name: "fetch_per_ip", Key: by.Network, Rates: s.Settings.FetchPerIP}
}
