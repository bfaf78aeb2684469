// Package ungleichotp serves the HTTP wire of the micro services, in all generations that
// the ungleichotp services have spoken since 2018.
//
// It reads requests and writes responses exactly as the original did. Package services
// decides whether a token is good and carries out what callers ask for. It uses no cookies
// and serves no pages.
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

// Open adds the routes of the wire to a door. Each route checks its caller itself: none
// works without a triple.
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
		{"/ungleichotp/*", s.withProblems(writeProblem, func(*fiber.Ctx) error { return notFound })},
		{"/verify", s.g1(http.MethodPost, "", s.verifyApp)},
		{"/app/register", s.g1(http.MethodPost, wrongApp, s.registerApp)},
		{"/app", s.g1(http.MethodGet, wrongApp, s.listApps)},
		{"/app/:uuid", s.g1(http.MethodGet, wrongApp, s.showApp)},
		{"/", s.root(s.wire(resource{indexMethods, services.Nothing, methods{http.MethodGet: s.index, http.MethodHead: s.index}}))},
	} {
		d.App.All(r.path, r.handle)
	}
	d.Answers(problemWriterOf)
}

// The methods of each path, as its header Allow has them.
const (
	verifyMethods = "POST, OPTIONS"
	allMethods    = "GET, POST, HEAD, OPTIONS"
	oneMethods    = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"
	indexMethods  = "GET, HEAD, OPTIONS"
)

// allowOf is the header Allow of a path; "" for paths that are not served, and for those
// that redirect to a final slash.
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

// problemWriterOf returns how a problem that no handler has written is written on the
// paths of the wire; nil elsewhere. On / requests that read and have no body are those of
// people, for whom it is a page.
func problemWriterOf(c *fiber.Ctx, p *door.Problem) door.Answer {
	path := door.Path(c)
	below := func(top string) bool { return path == top || strings.HasPrefix(path, top+"/") }
	switch {
	case below("/ungleichotp"):
		return writeProblem
	case below("/verify"), below("/app"):
		return writeProblemG1
	case path == "/" && (!reads(c) || p.Status == http.StatusRequestEntityTooLarge):
		return writeProblem
	}
	return nil
}

func reads(c *fiber.Ctx) bool { return c.Method() == http.MethodGet || c.Method() == http.MethodHead }

// slashed redirects a path without its final slash where it ends with a parameter: Fiber
// takes both for the same.
func slashed(handle fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if !bytes.HasSuffix(c.Request().URI().PathOriginal(), []byte("/")) {
			return addSlash(c)
		}
		return handle(c)
	}
}

// addSlash redirects to the path with a final slash, whatever the method.
func addSlash(c *fiber.Ctx) error {
	to := string(c.Request().URI().PathOriginal()) + "/"
	if q := c.Context().QueryArgs().QueryString(); len(q) > 0 {
		to += "?" + string(q)
	}
	return c.Redirect(to, http.StatusMovedPermanently)
}

// root serves the index to programs, which send their triple in a body, and leaves / to
// people otherwise.
func (s *Server) root(index fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if reads(c) && len(c.Request().Body()) == 0 {
			return c.Next()
		}
		return index(c)
	}
}

// withProblems writes the refusals that a handler returns, and hands other errors to
// write.
func (s *Server) withProblems(write door.Answer, handle fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		err := handle(c)
		if r := (*refusal)(nil); errors.As(err, &r) {
			c.Status(r.status)
			return writeJSON(c, r.body)
		} else if err != nil {
			return s.door.WriteProblem(c, err, write)
		}
		return nil
	}
}
