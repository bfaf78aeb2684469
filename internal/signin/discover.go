package signin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/browser"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/fetch"
	"github.com/djauthy/djauthy/internal/limit"
)

// Way is one way in which an id can be understood.
type Way struct {
	accounts.Candidate
	// Issuer is the one that the id's host names for it, or "".
	Issuer string
}

// Name is the name by which people choose the way: of a provider or of an implementation.
func (w Way) Name() string {
	if w.Provider != "" {
		return w.Provider
	}
	return w.ID.Implementation
}

// Request is the request to go this way.
func (w Way) Request() Request {
	return Request{ID: w.ID, Typed: w.Address, Provider: w.Provider, Issuer: w.Issuer}
}

// chosen stands, in a browser's cookie, for a way that was chosen for what was typed.
func chosen(name string, typed accounts.Address) accounts.ID {
	return accounts.ID{Implementation: "chosen " + name, Identifier: string(typed)}
}

// Choice is every way in which an id can be understood, that with the strongest reason first.
type Choice []Way

// strength orders reasons: an id that two ways fit equally well is asked about.
func strength(r accounts.Reason) int {
	switch r {
	case accounts.ByBrowser:
		return 5
	case accounts.ByPrefix:
		return 4
	case accounts.ByPattern, accounts.ByDomain:
		return 3
	case accounts.ByPublished:
		return 2
	}
	return 1
}

// Clear reports whether the first way is the one to go.
func (c Choice) Clear() bool {
	return len(c) == 1 || len(c) > 1 && strength(c[0].Why) > strength(c[1].Why)
}

// rank puts the strongest reasons first and keeps the order of equals. The way that this
// browser went last is stronger than any other.
func (c Choice) rank(s *Service, b browser.Browser) {
	latest, at := -1, b.Count()
	for i, w := range c {
		for _, id := range []accounts.ID{w.ID, chosen(w.Name(), w.Address)} {
			if n := s.browsers.LastKnown(b, id); n >= 0 && n < at {
				latest, at = i, n
			}
		}
	}
	if latest >= 0 {
		c[latest].Why = accounts.ByBrowser
	}
	slices.SortStableFunc(c, func(a, b Way) int { return strength(b.Why) - strength(a.Why) })
}

// networkTime is how long an id's host may take to say which issuer it has. After it the id
// is understood without.
const networkTime = 2 * time.Second

// Discover finds out how a person with this id can prove who they are. An implementation may
// be chosen, or empty. The result depends on what is public about the id and on this browser's
// past, never on whether there is an account.
func (s *Service) Discover(ctx context.Context, text, implementation string, by Requester) (c Choice, refusal accounts.Refusal, err error) {
	all, refusal := s.Settings.Discovery.Candidates(text, implementation)
	if refusal != "" {
		return nil, refusal, nil
	}
	for _, candidate := range all {
		c = append(c, Way{Candidate: candidate})
	}
	c.rank(s, by.Browser)
	mail := slices.IndexFunc(c, func(w Way) bool { return w.ID.Implementation == accounts.Email })
	if implementation != "" || mail < 0 || strength(c[0].Why) > strength(accounts.ByPublished) || !s.Settings.Discovery.AnyIssuer {
		return c, "", nil
	}
	issuer, err := s.published(ctx, c[mail], by)
	if err != nil || issuer == "" {
		return c, "", err
	}
	c = append(c, Way{Issuer: issuer, Candidate: accounts.Candidate{Why: accounts.ByPublished, Found: accounts.Found{
		ID: accounts.ID{Implementation: accounts.OpenID, Identifier: issuer}, Address: c[mail].Address, Provider: s.Federation.ProviderOf(issuer),
	}}})
	c.rank(s, by.Browser)
	return c, "", nil
}

// published is the issuer that the host of an email address names for it, or "".
func (s *Service) published(ctx context.Context, mail Way, by Requester) (string, error) {
	ctx, cancel := context.WithTimeout(fetch.WithNetwork(ctx, by.Network), networkTime)
	defer cancel()
	f := &fetching{s: s, by: by}
	target, err := s.Federation.FindMail(ctx, mail.ID.Identifier, f.may(ctx))
	if err != nil { // there is none, or its host is too slow
		return "", f.err
	}
	return target.Issuer, nil
}

// fetching takes requests to other servers from the budget of a network.
type fetching struct {
	s    *Service
	by   Requester
	wait time.Duration // until the budget has room again, if it had none
	err  error         // of the database
}

// may returns a function that takes one request, and reports whether there was room.
func (f *fetching) may(ctx context.Context) func() bool {
	return func() bool {
		if f.by.Network == "" { // a command
			return true
		}
		err := f.s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) (err error) {
			f.wait, err = limit.Take(tx, f.s.fetchBudget(f.by))
			return err
		}))
		if err != nil && ctx.Err() == nil {
			f.err = err
		}
		return err == nil && f.wait == 0
	}
}

// target finds the provider of an id that names where it is. It returns how long to wait if
// the network has caused too many requests to others.
func (s *Service) target(ctx context.Context, id accounts.ID, by Requester) (federation.Target, time.Duration, error) {
	f := &fetching{s: s, by: by}
	t, err := s.Federation.Find(ctx, id, f.may(ctx))
	if f.wait > 0 {
		return t, f.wait, nil
	}
	return t, 0, errors.Join(f.err, err)
}

// Told is a choice as programs read it.
type Told struct {
	ID         string    `json:"id"`
	Choice     *ToldWay  `json:"choice"` // null: it is not clear
	Candidates []ToldWay `json:"candidates"`
}

// ToldWay is one way of a choice.
type ToldWay struct {
	Implementation string          `json:"implementation"`
	Identifier     string          `json:"identifier"`
	Provider       string          `json:"provider"`
	Why            accounts.Reason `json:"why"`
}

// Told returns the choice that was made for an id.
func (c Choice) Told(id string) Told {
	t := Told{ID: id}
	for _, w := range c {
		t.Candidates = append(t.Candidates, ToldWay{w.ID.Implementation, cmp.Or(w.ID.Identifier, string(w.Address)), w.Provider, w.Why})
	}
	if c.Clear() {
		t.Choice = &t.Candidates[0]
	}
	return t
}
