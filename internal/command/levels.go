package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/sites"
	"github.com/djauthy/djauthy/internal/terminal"
)

// Levels are the commands on factor levels.
type Levels struct {
	List    levelsList    `cmd:"" help:"List factor levels."`
	Show    levelsShow    `cmd:"" help:"Show a factor level."`
	Set     levelsSet     `cmd:"" help:"Make a factor level, or replace one as a whole."`
	Delete  levelsDelete  `cmd:"" help:"Remove a factor level."`
	Export  levelsExport  `cmd:"" help:"Print all factor levels as JSON, for apply."`
	Explain levelsExplain `cmd:"" help:"Say what the levels ask of a user for something, and why."`
	Apply   levelsApply   `cmd:"" help:"Set the factor levels of a file, all or none."`
}

type levelsList struct{}

// Run lists factor levels.
func (levelsList) Run(e *Env) error {
	return e.with(func(h *House) error {
		all, err := h.Directory.Levels(e.Ctx)
		if err != nil {
			return err
		}
		return terminal.List(e.Out, []string{"LEVEL", "RANK", "NEEDS", "GUARDS"}, func(bool) (lines []terminal.Line, _, _ bool, _ error) {
			for _, l := range all {
				lines = append(lines, terminal.Row(l, l.Name, strconv.Itoa(l.Rank), needs(l), guards(l, h.Sites)))
			}
			return lines, false, false, nil
		})
	})
}

// needs is what a level needs in a line: "email+totp or passkey:uv".
func needs(l multifactor.Level) string {
	all := make([]string, len(l.Need))
	for i, n := range l.Need {
		all[i] = n.String()
	}
	return strings.Join(all, " or ")
}

// guards is what a level guards in a line, by what it says itself and by the settings of sites.
func guards(l multifactor.Level, s *sites.Sites) string {
	var all []string
	for _, thing := range l.For.Things() {
		all = append(all, thing.String())
	}
	for _, site := range s.All() {
		if site.Level == l.Name {
			all = append(all, "[[site]] "+site.Origin)
		}
		for _, r := range site.Rules {
			if r.Level == l.Name {
				all = append(all, "[[site]] "+site.Origin+r.Path)
			}
		}
	}
	return strings.Join(all, ", ")
}

// level is the factor level that a command is about.
type level struct {
	Name string `arg:"" help:"The level's name."`
}

type levelsShow struct{ level }

// Run shows a factor level.
func (c levelsShow) Run(e *Env) error {
	return e.with(func(h *House) error {
		l, err := h.Directory.Level(e.Ctx, c.Name)
		if err != nil {
			return err
		}
		if e.Out.JSON {
			return e.Out.Print(l)
		}
		return e.Out.Table([]string{"LEVEL", l.Name}, [][]string{
			{"RANK", strconv.Itoa(l.Rank)}, {"NEEDS", needs(l)}, {"VALID", valid(l)}, {"GUARDS", guards(l, h.Sites)},
		})
	})
}

// valid is how long proofs count for a level in a line: "totp 1h".
func valid(l multifactor.Level) string {
	var all []string
	for _, f := range l.TimedFactors() {
		all = append(all, string(f)+" "+l.Valid[f].Text)
	}
	return strings.Join(all, ", ")
}

type levelsSet struct {
	level
	Rank          int      `help:"Orders levels: the highest that a session holds is its acr." placeholder:"N"`
	Need          []string `help:"A set of factors that is enough, such as email+totp. Several flags: any one of the sets." required:"" sep:"none" placeholder:"F+F"`
	Valid         []string `help:"How long a proof of a factor counts, such as totp=1h." sep:"none" placeholder:"F=TIME"`
	ForPermission []string `help:"A permission that it guards." sep:"none" placeholder:"P"`
	ForGroup      []string `help:"A group whose members it asks." sep:"none" placeholder:"G"`
	ForApp        []string `help:"An app that it guards, by its client id." sep:"none" placeholder:"A"`
	ForSite       []string `help:"A site that it guards." sep:"none" placeholder:"URL"`
	ForAction     []string `help:"An action on the own account that it guards, such as account.delete, or admin." sep:"none" placeholder:"A"`
}

