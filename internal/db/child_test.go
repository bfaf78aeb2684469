package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

const (
	// childURL is the environment's name for the database a child works on.
	childURL = "DJAUTHY_TEST_CHILD"
	// childWork is "write" or "migrate".
	childWork = "DJAUTHY_TEST_CHILD_WORK"

	childWrites = 20
	patience    = 2 * time.Second
)

// child is what a second process does.
func child(url string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	if os.Getenv(childWork) == "migrate" {
		steps, err := d.Migrate(ctx)
		fmt.Println(len(steps))
		return errors.Join(err, d.Close())
	}
	var longest time.Duration
	for i := range childWrites {
		start := time.Now()
		if err := d.Update(ctx, put(fmt.Sprintf("child %d", i), "1")); err != nil {
			return err
		}
		longest = max(longest, time.Since(start))
	}
	fmt.Println(longest)
	return d.Close()
}

// process runs this test binary again as a second process and returns what it
// printed.
func process(t *testing.T, url, work string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+url, childWork+"="+work)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestASecondProcessWritesWhileTheFirstIsAtFullLoad(t *testing.T) {
	d, path := sqlite(t)
	load, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	var wg sync.WaitGroup
	var written atomic.Int64
	for i := range 16 {
		wg.Go(func() {
			for n := 0; load.Err() == nil; n++ {
				if err := d.Update(t.Context(), put(fmt.Sprintf("%d.%d", i, n), "1")); err != nil {
					t.Errorf("the first process: %v", err)
					return
				}
				written.Add(1)
			}
		})
	}
	waitFor(t, "the load", func() bool { return written.Load() > 50 })
	before := written.Load()
	out, err := process(t, "sqlite:"+path, "write")
	if err != nil {
		t.Fatalf("the second process: %v: %s", err, out)
	}
	if load.Err() != nil && written.Load()-before < 100 {
		t.Errorf("the first process wrote only %d rows meanwhile", written.Load()-before)
	}
	longest, err := time.ParseDuration(out)
	if err != nil {
		t.Fatal(err)
	}
	if longest > patience {
		t.Errorf("the second process waited %v for one write, want less than %v", longest, patience)
	}
	wg.Wait()
	if n := len(keys(t, d)); n != int(written.Load())+childWrites {
		t.Errorf("%d rows, want %d and %d", n, written.Load(), childWrites)
	}
	t.Logf("the longest of %d writes beside %d others took %v", childWrites, written.Load(), longest)
}

func TestProcessesThatStartTogetherTakeTurnsToMigrate(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := dbtest.URL(t, engine)
			const processes = 4
			var steps [processes]string
			var wg sync.WaitGroup
			for i := range processes {
				wg.Go(func() {
					out, err := process(t, url, "migrate")
					if err != nil {
						t.Errorf("process %d: %v: %s", i, err, out)
					}
					steps[i] = out
				})
			}
			wg.Wait()
			names, err := db.MigrationNames(engine)
			if err != nil {
				t.Fatal(err)
			}
			took := 0
			for _, n := range steps {
				switch n {
				case fmt.Sprint(len(names)):
					took++
				case "0":
				default:
					t.Errorf("a process took %s of %d steps", n, len(names))
				}
			}
			if took != 1 {
				t.Errorf("%d processes migrated, want 1", took)
			}
		})
	}
}
