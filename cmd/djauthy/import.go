package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/terminal"
)

type servicesImportCmd struct {
	File   string `arg:"" help:"JSON, a list or an object on each line (Django's dumpdata, or objects with name, realm, seed and perhaps id and expires), or CSV with these columns; - is standard input." placeholder:"FILE"`
	CSV    bool   `name:"csv" help:"The file is CSV; otherwise its name says so with .csv."`
	DryRun bool   `help:"Say what would become of each row and store nothing."`
}

// importChunk is how many rows are stored in one transaction.
const importChunk = 500

// importReport is what became of a file.
type importReport struct {
	Imported int          `json:"imported"`
	Present  int          `json:"present"`
	Skipped  int          `json:"skipped"`
	Refused  []refusedRow `json:"refused"`
	// More is how many rows were refused beyond the maxRefused that are named.
	More   int  `json:"more_refused,omitempty"`
	DryRun bool `json:"dry_run"`
}

type refusedRow struct {
	Line   int    `json:"line"`
	Name   string `json:"name"`
	Realm  string `json:"realm"`
	Reason string `json:"reason"`
}

// maxRefused is how many refused rows are named: a file of something else has millions.
const maxRefused = 10_000

// Run imports a file. Rows that were stored before it breaks off stay, and are Present when
// it is run again.
func (c servicesImportCmd) Run(e *env) error {
	in, name := e.stdin, "standard input"
	if c.File == "-" && terminal.Is(e.stdin) {
		fmt.Fprintln(e.stderr, "djauthy: reading rows from the terminal; Ctrl-D ends them")
	}
	if c.File != "-" {
		name = c.File
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	isCSV := c.CSV || strings.EqualFold(filepath.Ext(c.File), ".csv")
	rows, err := services.ReadRows(bufio.NewReaderSize(in, 1<<16), isCSV)
	switch {
	case errors.Is(err, services.ErrEmpty) && strings.EqualFold(filepath.Ext(c.File), ".jsonl"):
		return importReport{DryRun: c.DryRun, Refused: []refusedRow{}}.print(e) // an export of nothing
	case err != nil && !isCSV:
		return fmt.Errorf("%s: %w; if it is CSV, say so with --csv", name, err)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	h, err := e.open()
	if err != nil {
		return err
	}
	report, err := c.all(e, h, rows)
	if err = errors.Join(err, h.close()); err != nil {
		return fmt.Errorf("%s: %w (%d imported before; run it again to go on)", name, err, report.Imported)
	}
	return report.print(e)
}

// all imports, or tries in a dry run, chunk by chunk.
func (c servicesImportCmd) all(e *env, h *app, rows services.Rows) (r importReport, err error) {
	r.DryRun, r.Refused = c.DryRun, []refusedRow{}
	store := h.operator().Import
	if c.DryRun {
		store = h.services.NewDryRun().Rows
	}
	p := terminal.NewProgress(e.stderr)
	defer p.End()
	for {
		some, end := nextRows(rows, importChunk)
		tried, err := store(e.ctx, some)
		if err != nil {
			return r, err
		}
		for i, row := range some {
			r.count(row, tried[i])
		}
		p.Step(r.Imported + r.Present + r.Skipped + len(r.Refused) + r.More)
		if errors.Is(end, io.EOF) {
			return r, nil
		} else if end != nil {
			return r, end
		}
	}
}

// nextRows reads up to n rows, and the error that ended them.
func nextRows(rows services.Rows, n int) (some []services.Row, err error) {
	for len(some) < n {
		row, err := rows.Next()
		if err != nil {
			return some, err
		}
		some = append(some, row)
	}
	return some, nil
}

// count adds the result of a row to the report.
func (r *importReport) count(row services.Row, t services.RowResult) {
	switch t.Outcome {
	case services.Imported:
		r.Imported++
	case services.Present:
		r.Present++
	case services.Skipped:
		r.Skipped++
	case services.Rejected:
		if len(r.Refused) == maxRefused {
			r.More++
			return
		}
		r.Refused = append(r.Refused, refusedRow{Line: row.Line, Name: row.Name, Realm: row.Realm, Reason: t.Reason})
	}
}

func (r importReport) print(e *env) error {
	if e.json {
		if err := e.print(r); err != nil {
			return err
		}
	} else {
		for _, x := range r.Refused {
			who := ""
			if x.Name != "" {
				who = ", " + terminal.Printable(x.Name) + " in " + terminal.Printable(x.Realm)
			}
			fmt.Fprintf(e.stdout, "row %d%s: %s\n", x.Line, who, terminal.Printable(x.Reason))
		}
		if r.More > 0 {
			fmt.Fprintf(e.stdout, "%d more rows were refused\n", r.More)
		}
		would := ""
		if r.DryRun {
			would = " (dry run: nothing was stored)"
		}
		fmt.Fprintf(e.stdout, "%d imported, %d were here already, %d passed over (no triples), %d refused%s\n", r.Imported, r.Present, r.Skipped, len(r.Refused)+r.More, would)
	}
	return r.refusal()
}

// refusal says how many rows were refused, and what became of the others; nil if no row
// was refused.
func (r importReport) refusal() error {
	which, rest := fmt.Sprintf("%d rows were", len(r.Refused)+r.More), "the rest is stored, and the file can be imported again when they are mended"
	if r.DryRun {
		rest = "nothing was stored"
	}
	switch len(r.Refused) {
	case 0:
		return nil
	case 1:
		which = "1 row was"
	}
	return fmt.Errorf("%s refused; %s", which, rest)
}
