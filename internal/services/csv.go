package services

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// csvRows reads CSV.
type csvRows struct {
	r     *csv.Reader
	in    *limitedReader
	head  map[string]int
	width int
	last  int // the line of the previous row
}

// limitedReader fails with errRecordTooLong after a number of bytes: a quote that is never
// closed would make one record of the rest of a file.
type limitedReader struct {
	io.Reader
	left int
}

// Read reads while there are bytes left.
func (x *limitedReader) Read(p []byte) (int, error) {
	if x.left <= 0 {
		return 0, errRecordTooLong
	}
	n, err := x.Reader.Read(p[:min(len(p), x.left)])
	x.left -= n
	return n, err
}

func readCSV(r io.Reader) (Rows, error) {
	in := &limitedReader{r, MaxRecord}
	c := csv.NewReader(in)
	c.FieldsPerRecord = -1
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("the head of the CSV cannot be read: %w", err)
	}
	s := &csvRows{r: c, in: in, head: map[string]int{}, width: len(head)}
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

// Next reads a record.
func (s *csvRows) Next() (row Row, err error) {
	s.in.left = MaxRecord
	record, err := s.r.Read()
	if err == nil {
		row.Line, _ = s.r.FieldPos(0)
	}
	if wrong := (*csv.ParseError)(nil); errors.As(err, &wrong) {
		row.Line, row.Problem = wrong.StartLine, wrong.Err.Error()
		return row, nil
	} else if errors.Is(err, errRecordTooLong) {
		return row, fmt.Errorf("the row after line %d cannot be read: %w; is a quote not closed?", s.last, err)
	} else if err != nil {
		return row, err
	}
	s.last = row.Line
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
		row.setExpires(end)
	}
	return row.short(), nil
}
