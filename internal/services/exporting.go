package services

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"
)

// Exporter writes entries with their seeds in a format.
type Exporter struct {
	Entry func(Entry) error
	End   func() error
}

// ExportCSV writes CSV with the columns that import reads.
func ExportCSV(w io.Writer) Exporter {
	c := csv.NewWriter(w)
	head := c.Write([]string{"id", "name", "realm", "seed", "expires"})
	return Exporter{Entry: func(s Entry) error {
		return errors.Join(head, c.Write([]string{strconv.FormatInt(int64(s.ID), 10), s.Name, s.Realm, s.Seed, Ends(s)}))
	}, End: func() error {
		c.Flush()
		return c.Error()
	}}
}

// Ends is when an entry ends, in RFC 3339; "" for never.
func Ends(s Entry) string {
	if s.Expires.IsZero() {
		return ""
	}
	return s.Expires.Format(time.RFC3339Nano)
}

// exported are the fields of an entry in JSON.
type exported struct {
	Name    string `json:"name"`
	Realm   string `json:"realm"`
	Seed    string `json:"seed"`
	Expires string `json:"expires,omitempty"`
}

func exportedOf(s Entry) exported {
	return exported{Name: s.Name, Realm: s.Realm, Seed: s.Seed, Expires: Ends(s)}
}

func encoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

// ExportLines writes a JSON object on each line.
func ExportLines(w io.Writer) Exporter {
	enc := encoder(w)
	return Exporter{Entry: func(s Entry) error {
		return enc.Encode(struct {
			ID ID `json:"id"`
			exported
		}{s.ID, exportedOf(s)})
	}, End: func() error { return nil }}
}

// ExportList writes what dumpdata of the original writes, with when an entry ends.
func ExportList(w io.Writer) Exporter {
	type object struct {
		Model  string   `json:"model"`
		PK     ID       `json:"pk"`
		Fields exported `json:"fields"`
	}
	between, enc := "[", encoder(w)
	return Exporter{Entry: func(s Entry) error {
		_, err := io.WriteString(w, between)
		between = ","
		return errors.Join(err, enc.Encode(object{"otpauth.otpseed", s.ID, exportedOf(s)}))
	}, End: func() error {
		end := "]\n"
		if between == "[" {
			end = "[]\n"
		}
		_, err := io.WriteString(w, end)
		return err
	}}
}
