// Package terminal is what commands share in talking to a terminal or a program: lists as
// tables or JSON, progress, and questions. It knows nothing of what is listed.
package terminal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Size is how many entries of a list one read takes.
const Size = 500

// Out is where a command prints its answer.
type Out struct {
	W    io.Writer
	JSON bool // for programs
}

// Print writes v as JSON.
func (o Out) Print(v any) error {
	enc := json.NewEncoder(o.W)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Say prints v as JSON if that is asked for, else the text.
func (o Out) Say(v any, text string) error {
	if o.JSON {
		return o.Print(v)
	}
	_, err := fmt.Fprintln(o.W, Printable(text))
	return err
}

// OrNull is a time for JSON: null for the zero time.
func OrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Date is a time for a table, to the minute; "" for none.
func Date(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format("2006-01-02 15:04")
}

// Line is an entry of a list.
type Line struct {
	value any // as JSON
	cells []string
}

// Row returns a line: as JSON, and as the cells of a table.
func Row(value any, cells ...string) Line { return Line{value, cells} }

// List prints what page reads, which is called with where the page before ended. No more
// than a page is held in memory, and nothing is read while it is being written: whoever
// reads the output may be slow.
func List[K any](o Out, head []string, page func(from K) (lines []Line, next K, more bool, err error)) error {
	l := o.listing(head)
	for from, more := *new(K), true; more; {
		var lines []Line
		var err error
		if lines, from, more, err = page(from); err != nil {
			return err
		}
		if err := l.page(lines); err != nil {
			return err
		}
	}
	return l.end()
}

// listing writes a list page by page: JSON as one list, or a table.
type listing struct {
	w      *bufio.Writer
	json   bool
	head   []string
	widths []int // of the table's columns, as far as it is read
	some   bool
}

func (o Out) listing(head []string) *listing {
	return &listing{w: bufio.NewWriter(o.W), json: o.JSON, head: head}
}

func (l *listing) page(lines []Line) error {
	write := l.table
	if l.json {
		write = l.elements
	}
	if err := write(lines); err != nil {
		return err
	}
	l.some = l.some || len(lines) > 0
	return l.w.Flush()
}

func (l *listing) end() error {
	if l.json {
		end := "[]\n"
		if l.some {
			end = "\n]\n"
		}
		if _, err := l.w.WriteString(end); err != nil {
			return err
		}
	}
	return l.w.Flush()
}

func (l *listing) elements(lines []Line) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("  ", "  ")
	for i, x := range lines {
		text.Reset()
		if err := enc.Encode(x.value); err != nil {
			return err
		}
		between := ",\n  "
		if i == 0 && !l.some {
			between = "[\n  "
		}
		if _, err := fmt.Fprint(l.w, between, strings.TrimSuffix(text.String(), "\n")); err != nil {
			return err
		}
	}
	return nil
}

// table writes rows below the head. Columns are as wide as what was read so far needs,
// so the rows of a later page may stand further to the right.
func (l *listing) table(lines []Line) error {
	rows := make([][]string, 0, len(lines)+1)
	if l.head != nil {
		rows = append(rows, l.head)
	}
	for _, x := range lines {
		row := make([]string, len(x.cells))
		for i, cell := range x.cells {
			row[i] = Printable(cell)
			if cell == "" {
				row[i] = "-"
			}
		}
		rows = append(rows, row)
	}
	l.head = nil
	for _, row := range rows {
		for i, cell := range row {
			if i == len(l.widths) {
				l.widths = append(l.widths, 0)
			}
			l.widths[i] = max(l.widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		if _, err := io.WriteString(l.w, l.aligned(row)); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) aligned(row []string) string {
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(cell)
		b.WriteString(strings.Repeat(" ", l.widths[i]-utf8.RuneCountInString(cell)+2))
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

// Table prints rows under a head, for people.
func (o Out) Table(head []string, rows [][]string) error {
	lines := make([]Line, 0, len(rows))
	for _, row := range rows {
		lines = append(lines, Line{cells: row})
	}
	l := o.listing(head)
	l.json = false
	return l.page(lines)
}

// Printable is a text that cannot drive a terminal or forge a row: what others
// have named is shown in lists.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
