package ungleichotp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/services"
)

const (
	// pageSize is how many entries are read at once.
	pageSize = 1000
	// listFor bounds how long a client may take to read them all.
	listFor = 10 * time.Minute
)

// list shows all entries, in the order of their IDs. More than a page are sent page by
// page, as they are read.
func (s *Server) list(x *call) error {
	if err := s.authorize(x); err != nil {
		return err
	}
	first, next, err := s.page(x.UserContext(), 0)
	if err != nil {
		return err
	}
	if next == 0 {
		return send(x.Ctx, append(append([]byte("["), first...), ']'))
	}
	x.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	door.Stream(x.Ctx, func(w *bufio.Writer) {
		ctx, cancel := context.WithTimeout(context.Background(), listFor)
		defer cancel()
		_, err := w.Write(append([]byte("["), first...))
		for err == nil && next != 0 {
			var text []byte
			if text, next, err = s.page(ctx, next); err != nil || len(text) == 0 {
				break
			}
			if err = w.WriteByte(','); err == nil {
				_, err = w.Write(text)
			}
		}
		if err != nil { // without its end the client sees that the list is incomplete
			s.Log.Error("a list of services was cut short", "err", err)
			return
		}
		_ = w.WriteByte(']')
	})
	return nil
}

// page reads entries after an ID as JSON, with commas between them. next is where the
// next page begins; 0: this was the last.
func (s *Server) page(ctx context.Context, after services.ID) (text []byte, next services.ID, err error) {
	some, err := s.Services.Entries(ctx, after, pageSize)
	if err != nil {
		return nil, 0, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i, x := range some {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(toEntry(x)); err != nil {
			return nil, 0, err
		}
		b.Truncate(b.Len() - 1) // the line break
	}
	if len(some) == pageSize {
		next = some[len(some)-1].ID
	}
	return b.Bytes(), next, nil
}
