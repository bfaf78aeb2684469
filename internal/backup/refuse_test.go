package backup_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/backup"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/seal"
)

func TestNoDamageToABackupGoesUnseen(t *testing.T) {
	text, whole := write(t, full(t, "sqlite", 2))
	check := func(text []byte) error {
		c, err := backup.Verify(t.Context(), bytes.NewReader(text), nil)
		if err == nil && reflect.DeepEqual(c, whole) {
			return errUnharmed
		}
		return err
	}
	for i := range text {
		if err := check(text[:i]); err == nil || !errors.Is(err, backup.ErrFormat) {
			t.Fatalf("cut after %d of %d bytes: %v", i, len(text), err)
		}
		changed := bytes.Clone(text)
		changed[i] ^= 0x10
		if err := check(changed); err == nil { // an error, or a byte that means nothing, as gzip's time
			t.Errorf("byte %d changed: other contents without an error", i)
		}
	}
	if err := check(append(bytes.Clone(text), "more"...)); !errors.Is(err, backup.ErrFormat) {
		t.Errorf("something after its end: %v", err)
	}
	for _, other := range []string{"", "SQLite format 3\x00", "\n", strings.Repeat("x", 100_000)} {
		if err := check([]byte(other)); !errors.Is(err, backup.ErrFormat) {
			t.Errorf("%.20q: %v", other, err)
		}
	}
}

// errUnharmed reports that a damaged backup could still be read.
var errUnharmed = errors.New("unharmed")

// unzipped is the records of a backup; zipped is a backup of records.
func unzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	z, err := gzip.NewReader(bytes.NewReader(rest))
	if err != nil {
		t.Fatal(err)
	}
	records, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// zippers are kept, since they are large, and do not compress: thousands of variants would be
// all that the tests do.
var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.NoCompression)
	if err != nil {
		panic(err)
	}
	return z
}}

func zipped(t testing.TB, records []byte) []byte {
	t.Helper()
	b := bytes.NewBufferString("djauthy backup 1\n")
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(b)
	if _, err := z.Write(records); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRecordsThatWereTamperedWithAreRefused(t *testing.T) {
	// Each of thousands of readers has large buffers, and the race detector looks after
	// all memory at each collection.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	text, _ := write(t, full(t, "sqlite", 2))
	records := unzipped(t, text)
	if _, err := backup.Verify(t.Context(), bytes.NewReader(zipped(t, records)), nil); err != nil {
		t.Fatalf("zipped anew: %v", err)
	}
	for i := range records {
		if i > 4000 && i < len(records)-2000 && i%4 != 0 { // most are the columns of one table after another
			continue
		}
		changed := bytes.Clone(records)
		changed[i] ^= 0x01
		if _, err := backup.Verify(t.Context(), bytes.NewReader(zipped(t, changed)), nil); err == nil {
			t.Fatalf("record byte %d of %d changed: no error", i, len(records))
		}
	}
	huge := binary.AppendUvarint([]byte{'H'}, 1<<62)
	if _, err := backup.Verify(t.Context(), bytes.NewReader(zipped(t, huge)), nil); !errors.Is(err, backup.ErrFormat) {
		t.Errorf("a record of 4 EiB: %v", err)
	}
}

func TestABackupOfANewerDjauthyIsRefused(t *testing.T) {
	text, _ := write(t, full(t, "sqlite", 1))
	for name, newer := range map[string][]byte{
		"format": bytes.Replace(text, []byte("djauthy backup 1\n"), []byte("djauthy backup 2\n"), 1),
		"step":   zipped(t, bytes.Replace(unzipped(t, text), []byte("0002_last_take"), []byte("9902_last_take"), 1)),
	} {
		target := open(t, dbtest.URL(t, "sqlite"))
		_, err := backup.Target{DB: target}.Restore(t.Context(), bytes.NewReader(newer))
		if !errors.Is(err, backup.ErrNewer) {
			t.Errorf("%s: %v", name, err)
		}
		if all := dbtest.Dump(t, target); len(all) != 0 {
			t.Errorf("%s: it left %v", name, all)
		}
	}
}

func TestARestoreOrCopyThatFailsLeavesNothing(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			source := full(t, "sqlite", 300)
			text, _ := write(t, source)
			stopped, stop := context.WithCancel(t.Context())
			stop()
			last := func() error { return errUnharmed }
			target := open(t, dbtest.URL(t, engine))
			for name, fill := range map[string]func() error{
				"cut": func() error {
					_, err := backup.Target{DB: target}.Restore(t.Context(), bytes.NewReader(text[:len(text)-20]))
					return err
				},
				"stopped": func() error {
					_, err := backup.Target{DB: target}.Restore(stopped, bytes.NewReader(text))
					return err
				},
				"last": func() error {
					_, err := backup.Target{DB: target, Last: last}.Copy(t.Context(), source)
					return err
				},
			} {
				if err := fill(); err == nil {
					t.Errorf("%s: no error", name)
				}
				if pending, err := target.Pending(t.Context()); err != nil || len(pending) == 0 {
					t.Errorf("%s: pending %v, %v", name, pending, err)
				}
				if err := target.View(t.Context(), func(tx *db.Tx) error {
					tables, err := tx.Tables()
					if len(tables) > 0 {
						t.Errorf("%s: it left %v", name, tables)
					}
					return err
				}); err != nil {
					t.Error(err)
				}
			}
			restore(t, target, text)
		})
	}
}

