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
	"slices"
	"strings"

	"github.com/djauthy/djauthy/internal/db"
)

// maxRecord bounds a record, so that a damaged length takes no memory: far more than
// any row has.
const maxRecord = 64 << 20

// Verify reads a backup to its end and recomputes every hash in it.
func Verify(ctx context.Context, r io.Reader, p Progress) (Contents, error) {
	return replay(ctx, r, discard{}, "checking", p)
}

// replay hands every row of a backup to a sink. what names the work for Progress.
func replay(ctx context.Context, r io.Reader, to sink, what string, p Progress) (c Contents, err error) {
	in, err := open(r)
	if err != nil {
		return c, err
	}
	if c.Header, err = in.header(); err != nil {
		return c, err
	}
	if err := to.begin(c.Header); err != nil {
		return c, err
	}
	for done := int64(0); ; {
		t, more, err := in.table()
		if err != nil || !more {
			return c, err
		}
		s, err := in.rows(ctx, t, to, func(n int64) { p.report(what, done+n, c.Rows) })
		if err != nil {
			return c, err
		}
		done += s.Rows
		c.Tables = append(c.Tables, s)
	}
}

// reader reads records and hashes them.
type reader struct {
	in      *bufio.Reader
	hash    hash.Hash
	payload []byte
}

func open(r io.Reader) (*reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	line, err := b.ReadSlice('\n')
	switch {
	case err == nil && string(line) == magic:
	case err == nil && strings.HasPrefix(string(line), magicStart):
		return nil, fmt.Errorf("%w (its format is %.20q)", ErrNewer, strings.TrimSpace(string(line)))
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("%w: it does not begin as one", ErrFormat)
	default:
		return nil, err
	}
	zip, err := gzip.NewReader(b)
	if err != nil {
		return nil, damaged(err)
	}
	return &reader{in: bufio.NewReaderSize(zip, 1<<16), hash: sha256.New()}, nil
}

// damaged turns an error in the middle of the file into one that says what is wrong.
func damaged(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends too early", ErrFormat)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), strings.HasPrefix(err.Error(), "flate: "):
		return fmt.Errorf("%w: it is damaged (%w)", ErrFormat, err)
	}
	return err
}

// next reads a record; the payload is valid until the next call.
func (r *reader) next() (letter byte, payload []byte, err error) {
	if letter, err = r.in.ReadByte(); err != nil {
		return 0, nil, damaged(err)
	}
	size, err := binary.ReadUvarint(r.in)
	if err != nil {
		return 0, nil, damaged(err)
	}
	if size > maxRecord {
		return 0, nil, fmt.Errorf("%w: a record of %d bytes", ErrFormat, size)
	}
	r.payload = slices.Grow(r.payload[:0], int(size))[:size]
	if _, err := io.ReadFull(r.in, r.payload); err != nil {
		return 0, nil, damaged(err)
	}
	if letter != endRecord {
		_, _ = r.hash.Write(binary.AppendUvarint([]byte{letter}, size))
		_, _ = r.hash.Write(r.payload)
	}
	return letter, r.payload, nil
}

// header reads the first record. It refuses a backup with migrations that this djauthy
// does not know.
func (r *reader) header() (h Header, err error) {
	letter, payload, err := r.next()
	if err != nil {
		return h, err
	}
	if letter != headRecord {
		return h, fmt.Errorf("%w: it has no header", ErrFormat)
	}
	if err := json.Unmarshal(payload, &h); err != nil {
		return h, fmt.Errorf("%w: its header: %w", ErrFormat, err)
	}
	known, err := db.Steps()
	if err != nil {
		return h, err
	}
	for _, s := range h.Steps {
		if !slices.Contains(known, s.Name) {
			return h, fmt.Errorf("%w (it is from djauthy %s and has the step %s)", ErrNewer, h.Version, s.Name)
		}
	}
	return h, nil
}

// table reads the description of the next table; more is false at the end of the file.
func (r *reader) table() (t db.Table, more bool, err error) {
	letter, payload, err := r.next()
	if err != nil {
		return t, false, err
	}
	switch letter {
	case tableRecord:
		if err := json.Unmarshal(payload, &t); err != nil {
			return t, false, fmt.Errorf("%w: a table: %w", ErrFormat, err)
		}
		return t, true, nil
	case endRecord:
		return t, false, r.end(payload)
	}
	return t, false, fmt.Errorf("%w: the record %q out of its place", ErrFormat, letter)
}

// end compares the hash of all records. Nothing may follow it.
func (r *reader) end(payload []byte) error {
	var e ending
	if err := json.Unmarshal(payload, &e); err != nil {
		return fmt.Errorf("%w: its end: %w", ErrFormat, err)
	}
	if e.SHA256 != hex.EncodeToString(r.hash.Sum(nil)) {
		return fmt.Errorf("%w: its contents do not have the hash that stands at its end", ErrFormat)
	}
	if _, err := r.in.ReadByte(); err == nil {
		return fmt.Errorf("%w: something comes after its end", ErrFormat)
	} else if !errors.Is(err, io.EOF) {
		return damaged(err)
	}
	return nil
}

// rows reads the rows of a table and compares their Sum.
func (r *reader) rows(ctx context.Context, t db.Table, to sink, report func(rows int64)) (Sum, error) {
	if err := to.table(t); err != nil {
		return Sum{}, err
	}
	values := make([]any, len(t.Columns))
	count := summing{hash: sha256.New()}
	for {
		if count.rows%checkEvery == 0 {
			report(count.rows)
			if err := ctx.Err(); err != nil {
				return Sum{}, err
			}
		}
		letter, payload, err := r.next()
		if err != nil {
			return Sum{}, err
		}
		switch letter {
		case rowRecord:
			if err := parseRow(payload, t, values); err != nil {
				return Sum{}, err
			}
			count.add(payload)
			if err := to.row(values, payload); err != nil {
				return Sum{}, err
			}
		case sumRecord:
			var want Sum
			if err := json.Unmarshal(payload, &want); err != nil || want != count.sum(t.Name) {
				return Sum{}, fmt.Errorf("%w: the rows of the table %s do not have the hash that stands after them", ErrFormat, t.Name)
			}
			return want, to.end(want)
		default:
			return Sum{}, fmt.Errorf("%w: the record %q among the rows of %s", ErrFormat, letter, t.Name)
		}
	}
}
