package services

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Row is a triple that is brought along from elsewhere.
type Row struct {
	Line int    // of the file in CSV, or the how-manieth object in JSON; from 1
	ID   ID     // its number there; 0: it has none
	Name string // for App: the UUID
	Realm,
	Seed string
	Expires time.Time // zero: never
	// Problem says why the row cannot be read; "" if it can.
	Problem string
	// Skip says that it is something else, and what.
	Skip string
}

// Rows reads triples one after the other, until io.EOF. Any other error ends the
// file: what follows cannot be read.
type Rows interface{ Next() (Row, error) }

// ReadRows reads Django's dumpdata JSON or, with a head of name, realm, seed and
// perhaps id and expires (RFC 3339) in any order, CSV.
func ReadRows(r io.Reader, isCSV bool) (Rows, error) {
	if isCSV {
		return readCSV(r)
	}
	return readDump(r)
}

type dump struct {
	d *json.Decoder
	n int
}

func readDump(r io.Reader) (Rows, error) {
	d := json.NewDecoder(r)
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.New("this is no dumpdata: JSON that begins with a list is needed")
	}
	return &dump{d: d}, nil
}

// Next reads an object. Django writes {"model": "app.model", "pk": 1, "fields":
// {"name": …}}; any model that has a name, a realm and a seed is a triple, for the
// original has changed its model's name.
func (x *dump) Next() (Row, error) {
	if !x.d.More() {
		if _, err := x.d.Token(); err != nil {
			return Row{}, fmt.Errorf("the file is cut off after object %d", x.n)
		}
		return Row{}, io.EOF
	}
	x.n++
	var o struct {
		Model  string          `json:"model"`
		PK     json.RawMessage `json:"pk"`
		Fields map[string]any  `json:"fields"`
	}
	if err := x.d.Decode(&o); err != nil {
		return Row{}, fmt.Errorf("object %d cannot be read: %v", x.n, err) //nolint:errorlint // an io.EOF in it is no good end
	}
	row := Row{Line: x.n}
	if _, ok := o.Fields["seed"]; !ok {
		row.Skip = o.Model
		return row, nil
	}
	row.ID = number(strings.Trim(string(o.PK), `"`))
	for _, f := range []struct {
		name string
		at   *string
	}{{"name", &row.Name}, {"realm", &row.Realm}, {"seed", &row.Seed}} {
		text, ok := o.Fields[f.name].(string)
		if !ok && row.Problem == "" {
			row.Problem = f.name + " is missing, or is no text"
		}
		*f.at = text
	}
	if v := o.Fields["expires"]; v != nil {
		text, _ := v.(string) // what is none is no time either
		row.end(text)
	}
	return row, nil
}

// end reads when an entry ends.
func (r *Row) end(text string) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	switch {
	case err == nil:
		r.Expires = at
		if at.IsZero() { // over, and not never
			r.Expires = time.UnixMilli(1)
		}
	case r.Problem == "":
		r.Problem = "expires is no time such as 2027-01-31 or 2027-01-31T12:00:00Z"
	}
}

func number(text string) ID {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0
	}
	return ID(n)
}

type sheet struct {
	r     *csv.Reader
	head  map[string]int
	width int
}

// byteOrderMark is what spreadsheets begin a CSV with.
const byteOrderMark = "\ufeff"

func readCSV(r io.Reader) (Rows, error) {
	text := bufio.NewReader(r)
	if mark, _ := text.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark)) // it was peeked at
	}
	c := csv.NewReader(text)
	c.FieldsPerRecord = -1
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("the head of the CSV cannot be read: %w", err)
	}
	s := &sheet{c, map[string]int{}, len(head)}
	for i, name := range head {
		s.head[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range []string{"name", "realm", "seed"} {
		if _, ok := s.head[name]; !ok {
			return nil, fmt.Errorf("the CSV has no column %q; its first line has to name the columns name, realm, seed and perhaps id and expires, separated by commas", name)
		}
	}
	return s, nil
}

// Next reads a line.
func (s *sheet) Next() (row Row, err error) {
	record, err := s.r.Read()
	if err == nil {
		row.Line, _ = s.r.FieldPos(0)
	}
	if wrong := (*csv.ParseError)(nil); errors.As(err, &wrong) {
		row.Line, row.Problem = wrong.StartLine, wrong.Err.Error()
		return row, nil
	} else if err != nil {
		return row, err
	}
	if len(record) != s.width {
		row.Problem = fmt.Sprintf("it has %d columns and the head has %d", len(record), s.width)
		return row, nil
	}
	at := func(name string) string {
		i, ok := s.head[name]
		if !ok {
			return ""
		}
		return record[i]
	}
	row.ID, row.Name, row.Realm, row.Seed = number(at("id")), at("name"), at("realm"), at("seed")
	if end := Trim(at("expires")); end != "" {
		row.end(end)
	}
	return row, nil
}
