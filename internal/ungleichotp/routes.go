// Package ungleichotp is the door for programs: the wire of the micro services, in every
// generation that the ungleichotp services have spoken since 2018.
//
// It reads requests and writes answers, to the letter; whether a token is good
// is for package services to say. It takes no cookie and shows no page.
package ungleichotp

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/services"
)

// Server holds what the handlers need.
type Server struct {
	Services  *services.Service
	PublicURL string
	Log       *slog.Logger

	door *door.Door
}

// Open adds the wire to a door. All of its routes say by themselves who may use
// them: none is open but to a caller with a triple.
func (s *Server) Open(d *door.Door) {
	s.door = d
	for _, r := range []struct {
		path   string
		handle fiber.Handler
	}{
		{"/ungleichotp/verify/", s.wire(resource{verifyMethods, services.Verify, methods{http.MethodPost: s.verify}})},
		{"/ungleichotp/verify", addSlash},
		{"/ungleichotp/", s.wire(resource{allMethods, services.Administer, methods{
			http.MethodGet: s.list, http.MethodHead: s.list, http.MethodPost: s.create,
		}})},
		{"/ungleichotp", addSlash},
		{"/ungleichotp/:id/", slashed(s.wire(resource{oneMethods, services.Administer, methods{
			http.MethodGet: s.show, http.MethodHead: s.show, http.MethodPut: s.change, http.MethodPatch: s.change, http.MethodDelete: s.remove,
		}}))},
		{"/ungleichotp/*", s.programs(func(*fiber.Ctx) error { return notFound })},
		{"/verify", s.g1(http.MethodPost, "", s.verifyApp)},
		{"/app/register", s.g1(http.MethodPost, wrongApp, s.registerApp)},
		{"/app", s.g1(http.MethodGet, wrongApp, s.listApps)},
		{"/app/:uuid", s.g1(http.MethodGet, wrongApp, s.showApp)},
		{"/", s.root(s.wire(resource{indexMethods, services.Nothing, methods{http.MethodGet: s.index, http.MethodHead: s.index}}))},
	} {
		d.App.All(r.path, r.handle)
	}
	d.Answers(answerOf)
}

// The methods of each path, as its header Allow has them.
const (
	verifyMethods = "POST, OPTIONS"
	allMethods    = "GET, POST, HEAD, OPTIONS"
	oneMethods    = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"
	indexMethods  = "GET, HEAD, OPTIONS"
)

// allowOf is the header Allow of a path; "" for one that is not served, and for the
// redirects to a final slash.
func allowOf(path string) string {
	switch path {
	case "/":
		return indexMethods
	case "/ungleichotp/":
		return allMethods
	case "/ungleichotp/verify/":
		return verifyMethods
	case "/verify", "/app/register":
		return http.MethodPost
	case "/app":
		return http.MethodGet
	}
	if uuid, ok := strings.CutPrefix(path, "/app/"); ok && uuid != "" && !strings.Contains(uuid, "/") {
		return http.MethodGet
	}
	id, ok := strings.CutPrefix(path, "/ungleichotp/")
	id, slashed := strings.CutSuffix(id, "/")
	if ok && slashed && id != "" && !strings.Contains(id, "/") {
		return oneMethods
	}
	return ""
}

// answerOf tells what no handler has told on the paths of the wire. On / a person is
// told by a page, whose request has no body and only reads.
func answerOf(c *fiber.Ctx, p *door.Problem) door.Answer {
	path := door.Path(c)
	below := func(top string) bool { return path == top || strings.HasPrefix(path, top+"/") }
	switch {
	case below("/ungleichotp"):
		return answer
	case below("/verify"), below("/app"):
		return answerG1
	case path == "/" && (!reads(c) || p.Status == http.StatusRequestEntityTooLarge):
		return answer
	}
	return nil
}

func reads(c *fiber.Ctx) bool { return c.Method() == http.MethodGet || c.Method() == http.MethodHead }

// slashed is for a path that ends with a parameter, where Fiber takes the one
// without its final slash for the same.
func slashed(handle fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if !bytes.HasSuffix(c.Request().URI().PathOriginal(), []byte("/")) {
			return addSlash(c)
		}
		return handle(c)
	}
}

// addSlash leads to the path with its final slash, whatever the method.
func addSlash(c *fiber.Ctx) error {
	to := string(c.Request().URI().PathOriginal()) + "/"
	if q := c.Context().QueryArgs().QueryString(); len(q) > 0 {
		to += "?" + string(q)
	}
	return c.Redirect(to, http.StatusMovedPermanently)
}

// root is the index for a program, which sends its triple, and leaves / to
// people otherwise.
func (s *Server) root(index fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if reads(c) && len(c.Request().Body()) == 0 {
			return c.Next()
		}
		return index(c)
	}
}

// programs tells problems as programs read them.
func (s *Server) programs(handle fiber.Handler) fiber.Handler { return s.told(answer, handle) }

// told answers refusals by themselves and other problems by the answer given.
func (s *Server) told(answer door.Answer, handle fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		err := handle(c)
		if r := (*refusal)(nil); errors.As(err, &r) {
			c.Status(r.status)
			return write(c, r.body)
		} else if err != nil {
			return s.door.WriteProblem(c, err, answer)
		}
		return nil
	}
}
