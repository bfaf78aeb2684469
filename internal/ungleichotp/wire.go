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
	allow   string // its methods, for the header
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

// wire answers in the order of the original: what is acceptable, the body, who
// asks and what its realm may, the method, and then what the method looks at.
// Verifying reads the caller together with the claim, so that method looks at
// the caller itself.
func (s *Server) wire(r resource) fiber.Handler {
	return s.programs(func(c *fiber.Ctx) error {
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
		x := &call{c, s.caller(c, triple), f, r.need}
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

// authorize refuses a caller that is not who it says, or may not do this.
func (s *Server) authorize(x *call) error {
	v, err := s.Services.Authorize(x.UserContext(), x.by, x.need)
	if err != nil {
		return err
	}
	return verdict(v)
}

// index is what the root tells a program.
func (s *Server) index(x *call) error {
	if err := s.authorize(x); err != nil {
		return err
	}
	return write(x.Ctx, map[string]string{"ungleichotp": s.PublicURL + "/ungleichotp/"})
}

var statusOK = []byte(`{"status":"OK"}`)

// verify says whether another triple holds.
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
	if err := verdict(v); err != nil {
		return err
	}
	return send(x.Ctx, statusOK)
}

// entry is a triple as the wire shows it.
type entry struct {
	ID    services.ID `json:"id"`
	Name  string      `json:"name"`
	Realm string      `json:"realm"`
	Seed  string      `json:"seed"`
}

func shown(e services.Entry) entry { return entry{e.ID, e.Name, e.Realm, e.Seed} }

// as runs fn for a caller that may, in one transaction.
func (s *Server) as(x *call, fn func(tx *db.Tx) error) error {
	v, err := s.Services.As(x.UserContext(), x.by, x.need, fn)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return notFound
	case errors.Is(err, services.ErrTaken):
		return notUnique
	case err != nil:
		return err
	}
	return verdict(v)
}

// create makes an entry with a seed of our own.
func (s *Server) create(x *call) error {
	var made services.Entry
	err := s.as(x, func(tx *db.Tx) (err error) {
		if !x.fields.isNew() { // its name and realm are the caller's own
			return notUnique
		}
		var wrong wrongFields
		d := services.Draft{Name: x.fields.take("name", &wrong), Realm: x.fields.take("realm", &wrong)}
		if wrong != nil {
			return wrong.err()
		}
		made, err = s.Services.Add(tx, d, x.by.Client())
		return err
	})
	if err != nil {
		return err
	}
	x.Status(http.StatusCreated)
	return write(x.Ctx, shown(made))
}

// id reads the entry's number from the path.
func (x *call) id() (services.ID, error) {
	n, err := strconv.ParseInt(x.Params("id"), 10, 64)
	if err != nil {
		return 0, db.ErrNotFound
	}
	return services.ID(n), nil
}

// show shows one entry.
func (s *Server) show(x *call) error {
	if err := s.authorize(x); err != nil {
		return err
	}
	var e services.Entry
	err := s.Services.DB.View(x.UserContext(), func(tx *db.Tx) error {
		id, err := x.id()
		if err != nil {
			return err
		}
		e, err = s.Services.Get(tx, id)
		return err
	})
	if errors.Is(err, db.ErrNotFound) {
		return notFound
	} else if err != nil {
		return err
	}
	return write(x.Ctx, shown(e))
}

// change gives an entry another name, realm or, with PATCH, one of them.
func (s *Server) change(x *call) error {
	var e services.Entry
	err := s.as(x, func(tx *db.Tx) error {
		id, err := x.id()
		if err != nil {
			return err
		}
		if e, err = s.Services.Get(tx, id); err != nil {
			return err
		}
		if !x.fields.isNew() {
			return notUnique
		}
		var wrong wrongFields
		for name, at := range map[string]*string{"name": &e.Name, "realm": &e.Realm} {
			if x.fields.has(name) || x.Method() == http.MethodPut {
				*at = x.fields.take(name, &wrong)
			}
		}
		if wrong != nil {
			return wrong.err()
		}
		return s.Services.Rename(tx, id, e.Name, e.Realm, x.by.Client())
	})
	if err != nil {
		return err
	}
	return write(x.Ctx, shown(e))
}

// remove deletes an entry.
func (s *Server) remove(x *call) error {
	err := s.as(x, func(tx *db.Tx) error {
		id, err := x.id()
		if err != nil {
			return err
		}
		if _, err := s.Services.Get(tx, id); err != nil { // what the list does not show is not there
			return err
		}
		return s.Services.Delete(tx, id, x.by.Client())
	})
	if err != nil {
		return err
	}
	x.Status(http.StatusNoContent)
	return nil
}
