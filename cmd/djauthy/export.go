package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/terminal"
)

type servicesExportCmd struct {
	Format string `enum:"json,jsonl,csv,dumpdata" default:"json" help:"json (a list) or jsonl (an object on each line) or csv: with the ends of triples, for import. dumpdata: what loaddata of the original takes, which knows no ends." placeholder:"json|jsonl|csv|dumpdata"`
	CSV    bool   `name:"csv" help:"The same as --format csv."`
}

// Run prints all triples with their seeds, in a form that import reads. Each page is read
// in a transaction of its own, so that a slow reader of the output keeps none open.
func (c servicesExportCmd) Run(e *env) error {
	if c.CSV {
		if c.Format != "json" && c.Format != "csv" {
			return usageError{fmt.Errorf("--csv and --format %s contradict each other", c.Format)}
		}
		c.Format = "csv"
	}
	h, err := e.open()
	if err != nil {
		return err
	}
	w := bufio.NewWriter(e.stdout)
	x := c.exporter(e, w)
	for after, more := services.ID(0), true; more && err == nil; {
		after, more, err = exportPage(e, h, x, after)
	}
	if err == nil {
		err = x.End()
	}
	return errors.Join(err, w.Flush(), h.close())
}

// exportPage writes a page of entries after an ID. last is where the next page begins.
func exportPage(e *env, h *app, x services.Exporter, after services.ID) (last services.ID, more bool, err error) {
	page, err := h.services.Entries(e.ctx, after, terminal.Size)
	if err != nil {
		return after, false, err
	}
	for _, s := range page {
		after = s.ID
		if err := x.Entry(s); err != nil {
			return after, false, err
		}
	}
	return after, len(page) == terminal.Size, nil
}

func (c servicesExportCmd) exporter(e *env, w io.Writer) services.Exporter {
	switch c.Format {
	case "csv":
		return services.ExportCSV(w)
	case "jsonl":
		return services.ExportLines(w)
	case "dumpdata":
		return withoutEnds(e.stderr, services.ExportList(w))
	}
	return services.ExportList(w)
}

// withoutEnds leaves out when entries end, and names these entries on stderr: Django's
// loaddata refuses a field that its model does not have.
func withoutEnds(stderr io.Writer, x services.Exporter) services.Exporter {
	const maxNamed = 20
	var named []string
	n := 0
	return services.Exporter{Entry: func(s services.Entry) error {
		if !s.Expires.IsZero() {
			if n++; n <= maxNamed {
				named = append(named, terminal.Printable(s.String())+" ("+services.Ends(s)+")")
			}
			s.Expires = time.Time{}
		}
		return x.Entry(s)
	}, End: func() error {
		if n > maxNamed {
			named = append(named, fmt.Sprintf("and %d more", n-maxNamed))
		}
		if n > 0 {
			fmt.Fprintf(stderr, "djauthy: dumpdata has no field for when an entry ends, so these would never end there: %s; the other formats keep it\n", strings.Join(named, ", "))
		}
		return x.End()
	}}
}
