// Package command holds the commands of administrators on people and their rights: users,
// groups, permissions, factor levels; and those on signing keys. Each is a skin over one
// method of directory, signin or signkeys.
//
// It reads what was typed, calls the method, and prints what came of it. It does not know
// how the program is wired, nor the server: cmd/djauthy gives it both, and has the other
// commands.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/signkeys"
	"github.com/djauthy/djauthy/internal/sites"
	"github.com/djauthy/djauthy/internal/terminal"
	"github.com/djauthy/djauthy/internal/words"
)

// Env is the environment of a command.
type Env struct {
	Ctx context.Context
	In  io.Reader
	Out terminal.Out
	// Note prints a remark on standard error, beside the command's output.
	Note func(text string)
	// Open opens the program on a database that exists and is up to date. The caller closes
	// what it returns.
	Open func() (*House, error)
}

// House is what commands use of the program.
type House struct {
	Directory *directory.Directory
	Signin    *signin.Service
	Access    *access.Service
	Sites     *sites.Sites
	Words     *words.Catalogue
	Keys      *signkeys.Ring
	PublicURL string
	Close     func() error
}

// with opens the program and runs fn, whose error it explains.
func (e *Env) with(fn func(h *House) error) error {
	h, err := e.Open()
	if err != nil {
		return err
	}
	err = fn(h)
	var unknown directory.Unknown
	if errors.As(err, &unknown) {
		err = fmt.Errorf("%w; `djauthy %ss list` shows all", unknown, unknown.Kind)
	}
	return errors.Join(err, h.Close())
}

// say prints what was done: a value for programs, a sentence for people.
func (e *Env) say(value any, sentence string) error { return e.Out.Say(value, sentence) }

// UsageError is a mistake in how a command was called.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the mistake.
func (e UsageError) Unwrap() error { return e.Err }
