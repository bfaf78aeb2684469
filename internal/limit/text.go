package limit

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/djauthy/djauthy/internal/db"
)

// texts are a statement for up to seven rows, which nearly all calls have, made once.
type texts [8]string

var takes, giveBacks = makeTexts(makeTake), makeTexts(makeGiveBack)

func makeTexts(text func(rows int) string) (f texts) {
	for n := 1; n < len(f); n++ {
		f[n] = text(n)
	}
	return f
}

func takeText(rows int) string {
	if rows < len(takes) {
		return takes[rows]
	}
	return makeTake(rows)
}

func giveBackText(rows int) string {
	if rows < len(giveBacks) {
		return giveBacks[rows]
	}
	return makeGiveBack(rows)
}

// countText is the statement that counts events in n rows at the time $1. A stored time
// in the past means that nothing is spent.
func countText(n int) string {
	return `INSERT INTO budgets (key, spent_to, spent_to_2, last_take) VALUES ` + placeholders(n, 4, 2) + `
		ON CONFLICT (key) DO UPDATE SET last_take = excluded.last_take,
			spent_to = CASE WHEN budgets.spent_to <= $1 THEN excluded.spent_to ELSE budgets.spent_to + excluded.spent_to - $1 END,
			spent_to_2 = CASE WHEN budgets.spent_to_2 <= $1 THEN excluded.spent_to_2 ELSE budgets.spent_to_2 + excluded.spent_to_2 - $1 END`
}

func countArgs(all []row, now int64, take db.ID) []any {
	args := make([]any, 0, 1+6*len(all))
	args = append(args, now)
	for i := range all {
		l := &all[i]
		args = append(args, l.key[:], now+l.rates[0].cost, now+l.rates[1].cost, take)
	}
	return args
}

// makeTake is countText for the rows that have room; it leaves the others unchanged. It has
// no RETURNING to say which those are: that would double its cost.
func makeTake(n int) string {
	var b strings.Builder
	b.WriteString(countText(n) + ` WHERE budgets.spent_to <= CASE budgets.key`)
	for i := range n {
		fmt.Fprintf(&b, " WHEN $%d THEN CAST($%d AS BIGINT)", 2+4*i, 2+4*n+i)
	}
	b.WriteString(` END AND budgets.spent_to_2 <= CASE budgets.key`)
	for i := range n {
		fmt.Fprintf(&b, " WHEN $%d THEN CAST($%d AS BIGINT)", 2+4*i, 2+5*n+i)
	}
	b.WriteString(" END")
	return b.String()
}

func takeArgs(all []row, now int64, take db.ID) []any {
	args := countArgs(all, now, take)
	for i := range 2 {
		for _, l := range all {
			args = append(args, l.rates[i].latest(now))
		}
	}
	return args
}

// makeGiveBack is the statement that returns events to n rows. A row that the sweeper
// deleted is created again with a time in the past, which means that nothing is spent.
func makeGiveBack(n int) string {
	return `INSERT INTO budgets (key, spent_to, spent_to_2, last_take) VALUES ` + strings.ReplaceAll(placeholders(n, 3, 1), ")", ", 0)") + `
		ON CONFLICT (key) DO UPDATE SET spent_to = budgets.spent_to - excluded.spent_to, spent_to_2 = budgets.spent_to_2 - excluded.spent_to_2`
}

// placeholders is "($2, $3), ($4, $5)" for n rows of width placeholders, numbered from
// first.
func placeholders(n, width, first int) string {
	var b strings.Builder
	for i := range n * width {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%width == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String() + ")"
}
