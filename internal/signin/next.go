package signin

import "github.com/djauthy/djauthy/internal/session"

// Step is the next thing a person has to do.
type Step string

// Steps.
const (
	Done    Step = "done"
	AskCode Step = "code"
)

// Next is the one place that decides what a person has to do next.
func Next(proofs []session.Proof, want session.Want) Step {
	if want.MetBy(proofs) {
		return Done
	}
	return AskCode
}
