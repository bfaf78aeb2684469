package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/djauthy/djauthy/internal/multifactor"
)

// How many rules an installation has: few, and more than an administrator writes by hand.
const (
	fewRules  = 10
	manyRules = 1000
)

// rule is the factor level i of a bench. It guards a permission, a group and a site on a host of
// its own, and is met by a mailed code, which its last set asks for. Of permissions and groups
// there are so many as named says.
func rule(i, named int) multifactor.Level {
	return multifactor.Level{
		Name: ruleName(i), Rank: i % 100, Need: []multifactor.Need{{"email", multifactor.TOTP}, {multifactor.VerifiedPasskey}, {multifactor.AnyCode}},
		For: multifactor.Guards{Permissions: []string{permissionName(i % named)}, Groups: []string{groupName(i % named)}, Sites: []string{siteOrigin(i)}},
	}.Normal()
}

func ruleName(i int) string       { return fmt.Sprintf("rule-%04d", i) }
func permissionName(i int) string { return fmt.Sprintf("permission-%04d", i) }
func groupName(i int) string      { return fmt.Sprintf("group-%04d", i) }
func siteOrigin(i int) string     { return fmt.Sprintf("http://app-%04d.example", i) }

// startWithRules starts djauthy with rules, which it is given as administrators do: by a file
// that is applied.
func (b *bench) startWithRules(rules int, extra ...string) (*server, error) {
	dir, err := b.subdir()
	if err != nil {
		return nil, err
	}
	if rules > 0 {
		err = b.applyRules(dir, rules, extra)
	}
	if err != nil {
		return nil, err
	}
	return b.start(b.djauthy(), dir, extra...)
}

func (b *bench) applyRules(dir string, rules int, extra []string) error {
	var levels []multifactor.Level
	for i := range rules {
		levels = append(levels, rule(i, fewRules))
	}
	text, err := json.Marshal(map[string]any{"levels": levels})
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "levels.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	commands := [][]string{{"migrate"}}
	for i := range fewRules { // what a level guards has to exist
		commands = append(commands, []string{"groups", "add", groupName(i)}, []string{"permissions", "add", permissionName(i)})
	}
	return b.commands(dir, extra, append(commands, []string{"levels", "apply", file})...)
}
