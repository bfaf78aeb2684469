package signin

import (
	"time"

	"github.com/djauthy/djauthy/internal/multifactor"
)

// Want is what somebody asks of a session before they trust it.
type Want struct {
	Since time.Time // proofs older than this do not count; zero: any that has not expired
}

// Step is the next thing a person has to do.
type Step string

// Steps.
const (
	Done    Step = "done"
	AskCode Step = "code"
)

// Next is the one place that decides what a person has to do next.
func Next(proofs []multifactor.Proof, want Want) Step {
	for _, p := range proofs {
		if !p.Verified.Before(want.Since) {
			return Done
		}
	}
	return AskCode
}
