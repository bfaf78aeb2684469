// Package backup writes every row of a database into one file, reads such a file
// back, and copies a database into another one, also of the other engine.
//
// It knows no table by name: package db reads the tables and their columns from the
// engine's catalogue. It does not know where the secret key is stored, nor whether a
// server runs.
//
// # The file
//
// The line "djauthy backup 1", then gzip (RFC 1952) of records. A record is a letter,
// the length of what follows as an unsigned varint, and that many bytes:
//
//	H  Header, JSON; the first record
//	T  db.Table, JSON; the rows of a table follow, by primary key
//	R  a row: for each column a byte for the kind of value, then the value:
//	   0 null; 1 integer, a zigzag varint; 2 text and 3 bytes, each with its length
//	   as an unsigned varint before it
//	S  Sum, JSON; ends the table: how many rows, and SHA-256 over the bytes of all R
//	E  JSON {"sha256"} over all records before it; the last record
//
// Tables come after those that they reference. Varints are those of encoding/binary.
package backup

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// magic is the first line. A later format has another number.
const (
	magic      = "djauthy backup 1\n"
	magicStart = "djauthy backup "
)

var (
	// ErrFormat reports a file that is no backup, or a damaged one.
	ErrFormat = errors.New("not a whole djauthy backup")
	// ErrNewer reports a backup of a newer djauthy.
	ErrNewer = errors.New("this backup was made by a newer djauthy; restore it with that version, or a later one")
	// ErrDiffers reports that rows read back differ from those written.
	ErrDiffers = errors.New("what was written does not read back the same")
)

// Header describes a backup.
type Header struct {
	Version     string       `json:"djauthy"` // of the program that wrote it
	Created     time.Time    `json:"created_at"`
	Engine      string       `json:"engine"` // "sqlite" or "postgres"
	Steps       []db.Step    `json:"steps"`  // the migrations that the database had
	Rows        int64        `json:"rows"`   // in all tables
	Fingerprint string       `json:"key_fingerprint"`
	Key         *seal.Locked `json:"key,omitempty"` // the secret key, if it is in the backup
}

// KeyContext is the context under which Header.Key is sealed.
const KeyContext = "djauthy secret key in a backup"

// Sum is the number of rows of a table and their hash: equal sums are equal rows.
type Sum struct {
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

// Contents are a backup without its rows.
type Contents struct {
	Header
	Tables []Sum
}

// Progress is called from time to time with what is being done and how many of all rows
// are done.
type Progress func(what string, done, all int64)

func (p Progress) report(what string, done, all int64) {
	if p != nil {
		p(what, done, all)
	}
}

// sink receives the rows of a snapshot: a file, or another database.
type sink interface {
	begin(h Header) error
	// table begins a table, whose rows follow.
	table(t db.Table) error
	// row receives a row: its values, and the bytes that encode them. The caller reuses
	// both for the next row.
	row(values []any, encoded []byte) error
	// end ends the table.
	end(s Sum) error
}

// discard is a sink that keeps nothing, for reading with no copy.
type discard struct{}

func (discard) begin(Header) error      { return nil }
func (discard) table(db.Table) error    { return nil }
func (discard) row([]any, []byte) error { return nil }
func (discard) end(Sum) error           { return nil }

// summing computes the Sum of a table row by row.
type summing struct {
	rows int64
	hash hash.Hash
}

func (s *summing) add(encoded []byte) {
	s.rows++
	_, _ = s.hash.Write(encoded) // never fails
}

func (s *summing) sum(table string) Sum {
	return Sum{Table: table, Rows: s.rows, SHA256: hex.EncodeToString(s.hash.Sum(nil))}
}

// same compares what was read back with what was written, table by table in the same
// order.
func same(got, want []Sum) error {
	if len(got) != len(want) {
		return fmt.Errorf("%w: %d tables, want %d", ErrDiffers, len(got), len(want))
	}
	for i, g := range got {
		if w := want[i]; g != w {
			return fmt.Errorf("%w: the table %s has %d rows with the hash %.12s…, want %s with %d rows, %.12s…",
				ErrDiffers, g.Table, g.Rows, g.SHA256, w.Table, w.Rows, w.SHA256)
		}
	}
	return nil
}

// Same returns ErrDiffers if two backups do not hold the same rows.
func (c Contents) Same(other Contents) error { return same(c.Tables, other.Tables) }
