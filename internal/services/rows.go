package services

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/plainjson"
)

// The longest rows, in bytes. They bound the memory that a file of any size needs.
const (
	// MaxRow is the longest JSON object or line. A dump also has objects of other models.
	MaxRow = 1 << 20
	// MaxRecord is the longest record of CSV.
	MaxRecord = 64 << 10
)

// ErrEmpty reports an empty JSON file: JSON lines without an entry, or a file that was
// never written.
var ErrEmpty = errors.New("the file is empty")

var (
	errRowTooLong    = fmt.Errorf("it is longer than %d bytes", MaxRow)
	errRecordTooLong = fmt.Errorf("it is longer than %d bytes", MaxRecord)
)

// Row is a triple of another server.
type Row struct {
	Line              int // of the file in CSV and JSON lines, index of the object in a JSON list; from 1
	ID                ID  // 0: the row has none
	Name, Realm, Seed string
	Expires           time.Time // zero: never
	// Problem says why the row cannot be read; "" if it can.
	Problem string
	// Skip names what the row is if it is no triple.
	Skip string
}

// maxValue is how many bytes of a value are kept: a name of MaxText characters fits.
const maxValue = 4 * MaxText

// short cuts values that are longer than those of a triple, since many rows are held in
// memory at once.
func (r Row) short() Row {
	for _, value := range []*string{&r.Name, &r.Realm, &r.Seed, &r.Skip, &r.Problem} {
		*value = strings.TrimSpace(*value)
		if len(*value) <= maxValue {
			continue
		}
		if value != &r.Skip && value != &r.Problem && r.Problem == "" {
			r.Problem = fmt.Sprintf("a name, a realm and a seed have at most %d characters", MaxText)
		}
		*value = strings.ToValidUTF8(strings.Clone((*value)[:maxValue]), "")
	}
	return r
}

// Rows reads rows one after the other, until io.EOF. After any other error the rest of
// the file cannot be read.
type Rows interface{ Next() (Row, error) }

// ReadRows reads JSON or, with a head of name, realm, seed and perhaps id and expires
// (RFC 3339) in any order, CSV. The JSON is a list of objects or has one object on each
// line; an object is one of Django's dumpdata, or has the names of the CSV's head itself.
func ReadRows(r io.Reader, isCSV bool) (Rows, error) {
	text := bufio.NewReader(r)
	if mark, _ := text.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark)) // it was peeked at
	}
	if isCSV {
		return readCSV(text)
	}
	switch first, err := skipSpace(text); {
	case err == nil && first == '[':
		_, _ = text.Discard(1) // it was peeked at
		return &jsonList{r: text}, nil
	case err == nil && first == '{':
		return &jsonLines{r: text}, nil
	case errors.Is(err, io.EOF):
		return nil, ErrEmpty
	case err != nil:
		return nil, err
	}
	return nil, errors.New("this is no JSON that is known: a list of objects is needed, or an object on each line")
}

// byteOrderMark is what spreadsheets begin a CSV with.
const byteOrderMark = "\ufeff"

// skipSpace skips white space (RFC 8259 2) and peeks at the next byte.
func skipSpace(r *bufio.Reader) (byte, error) {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(c)) {
			return c, r.UnreadByte()
		}
	}
}

// list reads the objects of a JSON list.
type jsonList struct {
	r *bufio.Reader
	n int
}

// Next reads an object.
func (x *jsonList) Next() (Row, error) {
	more, err := x.more()
	switch {
	case err != nil:
		return Row{}, fmt.Errorf("the file is cut off after object %d: %v", x.n, err) //nolint:errorlint // an io.EOF in it is no good end
	case !more:
		return Row{}, io.EOF
	}
	x.n++
	text, err := object(x.r)
	if err != nil {
		return Row{}, fmt.Errorf("object %d cannot be read: %v", x.n, err) //nolint:errorlint // as above
	}
	row, err := readObject(text)
	row.Line = x.n
	if err != nil {
		return row, fmt.Errorf("object %d cannot be read: %w", x.n, err)
	}
	return row.short(), nil
}

