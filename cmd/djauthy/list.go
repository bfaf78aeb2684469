package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/db"
)

// listSize is how many entries of a list one read takes.
const listSize = 500

// line is an entry of a list: as JSON, and as the cells of a table.
type line struct {
	value any
	cells []string
}

// list prints what page reads in a transaction, as listPages does. read is how many
// entries it has read, fewer than listSize with the last page; not each of them need be a
// line.
func list[K any](e *env, h *app, head []string, page func(tx *db.Tx, from K) (lines []line, read int, next K, err error)) error {
	return listPages(e, head, func(from K) (lines []line, next K, more bool, err error) {
		read := 0
		err = h.db.View(e.ctx, func(tx *db.Tx) (err error) {
			lines, read, next, err = page(tx, from)
			return err
		})
		return lines, next, read == listSize, err
	})
}

// listPages prints what page reads, which is called with where the page before ended. No
// more than a page is held in memory, and nothing is read while it is being written: who
// reads the output may be slow.
func listPages[K any](e *env, head []string, page func(from K) (lines []line, next K, more bool, err error)) error {
	l := e.listing(head)
	for from, more := *new(K), true; more; {
		var lines []line
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

func (e *env) listing(head []string) *listing {
	return &listing{w: bufio.NewWriter(e.stdout), json: e.json, head: head}
}

func (l *listing) page(lines []line) error {
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

func (l *listing) elements(lines []line) error {
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
func (l *listing) table(lines []line) error {
	rows := make([][]string, 0, len(lines)+1)
	if l.head != nil {
		rows = append(rows, l.head)
	}
	for _, x := range lines {
		row := make([]string, len(x.cells))
		for i, cell := range x.cells {
			row[i] = printable(cell)
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

// table prints rows under a head, for people.
func (e *env) table(head []string, rows [][]string) error {
	lines := make([]line, 0, len(rows))
	for _, row := range rows {
		lines = append(lines, line{cells: row})
	}
	l := e.listing(head)
	l.json = false
	return l.page(lines)
}

// printable is a text that cannot drive a terminal or forge a row: what others
// have named is shown in lists.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
