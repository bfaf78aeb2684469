package signin_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
)

func TestNextAsksForACodeUnlessAProofIsThere(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	proof := func(verified time.Time) session.Proof {
		return session.Proof{Factor: "email", Verified: verified}
	}
	for _, c := range []struct {
		name   string
		proofs []session.Proof
		want   session.Want
		step   signin.Step
	}{
		{"nothing proved", nil, session.Want{}, signin.AskCode},
		{"nothing proved, fresh wanted", nil, session.Want{Since: at}, signin.AskCode},
		{"any proof will do", []session.Proof{proof(at)}, session.Want{}, signin.Done},
		{"older than wanted", []session.Proof{proof(at.Add(-time.Millisecond))}, session.Want{Since: at}, signin.AskCode},
		{"as old as wanted", []session.Proof{proof(at)}, session.Want{Since: at}, signin.Done},
		{"one of two is young enough", []session.Proof{proof(at.Add(-time.Hour)), proof(at)}, session.Want{Since: at}, signin.Done},
		{"later than wanted", []session.Proof{proof(at.Add(time.Millisecond))}, session.Want{Since: at, Until: at}, signin.AskCode},
		{"as late as wanted", []session.Proof{proof(at)}, session.Want{Since: at, Until: at}, signin.Done},
		{"none of two", []session.Proof{proof(at.Add(-time.Hour)), proof(at.Add(-time.Minute))}, session.Want{Since: at}, signin.AskCode},
	} {
		if step := signin.Next(c.proofs, c.want); step != c.step {
			t.Errorf("%s: %s, want %s", c.name, step, c.step)
		}
	}
}
