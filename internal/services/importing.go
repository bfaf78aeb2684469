package services

import (
	"errors"
	"fmt"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/totp"
)

// Outcome is what became of a row.
type Outcome int

// Outcomes.
const (
	Imported Outcome = iota
	Present          // it was here already, with this seed
	Skipped          // it is no triple
	NotTaken         // for a reason
)

// Import stores a row and keeps its number if that is free. A row that is here
// already, with the same seed, is Present, so that an import that broke off can
// be run again.
func (s *Service) Import(tx *db.Tx, r Row, by audit.Client) (Outcome, string, error) {
	switch {
	case r.Skip != "":
		return Skipped, r.Skip, nil
	case r.Problem != "":
		return NotTaken, r.Problem, nil
	}
	d := Draft{ID: r.ID, Name: Trim(r.Name), Realm: Trim(r.Realm), Seed: Trim(r.Seed), Expires: r.Expires}
	switch {
	case d.Seed == "":
		return NotTaken, "the seed is empty", nil
	case !Valid(d.Name) || !Valid(d.Realm):
		return NotTaken, ErrText.Error(), nil
	}
	here, err := s.Find(tx, d.Name, d.Realm)
	switch {
	case err == nil && here.Seed != d.Seed:
		return NotTaken, "it is here with another seed; delete it first if this one is to hold", nil
	case err == nil && !d.Expires.IsZero() && millis(d.Expires) != millis(here.Expires):
		return NotTaken, "it is here and ends: " + words(here.Expires) + ", not " + words(d.Expires) + "; set which it is to be", nil
	case err == nil:
		return Present, "", nil
	case !errors.Is(err, db.ErrNotFound):
		return 0, "", err
	}
	if d.ID != 0 {
		if _, err := s.Any(tx, d.ID); err == nil {
			return NotTaken, fmt.Sprintf("its number %d belongs to another entry here; without an id (CSV) it gets the next", d.ID), nil
		} else if !errors.Is(err, db.ErrNotFound) {
			return 0, "", err
		}
	}
	switch _, err = s.Add(tx, d, by); {
	case errors.Is(err, ErrText), errors.Is(err, ErrID), errors.Is(err, ErrPlace), errors.Is(err, totp.ErrSeed):
		return NotTaken, err.Error(), nil
	}
	return Imported, "", err
}
