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

// The wire of 2018: JSON alone, a body with every method, and the outcome in the
// field status, with HTTP 200 either way.

// failure is its answer other than what was asked for.
type failure struct {
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
}

func failed(text string) failure { return failure{"FAIL", text} }

// g1 reads a request of the first generation and hands it on. Whoever shows no pair at all is
// told the same as one that shows a wrong one.
func (s *Server) g1(method, word string, handle func(*call) error) fiber.Handler {
	return s.told(answerG1, func(c *fiber.Ctx) error {
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
			return write(c, failed("unsupported version"))
		}
		uuid, wrong1 := f.text("appuuid")
		token, wrong2 := f.text("token")
		triple, ok := services.AppTriple(uuid, token)
		if wrong1 != nil || wrong2 != nil || !ok {
			return write(c, failed(word))
		}
		return handle(&call{Ctx: c, by: s.caller(c, triple), fields: f, need: services.Nothing})
	})
}

const wrongApp = "appuuid or token is wrong"

// answerG1 tells a problem that is not the wire's own.
func answerG1(c *fiber.Ctx, p *door.Problem) error {
	allow(c)
	return write(c, failed(words(p)))
}

// readG1 reads the JSON that alone is spoken here.
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

// verifyApp says whether another app's token is good, to one that is trusted.
func (s *Server) verifyApp(x *call) error {
	uuid, wrong1 := x.fields.text("appuuidtoverify")
	token, wrong2 := x.fields.text("tokentoverify")
	claim, ok := services.AppTriple(uuid, token)
	if wrong1 != nil || wrong2 != nil || !ok {
		return write(x.Ctx, failed(""))
	}
	v, err := s.Services.Verify(x.UserContext(), x.by, &claim)
	switch {
	case err != nil:
		return err
	case v != services.OK:
		return write(x.Ctx, failed(""))
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
		return write(x.Ctx, failed("username and appname: 1 to 128 characters each"))
	case errors.Is(err, services.ErrForeign), errors.Is(err, services.ErrTooMany):
		return write(x.Ctx, failed(err.Error()))
	case err != nil:
		return err
	case v != services.OK:
		return write(x.Ctx, failed(wrongApp))
	}
	return write(x.Ctx, struct {
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
		return write(x.Ctx, failed(wrongApp))
	}
	names := make([]appName, 0, len(all))
	for _, e := range all {
		names = append(names, appName{e.App.Name, e.Name})
	}
	return write(x.Ctx, struct {
		Status string    `json:"status"`
		Apps   []appName `json:"apps"`
	}{"OK", names})
}

// showApp shows the seed of an app of the caller's username. One that is
// another's looks like one that is not.
func (s *Server) showApp(x *call) error {
	e, v, err := s.Services.AppOf(x.UserContext(), x.by, x.Params("uuid"))
	switch {
	case errors.Is(err, db.ErrNotFound):
		return write(x.Ctx, failed("there is no such app of yours"))
	case err != nil:
		return err
	case v != services.OK:
		return write(x.Ctx, failed(wrongApp))
	}
	return write(x.Ctx, struct {
		Status string `json:"status"`
		Seed   string `json:"seed"`
	}{"OK", e.Seed})
}
