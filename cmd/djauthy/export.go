package main

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

	"github.com/djauthy/djauthy/internal/services"
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
		err = x.end()
	}
	return errors.Join(err, w.Flush(), h.close())
}

// exportPage writes a page of entries after an ID. last is where the next page begins.
func exportPage(e *env, h *app, x exporter, after services.ID) (last services.ID, more bool, err error) {
	page, err := h.services.Entries(e.ctx, after, listSize)
	if err != nil {
		return after, false, err
	}
	for _, s := range page {
		after = s.ID
		if err := x.entry(s); err != nil {
			return after, false, err
		}
	}
	return after, len(page) == listSize, nil
}

// exporter writes entries in a format.
type exporter struct {
	entry func(services.Entry) error
	end   func() error
}

func (c servicesExportCmd) exporter(e *env, w io.Writer) exporter {
	switch c.Format {
	case "csv":
		return exportCSV(w)
	case "jsonl":
		return exportLines(w)
	case "dumpdata":
		return withoutEnds(e.stderr, exportList(w))
	}
	return exportList(w)
}

func exportCSV(w io.Writer) exporter {
	c := csv.NewWriter(w)
	head := c.Write([]string{"id", "name", "realm", "seed", "expires"})
	return exporter{func(s services.Entry) error {
		return errors.Join(head, c.Write([]string{strconv.FormatInt(int64(s.ID), 10), s.Name, s.Realm, s.Seed, ends(s)}))
	}, func() error {
		c.Flush()
		return c.Error()
	}}
}

// ends is when an entry ends, in RFC 3339; "" for never.
func ends(s services.Entry) string {
	if s.Expires.IsZero() {
		return ""
	}
	return s.Expires.Format(time.RFC3339Nano)
}

// exported are the fields of an entry in JSON.
type exported struct {
	tripleJSON
	Expires string `json:"expires,omitempty"`
}

func exportedOf(s services.Entry) exported {
	return exported{tripleJSON{s.Name, s.Realm, s.Seed}, ends(s)}
}

func encoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

func exportLines(w io.Writer) exporter {
	enc := encoder(w)
	return exporter{func(s services.Entry) error {
		return enc.Encode(struct {
			ID services.ID `json:"id"`
			exported
		}{s.ID, exportedOf(s)})
	}, func() error { return nil }}
}

// exportList writes what dumpdata of the original writes, with when an entry ends.
func exportList(w io.Writer) exporter {
	type object struct {
		Model  string      `json:"model"`
		PK     services.ID `json:"pk"`
		Fields exported    `json:"fields"`
	}
	between, enc := "[", encoder(w)
	return exporter{func(s services.Entry) error {
		_, err := io.WriteString(w, between)
		between = ","
		return errors.Join(err, enc.Encode(object{"otpauth.otpseed", s.ID, exportedOf(s)}))
	}, func() error {
		end := "]\n"
		if between == "[" {
			end = "[]\n"
		}
		_, err := io.WriteString(w, end)
		return err
	}}
}

// withoutEnds leaves out when entries end, and names these entries on stderr: Django's
// loaddata refuses a field that its model does not have.
func withoutEnds(stderr io.Writer, x exporter) exporter {
	const maxNamed = 20
	var named []string
	n := 0
	return exporter{func(s services.Entry) error {
		if !s.Expires.IsZero() {
			if n++; n <= maxNamed {
				named = append(named, printable(s.String())+" ("+ends(s)+")")
			}
			s.Expires = time.Time{}
		}
		return x.entry(s)
	}, func() error {
		if n > maxNamed {
			named = append(named, fmt.Sprintf("and %d more", n-maxNamed))
		}
		if n > 0 {
			fmt.Fprintf(stderr, "djauthy: dumpdata has no field for when an entry ends, so these would never end there: %s; the other formats keep it\n", strings.Join(named, ", "))
		}
		return x.end()
	}}
}
