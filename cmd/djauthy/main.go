// Djauthy is a self-hosted sign-in server: people sign in with any address they
// already have and a one-time code.
//
// This package is the commands, one file each, and the wiring.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/djauthy/djauthy/internal/command"
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version = "dev"

// Exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

type cli struct {
	Config string `help:"Settings as a TOML file; without it defaults and the environment." env:"DJAUTHY_CONFIG" placeholder:"FILE" type:"path"`
	JSON   bool   `name:"json" help:"Print JSON, for programs."`

	Serve           serveCmd            `cmd:"" default:"1" help:"Run the server. This is what djauthy does without a command."`
	Check           checkCmd            `cmd:"" help:"Try everything that is configured and say what is wrong."`
	Sweep           sweepCmd            `cmd:"" help:"Remove expired rows, once; for cron."`
	Users           command.Users       `cmd:"" help:"List, show and change users. ID is a username, a user's id, or any address."`
	Groups          command.Groups      `cmd:"" help:"Groups of users."`
	Permissions     command.Permissions `cmd:"" help:"Permissions of groups and users."`
	Levels          command.Levels      `cmd:"" help:"Factor levels: what has to be proved for what."`
	Factors         command.Factors     `cmd:"" help:"What people have enrolled: authenticator apps, passkeys, recovery codes."`
	Discover        discoverCmd         `cmd:"" help:"What the sign-in box would do with an address, and why."`
	Services        servicesCmd         `cmd:"" help:"Micro services: their triples (name, realm, seed) and realms."`
	Keys            command.Keys        `cmd:"" help:"The keys that sign tokens."`
	Messages        messagesCmd         `cmd:"" help:"The outbox: what was sent, to whom, and what the mail server said."`
	Createsuperuser createSuperuserCmd  `cmd:"" help:"Make a superuser."`
	Client          clientCmd           `cmd:"" name:"ungleichotpclient" help:"Act as a micro service: create, list, delete or verify entries."`
	Backup          backupCmd           `cmd:"" help:"Write all rows into one file, beside a running server."`
	Restore         restoreCmd          `cmd:"" help:"Fill an empty database with the rows of a backup."`
	Copy            copyCmd             `cmd:"" help:"Copy all rows into an empty database, also from SQLite to PostgreSQL and back."`
	Migrate         migrateCmd          `cmd:"" help:"Make the database, or bring it up to date. The server does so when it starts, too."`
	Health          healthCmd           `cmd:"" help:"Exit 0 if the server answers; for containers."`
	ConfigCmd       configCmd           `cmd:"" name:"config" help:"Print the settings in force, secrets hidden."`
	Version         versionCmd          `cmd:"" help:"Print the version."`
}

// env is the commands' environment: streams, variables and flags. Tests pass their own.
type env struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	config         string // path of the settings file, "" for none
	json           bool
}

func main() {
	// With one processor no request could queue during an fsync, so that no commit would be
	// shared by several (group commit).
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
	stop()
	os.Exit(code)
}

// run runs the program and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	var c cli
	left := false
	parser, err := kong.New(&c,
		kong.Name("djauthy"), kong.Description("A self-hosted sign-in server. Start it with no command at all."),
		kong.Writers(stdout, stderr), kong.UsageOnError(), kong.Exit(func(int) { left = true }))
	if err != nil {
		fmt.Fprintln(stderr, "djauthy:", err)
		return exitFailed
	}
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	parsed, err := parser.Parse(args)
	if left { // --help was answered
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "djauthy: %v\nTry: %s --help\n", err, called(err))
		return exitUsage
	}
	e := &env{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, environ: environ, config: c.Config, json: c.JSON}
	if err := parsed.Run(e, e.commands()); err != nil {
		fmt.Fprintln(stderr, "djauthy:", err)
		if errors.As(err, new(usageError)) || errors.As(err, new(command.UsageError)) {
			return exitUsage
		}
		return exitFailed
	}
	return exitOK
}

// called is the part of the command line that was parsed before the error.
func called(err error) string {
	name := "djauthy"
	if wrong := (*kong.ParseError)(nil); errors.As(err, &wrong) && wrong.Context != nil {
		for _, p := range wrong.Context.Path {
			if p.Command != nil {
				name += " " + p.Command.Name
			}
		}
	}
	return name
}

// usageError is a mistake in how a command was called.
type usageError struct{ error }
