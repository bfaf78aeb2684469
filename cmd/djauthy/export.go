package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

type servicesExportCmd struct {
	CSV bool `name:"csv" help:"CSV in place of dumpdata JSON."`
}

// Run prints all triples with their seeds, in a form that import reads.
func (c servicesExportCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	w := bufio.NewWriter(e.stdout)
	var write func(services.Entry) error
	finish := func() error { return nil }
	if c.CSV {
		write, finish = exportCSV(w)
	} else {
		write, finish = exportDump(w)
	}
	err = h.db.View(e.ctx, func(tx *db.Tx) error {
		for after := services.ID(0); ; {
			some, err := h.services.List(tx, after, listSize)
			if err != nil {
				return err
			}
			for _, s := range some {
				after = s.ID
				if err := write(s); err != nil {
					return err
				}
			}
			if len(some) < listSize {
				return finish()
			}
		}
	})
	return errors.Join(err, w.Flush(), h.close())
}

func exportCSV(w io.Writer) (func(services.Entry) error, func() error) {
	c := csv.NewWriter(w)
	head := c.Write([]string{"id", "name", "realm", "seed", "expires"})
	return func(s services.Entry) error {
			return errors.Join(head, c.Write([]string{strconv.FormatInt(int64(s.ID), 10), s.Name, s.Realm, s.Seed, ends(s)}))
		}, func() error {
			c.Flush()
			return c.Error()
		}
}

// ends is when an entry does, as RFC 3339; "" for never.
func ends(s services.Entry) string {
	if s.Expires.IsZero() {
		return ""
	}
	return s.Expires.Format(time.RFC3339Nano)
}

// exportDump writes what the original's dumpdata writes, and the end of an entry that
// has one.
func exportDump(w io.Writer) (func(services.Entry) error, func() error) {
	type fields struct {
		tripleJSON
		Expires string `json:"expires,omitempty"`
	}
	type object struct {
		Model  string      `json:"model"`
		PK     services.ID `json:"pk"`
		Fields fields      `json:"fields"`
	}
	between := "["
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(s services.Entry) error {
			_, err := io.WriteString(w, between)
			between = ","
			return errors.Join(err, enc.Encode(object{"otpauth.otpseed", s.ID, fields{tripleJSON{s.Name, s.Realm, s.Seed}, ends(s)}}))
		}, func() error {
			if between == "[" {
				_, err := io.WriteString(w, "[]\n")
				return err
			}
			_, err := io.WriteString(w, "]\n")
			return err
		}
}
