package ungleichotp

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/services"
)

// G1, the wire of 2018: JSON alone, a body with every method, and the outcome in the field
// status, with HTTP 200 also for failures.

// failure is a response to what was not carried out.
type failure struct {
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
}

func failed(text string) failure { return failure{"FAIL", text} }

// g1 reads a request of the first generation for a handler. wrong is the error for a UUID
// or token that is wrong, or not sent at all.
func (s *Server) g1(method, wrong string, handle func(*call) error) fiber.Handler {
	return s.withProblems(writeProblemG1, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderAllow, method)
		if c.Method() != method {
			return &refusal{http.StatusMethodNotAllowed, failed("method " + door.Method(c) + " is not allowed, use " + method)}
		}
		f, err := readG1(c)
		if err != nil {
			return err
		}
		version, _ := f.text("version")
		if version != "1" && f.has("version") {
			return writeJSON(c, failed("unsupported version"))
		}
		uuid, wrong1 := f.text("appuuid")
		token, wrong2 := f.text("token")
		triple, ok := services.AppTriple(uuid, token)
		if wrong1 != nil || wrong2 != nil || !ok {
			return writeJSON(c, failed(wrong))
		}
		return handle(&call{Ctx: c, by: s.caller(c, triple), fields: f, need: services.Nothing})
	})
}

const wrongApp = "appuuid or token is wrong"

// writeProblemG1 writes a problem that a handler did not foresee.
func writeProblemG1(c *fiber.Ctx, p *door.Problem) error {
	allow(c)
	return writeJSON(c, failed(problemText(p)))
}

// readG1 reads a body of JSON.
func readG1(c *fiber.Ctx) (fields, error) {
	body := c.Request().Body()
	if len(body) == 0 {
		return nil, nil
	}
	media, _, _ := strings.Cut(string(c.Request().Header.ContentType()), ";")
	if !strings.EqualFold(strings.TrimSpace(media), fiber.MIMEApplicationJSON) {
		return nil, &refusal{http.StatusUnsupportedMediaType, failed("the body has to be application/json")}
	}
	f, err := fromJSON(body)
	if r := (*refusal)(nil); errors.As(err, &r) {
		d, _ := r.body.(detail)
		return nil, &refusal{r.status, failed(d.Detail)}
	}
	return f, err
}

// verifyApp says whether the token of another app is good, to a trusted app.
func (s *Server) verifyApp(x *call) error {
	uuid, wrong1 := x.fields.text("appuuidtoverify")
	token, wrong2 := x.fields.text("tokentoverify")
	claim, ok := services.AppTriple(uuid, token)
	if wrong1 != nil || wrong2 != nil || !ok {
		return writeJSON(x.Ctx, failed(""))
	}
	v, err := s.Services.Verify(x.UserContext(), x.by, &claim)
	switch {
	case err != nil:
		return err
	case v != services.OK:
		return writeJSON(x.Ctx, failed(""))
	}
	return send(x.Ctx, statusOK)
}

// registerApp makes another app.
func (s *Server) registerApp(x *call) error {
	username, _ := x.fields.text("username") // what is wrong is services.ErrText
	appname, _ := x.fields.text("appname")
	made, v, err := s.Services.RegisterApp(x.UserContext(), x.by, services.App{Name: appname, Username: username})
	switch {
	case errors.Is(err, services.ErrText):
		return writeJSON(x.Ctx, failed("username and appname: 1 to 128 characters each"))
	case errors.Is(err, services.ErrForeign), errors.Is(err, services.ErrTooMany):
		return writeJSON(x.Ctx, failed(err.Error()))
	case err != nil:
		return err
	case v != services.OK:
		return writeJSON(x.Ctx, failed(wrongApp))
	}
	return writeJSON(x.Ctx, struct {
		Status string `json:"status"`
		UUID   string `json:"appuuid"`
	}{"OK", made.Name})
}

// appName is an app in a list.
type appName struct {
	Name string `json:"name"`
	UUID string `json:"appuuid"`
}

// listApps lists the apps of the caller's username.
func (s *Server) listApps(x *call) error {
	all, v, err := s.Services.AppsOf(x.UserContext(), x.by)
	switch {
	case err != nil:
		return err
	case v != services.OK:
		return writeJSON(x.Ctx, failed(wrongApp))
	}
	names := make([]appName, 0, len(all))
	for _, e := range all {
		names = append(names, appName{e.App.Name, e.Name})
	}
	return writeJSON(x.Ctx, struct {
		Status string    `json:"status"`
		Apps   []appName `json:"apps"`
	}{"OK", names})
}

// showApp shows the seed of an app of the caller's username. An app of another username
// looks like one that does not exist.
func (s *Server) showApp(x *call) error {
	e, v, err := s.Services.AppOf(x.UserContext(), x.by, x.Params("uuid"))
	switch {
	case errors.Is(err, db.ErrNotFound):
		return writeJSON(x.Ctx, failed("there is no such app of yours"))
	case err != nil:
		return err
	case v != services.OK:
		return writeJSON(x.Ctx, failed(wrongApp))
	}
	return writeJSON(x.Ctx, struct {
		Status string `json:"status"`
		Seed   string `json:"seed"`
	}{"OK", e.Seed})
}
