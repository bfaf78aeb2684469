package command

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/multifactor"
)

type levelsExplain struct {
	ID         string   `arg:"" help:"A username, a user's id, or any address."`
	Permission []string `help:"What somebody wants to use: a permission." sep:"none" placeholder:"P"`
	Group      []string `help:"A group." sep:"none" placeholder:"G"`
	App        []string `help:"An app, by its client id." sep:"none" placeholder:"A"`
	Site       []string `help:"An address of a site." sep:"none" placeholder:"URL"`
	Action     []string `help:"An action on the own account, or admin." sep:"none" placeholder:"A"`
	Level      []string `help:"A level, by its name." sep:"none" placeholder:"L"`
	Session    int64    `help:"One of the user's sessions, by its number in users show --json; without it one that has only just begun." placeholder:"N"`
	File       string   `help:"Levels that are not applied, as export prints them; - for standard input." placeholder:"FILE"`
}

// explainJSON is an explanation as programs read it.
type explainJSON struct {
	Allowed bool                 `json:"allowed"`
	Level   string               `json:"level"`
	Rules   []ruleJSON           `json:"rules"`
	Have    []haveJSON           `json:"have"`
	Missing []multifactor.Factor `json:"missing"`
	Enroll  []multifactor.Factor `json:"to_set_up"`
	Lacks   []string             `json:"lacks"`
	Until   *time.Time           `json:"until"`
}

type ruleJSON struct {
	Level   string `json:"level"`
	Because string `json:"because"`
}

type haveJSON struct {
	Factor  multifactor.Factor `json:"factor"`
	Expires time.Time          `json:"expires"`
}

// things are what is asked about.
func (c levelsExplain) things() (all []multifactor.Thing) {
	add := func(kind multifactor.Kind, names []string) {
		for _, name := range names {
			all = append(all, multifactor.Thing{Kind: kind, Name: name})
		}
	}
	add(multifactor.Permission, c.Permission)
	add(multifactor.Group, c.Group)
	add(multifactor.App, c.App)
	add(multifactor.Action, c.Action)
	add(multifactor.ByName, c.Level)
	return all
}

// Run says what the rules decide about a person, and why.
func (c levelsExplain) Run(e *Env) error {
	q := access.Question{Things: c.things(), Session: db.ID(c.Session)}
	if len(q.Things)+len(c.Site) == 0 {
		return UsageError{errors.New("about what? --permission, --group, --app, --site, --action or --level")}
	}
	if c.File != "" {
		var err error
		if q.Levels, err = readLevels(e, c.File); err != nil {
			return err
		}
	}
	return e.with(func(h *House) error {
		u, err := h.Directory.Find(e.Ctx, c.ID)
		if errors.Is(err, db.ErrNotFound) {
			return directory.Unknown{Kind: "user", Name: c.ID}
		}
		if err != nil {
			return err
		}
		q.User = u.ID
		named, err := c.ofSites(h, &q)
		if err != nil {
			return err
		}
		if err := h.Directory.ThingsExist(e.Ctx, q.Things); err != nil {
			return err
		}
		out, err := h.Access.Explain(e.Ctx, q)
		switch {
		case errors.Is(err, access.ErrUnknownLevel):
			return fmt.Errorf("%w: %s; `djauthy levels list` shows all", err, strings.Join(c.Level, ", "))
		case errors.Is(err, access.ErrNoSession):
			return fmt.Errorf("%w: %d; `djauthy users show --json %s` shows them", err, c.Session, u.Username)
		case err != nil:
			return err
		}
		return e.Out.Print(toExplainJSON(out, named))
	})
}

// ofSites adds what sites want: their own rules, and those of their settings. named is for which
// path of a site its settings name a level.
func (c levelsExplain) ofSites(h *House, q *access.Question) (named map[string]string, err error) {
	named = map[string]string{}
	for _, address := range c.Site {
		u, err := url.Parse(address)
		if err != nil {
			return nil, UsageError{fmt.Errorf("--site: %w", err)}
		}
		site, found := h.Sites.Find(u.Scheme + "://" + u.Host)
		if !found {
			return nil, fmt.Errorf("there is no site %q in the settings; --site takes an address with its scheme, such as https://grafana.example.org/admin", address)
		}
		wants, err := site.Access(u.RequestURI())
		if err != nil {
			return nil, err
		}
		if wants.Public { // whatever guards the site
			continue
		}
		q.Things = append(q.Things, multifactor.Thing{Kind: multifactor.Site, Name: site.Origin})
		for _, name := range wants.Levels {
			q.Things = append(q.Things, multifactor.Thing{Kind: multifactor.ByName, Name: name})
			named[name] = "[[site]] " + site.Origin + ", for " + cmp.Or(u.EscapedPath(), "/")
		}
		q.OneOf = append(q.OneOf, wants.Groups...)
	}
	return named, nil
}

func toExplainJSON(x access.Explanation, named map[string]string) explainJSON {
	j := explainJSON{
		Allowed: x.Allowed, Rules: []ruleJSON{}, Have: []haveJSON{}, Missing: append([]multifactor.Factor{}, x.Decision.Missing...),
		Enroll: append([]multifactor.Factor{}, x.Decision.Enroll...), Lacks: append([]string{}, x.Lacks...), Until: x.Until(),
	}
	for _, r := range x.Decision.Rules {
		name := r.Level.Name
		if name == "" { // djauthy's own: a proof of the last minutes, or a second factor
			continue
		}
		if j.Level == "" {
			j.Level = name
		}
		because := r.Because.String()
		if r.Because.Kind == multifactor.ByName {
			because = cmp.Or(named[r.Because.Name], because)
		}
		j.Rules = append(j.Rules, ruleJSON{name, because})
	}
	for _, h := range x.Held {
		f := h.Factors[0]
		if h.Is(multifactor.VerifiedPasskey) {
			f = multifactor.VerifiedPasskey
		}
		j.Have = append(j.Have, haveJSON{f, h.Expires})
	}
	return j
}