// more skips what separates two objects, and reports whether there is another.
func (x *jsonList) more() (bool, error) {
	c, err := skipSpace(x.r)
	switch {
	case err != nil:
		return false, err
	case c == ']':
		return false, nil
	case x.n == 0:
		return true, nil
	case c != ',':
		return false, fmt.Errorf("there is %q in place of a comma", c)
	}
	_, _ = x.r.Discard(1) // it was peeked at
	_, err = skipSpace(x.r)
	return true, err
}

// object reads a JSON object to its end. It looks at strings and brackets alone.
func object(r *bufio.Reader) ([]byte, error) {
	var text []byte
	depth, inString, escaped := 0, false, false
	for {
		c, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if text = append(text, c); len(text) > MaxRow {
			return nil, errRowTooLong
		}
		switch {
		case len(text) == 1 && c != '{':
			return nil, fmt.Errorf("it begins with %q and not with {", c)
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 {
			return text, nil
		}
	}
}

// lines reads JSON lines: an object on each.
type jsonLines struct {
	r *bufio.Reader
	n int
}

// Next reads a line. A line that is no object is a row with a Problem.
func (x *jsonLines) Next() (Row, error) {
	for {
		text, err := line(x.r)
		x.n++
		if err != nil && !errors.Is(err, io.EOF) {
			return Row{}, fmt.Errorf("line %d cannot be read: %w", x.n, err)
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			row, wrong := readObject(text)
			row.Line = x.n
			if wrong != nil {
				row.Problem = "the line is not one JSON object: " + wrong.Error()
			}
			return row.short(), nil
		}
		if err != nil {
			return Row{}, err
		}
	}
}

// line reads up to the end of a line.
func line(r *bufio.Reader) (text []byte, err error) {
	for {
		some, err := r.ReadSlice('\n')
		if text = append(text, some...); len(text) > MaxRow {
			return nil, errRowTooLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, err
		}
	}
}

// readObject reads {"model": "app.model", "pk": 1, "fields": {"name": …}} as Django
// writes it, or {"id": 1, "name": …}. Any model with a seed is a triple, since the
// original has changed its model's name.
func readObject(text []byte) (Row, error) {
	var o struct {
		Model  *string         `json:"model"`
		PK     json.RawMessage `json:"pk"`
		Fields map[string]any  `json:"fields"`
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return Row{}, err
	}
	var row Row
	fields, id := o.Fields, o.PK
	if o.Model == nil && fields == nil {
		var own struct {
			ID json.RawMessage `json:"id"`
		}
		if err := errors.Join(json.Unmarshal(text, &fields), json.Unmarshal(text, &own)); err != nil {
			return Row{}, err
		}
		id = own.ID
	} else if _, ok := fields["seed"]; !ok {
		row.Skip = "an object without a model"
		if o.Model != nil {
			row.Skip = *o.Model
		}
		return row, nil
	}
	if !utf8.Valid(text) || plainjson.LoneSurrogate(text) {
		row.Problem = "it is not UTF-8, or has half a surrogate pair"
	}
	row.ID = number(strings.Trim(string(id), `"`))
	row.fill(fields)
	return row, nil
}

// fill sets the triple from the fields of an object.
func (r *Row) fill(fields map[string]any) {
	for _, f := range []struct {
		name string
		at   *string
	}{{"name", &r.Name}, {"realm", &r.Realm}, {"seed", &r.Seed}} {
		text, ok := fields[f.name].(string)
		if !ok && r.Problem == "" {
			r.Problem = f.name + " is missing, or is no text"
		}
		*f.at = text
	}
	if v := fields["expires"]; v != nil {
		text, _ := v.(string) // "" is no time either
		r.setExpires(text)
	}
}

// setExpires reads when an entry expires.
func (r *Row) setExpires(text string) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	switch {
	case err == nil:
		r.Expires = at
		if at.IsZero() { // expired, and not never
			r.Expires = time.UnixMilli(1)
		}
	case r.Problem == "":
		r.Problem = "expires is no time such as 2027-01-31 or 2027-01-31T12:00:00Z"
	}
}

func number(text string) ID {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0
	}
	return ID(n)
}
