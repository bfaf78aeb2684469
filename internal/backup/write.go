package backup

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/djauthy/djauthy/internal/db"
)

// Options say what a backup holds besides the rows.
type Options struct {
	Version     string // of this program
	Fingerprint string // of the secret key
	Key         *Key   // nil: the secret key is not in it
	Progress    Progress
}

// Write writes a snapshot of a database, while others go on writing to it. The caller
// compares the result with that of Verify.
func Write(ctx context.Context, d *db.DB, w io.Writer, o Options) (Contents, error) {
	f, err := newFile(w)
	if err != nil {
		return Contents{}, err
	}
	h := Header{Version: o.Version, Fingerprint: o.Fingerprint}
	if o.Key != nil {
		h.Key = o.Key.lock()
	}
	c, err := dump(ctx, d, h, f, "writing", o.Progress)
	return c, errors.Join(err, f.close(err == nil))
}

// checkEvery is the number of rows after which progress is reported and the context is
// checked.
const checkEvery = 1000

// dump hands every row of a database to a sink, in one read transaction. what names the
// work for Progress.
func dump(ctx context.Context, d *db.DB, h Header, to sink, what string, p Progress) (c Contents, err error) {
	err = d.View(ctx, func(tx *db.Tx) error {
		if err := tx.Unhurried(); err != nil {
			return err
		}
		tables, err := describe(tx, &h)
		if err != nil {
			return err
		}
		h.Engine = d.Engine()
		c.Header = h
		if err := to.begin(h); err != nil {
			return err
		}
		done := int64(0)
		for _, t := range tables {
			s, err := dumpTable(ctx, tx, t, to, func(n int64) { p.report(what, done+n, c.Rows) })
			if err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
			done += s.Rows
			c.Tables = append(c.Tables, s)
		}
		return nil
	})
	return c, err
}

// describe completes the header from the database and returns the tables.
func describe(tx *db.Tx, h *Header) (tables []db.Table, err error) {
	h.Created = tx.Now
	if h.Steps, err = tx.Taken(); err != nil {
		return nil, err
	}
	if tables, err = tx.Tables(); err != nil {
		return nil, err
	}
	for _, t := range tables {
		n, err := tx.Count(t)
		if err != nil {
			return nil, err
		}
		h.Rows += n
	}
	return tables, nil
}

func dumpTable(ctx context.Context, tx *db.Tx, t db.Table, to sink, report func(rows int64)) (Sum, error) {
	if err := to.table(t); err != nil {
		return Sum{}, err
	}
	var encoded []byte
	count := summing{hash: sha256.New()}
	err := tx.EachRow(t, func(values []any) (err error) {
		if encoded, err = appendRow(encoded[:0], values); err != nil {
			return err
		}
		count.add(encoded)
		if count.rows%checkEvery == 0 {
			report(count.rows)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return to.row(values, encoded)
	})
	if err != nil {
		return Sum{}, err
	}
	s := count.sum(t.Name)
	return s, to.end(s)
}

// file is the sink that writes the format.
type file struct {
	records *bufio.Writer // into hash and zip
	hash    hash.Hash
	zip     *gzip.Writer
}

func newFile(w io.Writer) (*file, error) {
	if _, err := io.WriteString(w, magic); err != nil {
		return nil, err
	}
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	f := &file{hash: sha256.New(), zip: zip}
	f.records = bufio.NewWriterSize(io.MultiWriter(f.hash, zip), 1<<16)
	return f, nil
}

// Letters of records.
const (
	headRecord  = 'H'
	tableRecord = 'T'
	rowRecord   = 'R'
	sumRecord   = 'S'
	endRecord   = 'E'
)

func (f *file) record(letter byte, payload []byte) error {
	var head [1 + binary.MaxVarintLen64]byte
	head[0] = letter
	n := binary.PutUvarint(head[1:], uint64(len(payload)))
	if _, err := f.records.Write(head[:1+n]); err != nil {
		return err
	}
	_, err := f.records.Write(payload)
	return err
}

func (f *file) json(letter byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.record(letter, text)
}

func (f *file) begin(h Header) error              { return f.json(headRecord, h) }
func (f *file) table(t db.Table) error            { return f.json(tableRecord, t) }
func (f *file) row(_ []any, encoded []byte) error { return f.record(rowRecord, encoded) }
func (f *file) end(s Sum) error                   { return f.json(sumRecord, s) }

// ending is the last record.
type ending struct {
	SHA256 string `json:"sha256"`
}

// close ends the file. An incomplete one gets no last record, so that readers refuse it.
func (f *file) close(whole bool) error {
	if !whole {
		return nil
	}
	if err := f.records.Flush(); err != nil {
		return err
	}
	if err := f.json(endRecord, ending{hex.EncodeToString(f.hash.Sum(nil))}); err != nil {
		return err
	}
	return errors.Join(f.records.Flush(), f.zip.Close())
}
