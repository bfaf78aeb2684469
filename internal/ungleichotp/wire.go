package ungleichotp

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/services"
)

// resource is a path of the wire.
type resource struct {
	allow   string // the header Allow
	need    services.Right
	methods methods
}

type methods map[string]func(*call) error

// call is a request whose caller and fields have been read.
type call struct {
	*fiber.Ctx
	by     services.Caller
	fields fields
	need   services.Right
}

// wire checks a request in the order of the original: the Accept header, the body, the
// caller's token and right, the method, and then what the method needs. A method that is
// served checks the caller itself, since verifying reads the caller's entry together with
// that of the claim.
func (s *Server) wire(r resource) fiber.Handler {
	return s.withProblems(writeProblem, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderAllow, r.allow)
		if !accepts(c) {
			return notAcceptable
		}
		f, err := readBody(c)
		if err != nil {
			return err
		}
		triple, wrong := f.caller()
		if wrong != nil {
			return badCredentials
		}
		x := &call{Ctx: c, by: s.caller(c, triple), fields: f, need: r.need}
		if handle, known := r.methods[c.Method()]; known {
			return handle(x)
		}
		if err := s.authorize(x); err != nil {
			return err
		}
		if c.Method() == http.MethodOptions {
			return send(c, []byte("{}"))
		}
		return refuse(http.StatusMethodNotAllowed, `Method "`+door.Method(c)+`" not allowed.`)
	})
}

func (s *Server) caller(c *fiber.Ctx, t services.Triple) services.Caller {
	address := s.door.Address(c)
	return services.Caller{Triple: t, Network: door.Network(address), Client: func() audit.Client {
		return audit.Client{Prefix: door.Prefix(address), Agent: door.Agent(c.Get(fiber.HeaderUserAgent))}
	}}
}

// authorize refuses a caller whose token is not good, or who may not do this.
func (s *Server) authorize(x *call) error {
	v, err := s.Services.Authorize(x.UserContext(), x.by, x.need)
	if err != nil {
		return err
	}
	return refusalOf(v)
}

// index names the URL of the entries.
func (s *Server) index(x *call) error {
	if err := s.authorize(x); err != nil {
		return err
	}
	return writeJSON(x.Ctx, map[string]string{"ungleichotp": s.PublicURL + "/ungleichotp/"})
}

var statusOK = []byte(`{"status":"OK"}`)

// verify says whether the token of another service is good.
func (s *Server) verify(x *call) error {
	claim, wrong := x.fields.claim()
	if wrong != nil {
		if err := s.authorize(x); err != nil {
			return err
		}
		return wrong.err()
	}
	v, err := s.Services.Verify(x.UserContext(), x.by, &claim)
	if err != nil {
		return err
	}
	if err := refusalOf(v); err != nil {
		return err
	}
	return send(x.Ctx, statusOK)
}

// entry is a triple in the wire's JSON.
type entry struct {
	ID    services.ID `json:"id"`
	Name  string      `json:"name"`
	Realm string      `json:"realm"`
	Seed  string      `json:"seed"`
}

func toEntry(e services.Entry) entry {
	return entry{ID: e.ID, Name: e.Name, Realm: e.Realm, Seed: e.Seed}
}

// refused is the wire's refusal of a use case; nil if it was carried out.
func refused(v services.Verdict, err error) error {
	switch {
	case errors.Is(err, db.ErrNotFound):
		return notFound
	case errors.Is(err, services.ErrTaken):
		return notUnique
	case err != nil:
		return err
	}
	return refusalOf(v)
}

// create adds an entry with a random seed.
func (s *Server) create(x *call) error {
	k, problem := x.key()
	if problem != nil { // shown only to callers who may create
		if err := s.authorize(x); err != nil {
			return err
		}
		return problem
	}
	e, v, err := s.Services.Create(x.UserContext(), x.by, k)
	if err := refused(v, err); err != nil {
		return err
	}
	x.Status(http.StatusCreated)
	return writeJSON(x.Ctx, toEntry(e))
}

// key reads a name and a realm from the body, or says why there are none.
func (x *call) key() (k services.Key, problem error) {
	if !x.fields.isG4() { // its name and realm are the caller's own
		return k, notUnique
	}
	var wrong wrongFields
	k.Name, k.Realm = x.fields.take("name", &wrong), x.fields.take("realm", &wrong)
	return k, wrong.err()
}

// id reads the entry's number from the path. It is 0, which no entry has, for a text
// that is no number.
func (x *call) id() services.ID {
	n, err := strconv.ParseInt(x.Params("id"), 10, 64)
	if err != nil {
		return 0
	}
	return services.ID(n)
}

// entry reads the entry of the path.
func (s *Server) entry(x *call) (services.Entry, error) {
	e, v, err := s.Services.Show(x.UserContext(), x.by, x.id())
	return e, refused(v, err)
}

// show shows one entry.
func (s *Server) show(x *call) error {
	e, err := s.entry(x)
	if err != nil {
		return err
	}
	return writeJSON(x.Ctx, toEntry(e))
}

// change gives an entry another name, realm or, with PATCH, one of them.
func (s *Server) change(x *call) error {
	c, problem := x.changes()
	if problem != nil { // shown only to callers who may change, about an entry that exists
		if _, err := s.entry(x); err != nil {
			return err
		}
		return problem
	}
	e, v, err := s.Services.Change(x.UserContext(), x.by, x.id(), c)
	if err := refused(v, err); err != nil {
		return err
	}
	return writeJSON(x.Ctx, toEntry(e))
}

// changes reads a new name and realm from the body, or says why there are none.
func (x *call) changes() (c services.Change, problem error) {
	if !x.fields.isG4() {
		return c, notUnique
	}
	var wrong wrongFields
	for name, at := range map[string]**string{"name": &c.Name, "realm": &c.Realm} {
		if x.fields.has(name) || x.Method() == http.MethodPut {
			text := x.fields.take(name, &wrong)
			*at = &text
		}
	}
	return c, wrong.err()
}

// remove deletes an entry.
func (s *Server) remove(x *call) error {
	if err := refused(s.Services.Remove(x.UserContext(), x.by, x.id())); err != nil {
		return err
	}
	x.Status(http.StatusNoContent)
	return nil
}
