package main

import (
	"fmt"
	"slices"
	"strings"
)

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
