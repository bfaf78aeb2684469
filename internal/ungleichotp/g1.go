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
		if version, _ := f.text("version"); version != "1" && f.has("version") {
			return write(c, failed("unsupported version"))
		}
		uuid, wrong1 := f.text("appuuid")
		token, wrong2 := f.text("token")
		triple, ok := services.AppTriple(uuid, token)
		if wrong1 != nil || wrong2 != nil || !ok {
			return write(c, failed(word))
		}
		return handle(&call{c, s.caller(c, triple), f, services.Nothing})
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

// withApp runs fn with the caller's entry, in one transaction.
func (s *Server) withApp(x *call, fn func(tx *db.Tx, own services.Entry) error) (ok bool, err error) {
	v, err := s.Services.As(x.UserContext(), x.by, services.Nothing, func(tx *db.Tx) error {
		own, err := s.Services.GetApp(tx, x.by.Name)
		if err != nil {
			return err
		}
		return fn(tx, own)
	})
	return v == services.OK, err
}

// registerApp makes another app.
func (s *Server) registerApp(x *call) error {
	var a services.App
	var wrong wrongFields
	a.Username, a.Name = x.fields.take("username", &wrong), x.fields.take("appname", &wrong)
	var made services.Entry
	ok, err := s.withApp(x, func(tx *db.Tx, own services.Entry) (err error) {
		if wrong != nil {
			return services.ErrText
		}
		made, err = s.Services.RegisterApp(tx, own, a, x.by.Client())
		return err
	})
	switch {
	case errors.Is(err, services.ErrText):
		return write(x.Ctx, failed("username and appname: 1 to 128 characters each"))
	case errors.Is(err, services.ErrForeign), errors.Is(err, services.ErrTooMany):
		return write(x.Ctx, failed(err.Error()))
	case err != nil:
		return err
	case !ok:
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
	all := []appName{}
	ok, err := s.readApp(x, func(tx *db.Tx, own services.Entry) error {
		some, err := s.Services.Apps(tx, own.App.Username)
		all = all[:0]
		for _, e := range some {
			all = append(all, appName{e.App.Name, e.Name})
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !ok:
		return write(x.Ctx, failed(wrongApp))
	}
	return write(x.Ctx, struct {
		Status string    `json:"status"`
		Apps   []appName `json:"apps"`
	}{"OK", all})
}

// showApp shows the seed of an app of the caller's username. One that is
// another's looks like one that is not.
func (s *Server) showApp(x *call) error {
	var seed string
	ok, err := s.readApp(x, func(tx *db.Tx, own services.Entry) error {
		e, err := s.Services.GetApp(tx, x.Params("uuid"))
		if err == nil && e.App.Username != own.App.Username {
			err = db.ErrNotFound
		}
		seed = e.Seed
		return err
	})
	switch {
	case errors.Is(err, db.ErrNotFound):
		return write(x.Ctx, failed("there is no such app of yours"))
	case err != nil:
		return err
	case !ok:
		return write(x.Ctx, failed(wrongApp))
	}
	return write(x.Ctx, struct {
		Status string `json:"status"`
		Seed   string `json:"seed"`
	}{"OK", seed})
}

// readApp is withApp for what only reads.
func (s *Server) readApp(x *call, fn func(tx *db.Tx, own services.Entry) error) (ok bool, err error) {
	v, err := s.Services.Authorize(x.UserContext(), x.by, services.Nothing)
	if err != nil || v != services.OK {
		return false, err
	}
	err = s.Services.DB.View(x.UserContext(), func(tx *db.Tx) error {
		own, err := s.Services.GetApp(tx, x.by.Name)
		if ok = err == nil; errors.Is(err, db.ErrNotFound) { // it has gone meanwhile
			return nil
		} else if err != nil {
			return err
		}
		return fn(tx, own)
	})
	return ok, err
}