// level reads the flags.
func (c levelsSet) read() (multifactor.Level, error) {
	l := multifactor.Level{
		Name: c.Name, Rank: c.Rank, Valid: map[multifactor.Factor]multifactor.Span{},
		For: multifactor.Guards{Permissions: c.ForPermission, Groups: c.ForGroup, Apps: c.ForApp, Sites: c.ForSite, Actions: c.ForAction},
	}
	for _, text := range c.Need {
		n, err := multifactor.ParseNeed(text)
		if err != nil {
			return l, UsageError{fmt.Errorf("--need %w", err)}
		}
		l.Need = append(l.Need, n)
	}
	for _, text := range c.Valid {
		factor, value, found := strings.Cut(text, "=")
		var s multifactor.Span
		if !found {
			return l, UsageError{fmt.Errorf("--valid %q: a factor and a duration, such as totp=1h", text)}
		}
		if err := s.UnmarshalText([]byte(value)); err != nil {
			return l, UsageError{fmt.Errorf("--valid %s: %w", text, err)}
		}
		l.Valid[multifactor.Factor(factor)] = s
	}
	return l.Normal(), nil
}

// Run makes or replaces a factor level.
func (c levelsSet) Run(e *Env) error {
	l, err := c.read()
	if err != nil {
		return err
	}
	return e.with(func(h *House) error {
		if err := h.Directory.SetLevel(e.Ctx, directory.Command(), l); err != nil {
			return err
		}
		if l, err = h.Directory.Level(e.Ctx, l.Name); err != nil {
			return err
		}
		return e.say(l, "Set "+l.Name)
	})
}

type levelsDelete struct{ level }

// Run removes a factor level.
func (c levelsDelete) Run(e *Env) error {
	return e.with(func(h *House) error {
		if err := h.Directory.DeleteLevel(e.Ctx, directory.Command(), c.Name); err != nil {
			return err
		}
		return e.say(map[string]string{"deleted": c.Name}, "Deleted "+c.Name)
	})
}

// levelsJSON is a file of levels.
type levelsJSON struct {
	Levels []multifactor.Level `json:"levels"`
}

type levelsExport struct{}

// Run prints all factor levels.
func (levelsExport) Run(e *Env) error {
	return e.with(func(h *House) error {
		all, err := h.Directory.Levels(e.Ctx)
		if err != nil {
			return err
		}
		return e.Out.Print(levelsJSON{append([]multifactor.Level{}, all...)})
	})
}

type levelsApply struct {
	File   string `arg:"" help:"A file as export prints it; - for standard input."`
	DryRun bool   `help:"Store nothing; say who would be asked for more or less, and who could no longer get in."`
	Prune  bool   `help:"Remove the levels that are not in the file."`
}

// Run sets the factor levels of a file.
func (c levelsApply) Run(e *Env) error {
	levels, err := readLevels(e, c.File)
	if err != nil {
		return err
	}
	return e.with(func(h *House) error {
		if c.DryRun {
			p, err := h.Directory.PreviewLevels(e.Ctx, levels, c.Prune)
			if err != nil {
				return err
			}
			return c.print(e, p, p.Applied, [][]string{
				{"ASKED FOR MORE", strconv.Itoa(p.Counts.More), some(p.More)},
				{"ASKED FOR LESS", strconv.Itoa(p.Counts.Less), some(p.Less)},
				{"LOCKED OUT", strconv.Itoa(p.Counts.LockedOut), some(p.LockedOut)},
			})
		}
		out, err := h.Directory.ApplyLevels(e.Ctx, directory.Command(), levels, c.Prune)
		if err != nil {
			return err
		}
		return c.print(e, out, out, nil)
	})
}

// some are the first names of a list.
func some(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " …"
	}
	return strings.Join(names, ", ")
}

func (c levelsApply) print(e *Env, value any, out directory.Applied, more [][]string) error {
	if e.Out.JSON {
		return e.Out.Print(value)
	}
	rows := [][]string{
		{"SET", strconv.Itoa(len(out.Set)), some(out.Set)},
		{"DELETED", strconv.Itoa(len(out.Deleted)), some(out.Deleted)},
		{"UNCHANGED", strconv.Itoa(len(out.Same)), some(out.Same)},
	}
	return e.Out.Table([]string{"", "COUNT", "WHICH"}, append(rows, more...))
}

// maxLevels bounds a file of levels, in bytes.
const maxLevels = 4 << 20

// readLevels reads a file of levels. What it does not know is refused: a misspelt name would
// leave something unguarded.
func readLevels(e *Env, name string) ([]multifactor.Level, error) {
	from := e.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxLevels+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxLevels {
		return nil, fmt.Errorf("%s: more than %d MiB", name, maxLevels>>20)
	}
	var file levelsJSON
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf(`%s: %w; it is to be {"levels":[…]}, as djauthy levels export prints it`, name, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: something follows the levels", name)
	}
	return file.Levels, nil
}
