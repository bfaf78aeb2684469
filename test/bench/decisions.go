package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// decisionTimes are what a decision costs in ns of CPU: by three rules of few and of many, and
// by many rules that all guard what is asked.
type decisionTimes struct{ Few, Many, All float64 }

// runDecisions measures decisions as a server makes them, and prints them as JSON.
func runDecisions(args []string) error {
	flags := flag.NewFlagSet("decisions", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory for databases")
	seconds := flags.Float64("seconds", 1, "how long each of the three takes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	d := time.Duration(*seconds * float64(time.Second))
	var t decisionTimes
	for _, part := range []struct {
		to    *float64
		rules int
		same  bool
	}{{&t.Few, fewRules, false}, {&t.Many, manyRules, false}, {&t.All, manyRules, true}} {
		file := filepath.Join(*dir, fmt.Sprintf("rules-%d-%v.db", part.rules, part.same))
		if err := withRules(file, part.rules, part.same, func(tx *db.Tx) (err error) {
			sites := part.rules
			if part.same {
				sites = 1
			}
			*part.to, err = decisionTime(tx, sites, d)
			return err
		}); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(t)
}

// withRules runs fn on a database with rules. same: all of them guard the first one's site.
func withRules(file string, rules int, same bool, fn func(*db.Tx) error) (err error) {
	ctx := context.Background()
	d, err := db.Open(ctx, "sqlite:"+file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if _, err := d.Migrate(ctx); err != nil {
		return err
	}
	if err := d.Update(ctx, func(tx *db.Tx) error {
		for i := range rules {
			l := rule(i, rules)
			if same {
				l.For = multifactor.Guards{Sites: []string{siteOrigin(0)}}
			}
			if err := multifactor.SetLevel(tx, l); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return d.View(ctx, fn)
}

// decisionTime is the CPU of a decision through the book that a server keeps: whether a session
// that was opened by a mailed code may see one of so many sites, as a member of a group, with a
// permission.
func decisionTime(tx *db.Tx, sites int, d time.Duration) (float64, error) {
	var generation string
	if err := tx.Get(`SELECT ` + multifactor.GenerationColumn).Scan(&generation); err != nil {
		return 0, err
	}
	asked := make([][]multifactor.Thing, sites)
	for i := range asked {
		asked[i] = []multifactor.Thing{
			{Kind: multifactor.Site, Name: siteOrigin(i)}, {Kind: multifactor.Group, Name: groupName(i * 7 % sites)}, {Kind: multifactor.Permission, Name: permissionName(i * 3 % sites)},
		}
	}
	held := []multifactor.Held{{
		Way: multifactor.Way{Factors: []multifactor.Factor{"email", multifactor.AnyCode}, Key: multifactor.Key{Account: 1}}, Verified: tx.Now, Expires: tx.Now.Add(12 * time.Hour),
	}}
	var book multifactor.Book
	return cpuOf(d, func(i int) error {
		all, err := book.Rules(tx, generation)
		if err != nil {
			return err
		}
		rules, _ := all.For(asked[i%len(asked)]...)
		if !multifactor.Decide(rules, nil, held, tx.Now).Allowed {
			return errors.New("a decision refuses what it should allow")
		}
		return nil
	})
}

// cpuOf does something again and again for a time, and returns the CPU of one in ns.
func cpuOf(d time.Duration, do func(i int) error) (float64, error) {
	for i := range 100 { // warm up
		if err := do(i); err != nil {
			return 0, err
		}
	}
	before, err := cpuTime(os.Getpid())
	if err != nil {
		return 0, err
	}
	n := 0
	for until := time.Now().Add(d); n%100 != 0 || time.Now().Before(until); n++ {
		if err := do(n); err != nil {
			return 0, err
		}
	}
	after, err := cpuTime(os.Getpid())
	return float64(after-before) / float64(n), err
}
