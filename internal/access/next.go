package access

import "github.com/djauthy/djauthy/internal/multifactor"

// Step is the next thing a person has to do.
type Step string

// Steps.
const (
	Done   Step = "done"
	Prove  Step = "prove"  // prove something more, which they can
	Enroll Step = "enroll" // set up first what they are to prove
	Refuse Step = "refuse" // nothing helps: there is no such level
)

// Next is the one place that decides what a person has to do next.
func Next(d multifactor.Decision) Step {
	switch {
	case d.Allowed:
		return Done
	case len(d.Missing) == 0:
		return Refuse
	case len(d.Enroll) == len(d.Missing):
		return Enroll
	}
	return Prove
}
