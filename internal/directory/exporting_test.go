package directory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signin/signintest"
)

func TestExportHoldsEverythingKept(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		ann := signintest.Addr(t, "ann@example.org")
		b, other := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		other.By.Client = audit.Client{Prefix: "2001:db8::/48", Agent: "Safari/iOS"}
		b.SignsIn(t, ann)
		h.Clock.Advance(time.Second)
		b.Types(t, other.Gets(t, ann).Code)
		h.Clock.Advance(time.Second)
		other.By.Attempt = h.Browser("").By.Attempt
		other.SignsIn(t, ann)
		dbtest.Check(t, h.Directory.SaveSettings(t.Context(), b.Owner(), "Annabel", "Lee", "de"))
		text, history := exported(t, h, b)
		e, err := h.Exports(t.Context(), h.User(t, b))
		dbtest.Check(t, err)
		for _, part := range []string{
			`"first_name":"Annabel"`, `"last_name":"Lee"`, `"language":"de"`, `"email":"ann@example.org"`, `"is_active":true`,
			`"implementation":"email","identifier":"ann@example.org"`, `"browser":"Safari/iOS"`, `"network":"2001:db8::/48"`, `"factor":"email"`,
		} {
			if !strings.Contains(text, part) {
				t.Errorf("%s is missing in %s", part, text)
			}
		}
		dbtest.Want(t, len(e.Sessions), 2)
		dbtest.Want(t, len(e.Sessions[0].Proofs), 1)
		dbtest.Want(t, history, len(h.Events(t, h.User(t, b)))) // with the line of the export itself

		// A column that is added to a person's row has to be thought of here.
		var columns []string
		for _, l := range strings.Split(strings.TrimSpace(h.Dump(t)["users"][0]), "\n") {
			name, _, _ := strings.Cut(l, "=")
			columns = append(columns, name)
		}
		for _, name := range columns {
			if !strings.Contains(text, `"`+name+`":`) {
				t.Errorf("users.%s is not exported", name)
			}
		}
	})
}

// exported is a person's export in compact form, and how many lines of history it has.
func exported(t *testing.T, h *signintest.House, b *signintest.Browser) (text string, history int) {
	t.Helper()
	e, err := h.Directory.ExportOwn(t.Context(), b.Owner())
	dbtest.Check(t, err)
	var written, compact bytes.Buffer
	dbtest.Check(t, e.Write(t.Context(), &written))
	dbtest.Check(t, json.Compact(&compact, written.Bytes()))
	var x struct{ History []struct{ At, Event string } }
	dbtest.Check(t, json.Unmarshal(compact.Bytes(), &x))
	return compact.String(), len(x.History)
}

// The writer is busy for as long as this test likes, and reading goes on.
func TestAnExportWaitsForTheWriterOnlyToSayThatItWasAskedFor(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, signintest.Addr(t, "ann@example.org"))
		e, err := h.Directory.ExportOwn(t.Context(), b.Owner())
		dbtest.Check(t, err)
		busyWriter(t, h)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		dbtest.Check(t, e.Write(ctx, io.Discard))
	})
}

func TestExportPagesThroughALongHistory(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, signintest.Addr(t, "ann@example.org"))
		user := h.User(t, b)
		before := len(h.Events(t, user))
		h.Update(t, func(tx *db.Tx) error {
			var err error
			for range 1200 {
				err = errors.Join(err, audit.Write(tx, db.ID(user), audit.Visitor, audit.CodeSent, audit.Client{}))
			}
			return err
		})
		_, history := exported(t, h, b)
		dbtest.Want(t, history, before+1200+1)
	})
}

// forgets is a writer that removes the history once some of it has been written.
type forgets struct {
	text   bytes.Buffer
	forget func()
}

func (w *forgets) Write(p []byte) (int, error) {
	if w.forget != nil && bytes.Contains(p, []byte(`"event"`)) {
		w.forget()
		w.forget = nil
	}
	return w.text.Write(p)
}

// What is removed while an export is written was not read before.
func TestAnExportReadsItsHistoryPageByPage(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, signintest.Addr(t, "ann@example.org"))
		user := h.User(t, b)
		h.Update(t, func(tx *db.Tx) error {
			var err error
			for range 1200 {
				err = errors.Join(err, audit.Write(tx, db.ID(user), audit.Visitor, audit.CodeSent, audit.Client{}))
			}
			return err
		})
		e, err := h.Exports(t.Context(), user)
		dbtest.Check(t, err)
		w := &forgets{forget: func() { h.Exec(t, `DELETE FROM audit`) }}
		dbtest.Check(t, e.Write(t.Context(), w))
		dbtest.Want(t, json.Valid(w.text.Bytes()), true)
		if n := bytes.Count(w.text.Bytes(), []byte(`"event"`)); n > 500 {
			t.Errorf("%d lines were read at once", n)
		}
	})
}
