package directory_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// factorUses are the use cases that change how others sign in, and what they are called.
var factorUses = map[string]func(context.Context, *directory.Directory, directory.Actor) error{
	"ApplyLevels": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.ApplyLevels(ctx, by, []multifactor.Level{{Name: "l", Need: []multifactor.Need{{"email"}}}}, true)
		return err
	},
	"RemoveFactorOf": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, _, err := d.RemoveFactorOf(ctx, by, "ann@example.org", 1)
		return err
	},
	"EnrolmentLink": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, _, err := d.EnrolmentLink(ctx, by, "ann@example.org")
		return err
	},
	"Rename": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Rename(ctx, by, "ann@example.org", "anna")
		return err
	},
	"Unmerge": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Unmerge(ctx, by, "ann@example.org")
		return err
	},
}

// A use case that is not tried without rights fails here: add it to one of the tables.
func TestEveryUseCaseOfAnActorIsTriedWithoutRights(t *testing.T) {
	actor, dir := reflect.TypeFor[directory.Actor](), reflect.TypeFor[*directory.Directory]()
	found := 0
	for m := range dir.Methods() {
		takes := false
		for in := range m.Type.Ins() {
			takes = takes || in == actor
		}
		if !takes {
			continue
		}
		found++
		if uses[m.Name] == nil && rightUses[m.Name] == nil && factorUses[m.Name] == nil {
			t.Errorf("%s is not tried", m.Name)
		}
	}
	if tried := len(uses) + len(rightUses) + len(factorUses); found != tried {
		t.Errorf("%d use cases take an actor, %d are tried", found, tried)
	}
}
