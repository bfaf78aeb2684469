package web

import (
	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
)

type stepUpPage struct {
	page.Base
	proof
	Next string
}

// proof is how a person shows once more that it is them: by the account that they signed in
// with.
type proof struct {
	Identifier, ID string // as it is shown, and as the sign-in form takes it
	Provider       bool   // they sign in at a provider
}

// proofBy is the proof by one of a person's accounts.
func (s *account) proofBy(u accounts.User, a accounts.Account) proof {
	p := proof{Identifier: a.Shown(), ID: a.Addr.Typed(), Provider: accounts.Redirects(a.Addr.Implementation)}
	if s.discovery.IsSpelling(u.Email, a.Addr) {
		p.Identifier, p.ID = u.Email, u.Email
	}
	return p
}

// showStepUp asks for a fresh proof, and leads on.
func (s *account) showStepUp(c *fiber.Ctx) error {
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	profile, err := s.directory.Profile(c.UserContext(), sess.User.ID)
	if err != nil {
		return err
	}
	next := s.WayBack(c, door.RequestedNext(page.Query(c)))
	p := stepUpPage{Base: s.Base(c), proof: s.proofBy(profile.User, used(profile.Accounts, sess.Account)), Next: nonEmpty(next, "/account")}
	door.AllowFormTo(c, s.signin.Federation.Origins())
	return s.Write(c, "account/step_up.html", p)
}
