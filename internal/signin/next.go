package signin

import "github.com/djauthy/djauthy/internal/session"

// Step is the next thing a person has to do: Done or AskCode.
type Step string

const Done, AskCode Step = "done", "code" //nolint:revive // see Step

// Next is the one place that decides what a person has to do next.
func Next(proofs []session.Proof, want session.Want) Step {
	if want.MetBy(proofs) {
		return Done
	}
	return AskCode
}