func TestADatabaseWithRowsIsNeitherRestoredNorCopiedOver(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			target := full(t, engine, 1)
			before := dbtest.Dump(t, target)
			text, _ := write(t, target)
			for _, again := range []bool{false, true} {
				to := backup.Target{DB: target, Again: again}
				_, restore := to.Restore(t.Context(), bytes.NewReader(text))
				_, copied := to.Copy(t.Context(), full(t, "sqlite", 1))
				if !errors.Is(restore, db.ErrNotEmpty) || !errors.Is(copied, db.ErrNotEmpty) {
					t.Errorf("%v, %v", restore, copied)
				}
			}
			wantSame(t, dbtest.Dump(t, target), before)
		})
	}
}

func TestTheKeyIsInTheBackupUnderThePassphraseAlone(t *testing.T) {
	secret := []byte("the secret key of this site, 32 bytes or more")
	var b bytes.Buffer
	key := &backup.Key{Secret: secret, Passphrase: []byte("open sesame")}
	if _, err := backup.Write(t.Context(), full(t, "sqlite", 1), &b, backup.Options{Key: key}); err != nil {
		t.Fatal(err)
	}
	if records := unzipped(t, b.Bytes()); bytes.Contains(records, secret) || bytes.Contains(records, key.Passphrase) {
		t.Error("the key is in the clear")
	}
	c, err := backup.Verify(t.Context(), &b, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Secret([]byte("open sesame")); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("opened to %q, %v", got, err)
	}
	if got, err := c.Secret([]byte("open sesamE")); !errors.Is(err, seal.ErrPassphrase) {
		t.Errorf("under another passphrase: %q, %v", got, err)
	}
}

func TestRowsThatDoNotReadBackTheSameAreNoRestore(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			text, _ := write(t, full(t, "sqlite", 3))
			target := open(t, dbtest.URL(t, engine))
			spoil := func(what string, done, _ int64) {
				if what != "restoring" || done == 0 {
					return
				}
				if err := target.Update(t.Context(), func(tx *db.Tx) error {
					_, err := tx.Exec(`UPDATE users SET first_name = 'changed' WHERE id = 1`)
					return err
				}); err != nil {
					t.Error(err)
				}
			}
			_, err := backup.Target{DB: target, Progress: spoil}.Restore(t.Context(), bytes.NewReader(text))
			if !errors.Is(err, backup.ErrDiffers) || !strings.Contains(err.Error(), "users") {
				t.Errorf("a row that changed on its way: %v", err)
			}
			if all := dbtest.Dump(t, target); len(all) != 0 {
				t.Errorf("it left %v", all)
			}
		})
	}
}
