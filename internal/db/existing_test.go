package db_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func TestExistingOpensWhatIsThereAndMakesNothing(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, filepath.Join(dir, "none.db"), filepath.Join(dir, "no", "folder.db")} {
		_, err := db.Existing(t.Context(), "sqlite:"+path)
		if !errors.Is(err, db.ErrMissing) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("it made something: %v, %v", left, err)
	}
	if info, err := os.Stat(empty); err != nil || info.Size() != 0 {
		t.Errorf("it wrote into the empty file: %v, %v", info, err)
	}
	engines(t, func(t *testing.T, url string) {
		dbtest.Open(t, url)
		d, err := db.Existing(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestPendingTakesNoLock(t *testing.T) {
	d, path := sqlite(t)
	other := open(t, "sqlite:"+path)
	err := d.Update(t.Context(), func(*db.Tx) error {
		_, err := other.Pending(t.Context()) // would wait for the writer, which waits for it
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
