package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
)

// table prints rows under a head, for people.
func (e *env) table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.TrimRight(strings.Join(head, "\t"), "\t"))
	for _, r := range rows {
		cells := slices.Clone(r)
		for i, cell := range cells {
			if cells[i] = printable(cell); cell == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
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

func sortedRows(counts map[string]int64) (rows [][]string) {
	for kind, n := range counts {
		rows = append(rows, []string{kind, fmt.Sprint(n)})
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
