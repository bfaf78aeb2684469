package services

import (
	"errors"
	"fmt"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/totp"
)

// Outcome is what became of a row.
type Outcome int

// Outcomes.
const (
	Imported Outcome = iota
	Present          // it is stored already, with this seed
	Skipped          // it is no triple
	Rejected         // it cannot be stored
)

// Import stores a row and keeps its ID if that is free. It returns the reason for Skipped
// and Rejected. A row that is stored already, with the same seed, is Present, so that an
// import that broke off can be run again.
func (s *Service) Import(tx *db.Tx, r Row, by audit.By) (Outcome, string, error) {
	d, outcome, reason, err := s.outcome(tx, r)
	if err != nil || outcome != Imported {
		return outcome, reason, err
	}
	_, err = s.Add(tx, d, by)
	return Imported, "", err
}

// outcome compares a row with what is stored. With Imported, the draft can be added.
func (s *Service) outcome(tx *db.Tx, r Row) (d Draft, o Outcome, reason string, err error) {
	if d, o, reason = draft(r); o != Imported {
		return d, o, reason, nil
	}
	here, err := s.Find(tx, d.Name, d.Realm)
	if err == nil {
		o, reason = compare(d, here.Seed, here.Expires)
		return d, o, reason, nil
	} else if !errors.Is(err, db.ErrNotFound) {
		return d, 0, "", err
	}
	if d.ID != 0 {
		if _, err := s.Any(tx, d.ID); err == nil {
			return d, Rejected, idTaken(d.ID), nil
		} else if !errors.Is(err, db.ErrNotFound) {
			return d, 0, "", err
		}
	}
	switch err := checkFree(tx, 0, d.Name, d.Realm); {
	case errors.Is(err, ErrCollision):
		return d, Rejected, err.Error(), nil
	case err != nil:
		return d, 0, "", err
	}
	return d, Imported, "", nil
}

// draft checks a row without reading the database. With Imported, the draft is valid.
func draft(r Row) (d Draft, o Outcome, reason string) {
	switch {
	case r.Skip != "":
		return d, Skipped, r.Skip
	case r.Problem != "":
		return d, Rejected, r.Problem
	}
	d = Draft{ID: r.ID, Name: Trim(r.Name), Realm: Trim(r.Realm), Seed: Trim(r.Seed), Expires: r.Expires}
	switch {
	case d.Seed == "":
		return d, Rejected, "the seed is empty"
	case !Valid(d.Name) || !Valid(d.Realm):
		return d, Rejected, ErrText.Error()
	case d.ID > MaxID:
		return d, Rejected, ErrID.Error()
	}
	if _, err := totp.ParseSeed(d.Seed); err != nil {
		return d, Rejected, err.Error()
	}
	return d, Imported, ""
}

// compare says what becomes of a row whose name is stored in its realm already.
func compare(d Draft, seed string, ends time.Time) (Outcome, string) {
	switch {
	case seed != d.Seed:
		return Rejected, "it is here with another seed; delete it first if this one is to hold"
	case !d.Expires.IsZero() && endMillis(d.Expires) != endMillis(ends):
		return Rejected, "it is here and ends: " + endText(ends) + ", not " + endText(d.Expires) + "; set which it is to be"
	}
	return Present, ""
}

func idTaken(id ID) string {
	return fmt.Sprintf("its number %d belongs to another entry here; without an id (CSV) it gets the next", id)
}
