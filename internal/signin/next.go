package signin

import (
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/session"
)

// Want is what somebody asks of a session before they trust it.
type Want struct {
	Since time.Time // proofs older than this do not count; zero: any that has not expired
	Until time.Time // proofs later than this do not count; zero: any
}

// young wants a proof no older than age. One from the future is of a clock that was
// ahead: how old it is nobody knows, and it would be young for as long as the clock was
// ahead.
func young(now time.Time, age time.Duration) Want {
	return Want{Since: now.Add(-age), Until: now.Add(db.Skew)}
}

// Step is the next thing a person has to do.
type Step string

// Steps.
const (
	Done    Step = "done"
	AskCode Step = "code"
)

// Next is the one place that decides what a person has to do next.
func Next(proofs []session.Proof, want Want) Step {
	for _, p := range proofs {
		if !p.Verified.Before(want.Since) && (want.Until.IsZero() || !p.Verified.After(want.Until)) {
			return Done
		}
	}
	return AskCode
}
