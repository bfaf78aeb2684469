package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/services"
)

type createSuperuserCmd struct {
	Name  string `required:"" help:"The username: letters, digits and @.+-_ ." placeholder:"N"`
	Email string `help:"The address by which they sign in." placeholder:"ID"`
}

// maxUsername is the longest name that a triple can have; Django's auth.User
// would allow 150.
const maxUsername = services.MaxText

// username is what Django's auth.User allows.
var username = regexp.MustCompile(`^[\w.@+-]+$`)

// Run makes a superuser; a user who has the address becomes one.
func (c createSuperuserCmd) Run(e *env) error {
	if len(c.Name) > maxUsername || !username.MatchString(c.Name) {
		return usageError{errors.New("--name: up to 128 letters, digits and @.+-_")}
	}
	h, err := e.open()
	if err != nil {
		return err
	}
	made, err := c.create(e, h)
	if err = errors.Join(err, h.close()); err != nil {
		return err
	}
	if made.Already {
		e.note(made.User.Username + " is a superuser already")
	}
	triple := made.Triple
	which := fmt.Sprintf("--name %s --realm %s", triple.Name, triple.Realm)
	switch {
	case made.Kept && !triple.Expires.IsZero() && !triple.Expires.After(time.Now()):
		fmt.Fprintf(e.stderr, "djauthy: the triple %s was here already and has ended; `djauthy services expire %s --at never` brings it back, after `djauthy services rotate %s --keep 0` if its seed has leaked\n", triple, which, which)
	case made.Kept:
		fmt.Fprintf(e.stderr, "djauthy: the triple %s was here already and is the same as before; `djauthy services rotate %s` gives it a new seed\n", triple, which)
	}
	return e.print(struct {
		Username string `json:"username"`
		ID       string `json:"id"`
		tripleJSON
	}{made.User.Username, strconv.FormatInt(int64(made.User.ID), 10), tripleJSON{triple.Name, triple.Realm, triple.Seed}})
}

func (c createSuperuserCmd) create(e *env, h *app) (directory.Superuser, error) {
	var id accounts.ID
	if c.Email != "" {
		var refusal accounts.Refusal
		if id, refusal = h.discovery.Find(c.Email, ""); refusal != "" {
			return directory.Superuser{}, usageError{fmt.Errorf("--email: %s", h.words.Get("en").T("problem.id."+string(refusal)))}
		}
	}
	return h.directory.CreateSuperuser(e.ctx, directory.Command(), c.Name, id)
}
