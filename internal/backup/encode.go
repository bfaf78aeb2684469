package backup

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/djauthy/djauthy/internal/db"
)

// Kinds of values in a row.
const (
	isNull byte = iota
	isInt
	isText
	isBytes
)

var errShort = errors.New("a value ends too early")

// appendRow adds the encoding of a row.
func appendRow(b []byte, values []any) ([]byte, error) {
	for i, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, isNull)
		case int64:
			b = binary.AppendVarint(append(b, isInt), v)
		case string:
			b = append(binary.AppendUvarint(append(b, isText), uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(append(b, isBytes), uint64(len(v))), v...)
		default:
			return nil, fmt.Errorf("column %d is a %T", i+1, v)
		}
	}
	return b, nil
}

// parseRow reads a row of a table into values, one for each column.
func parseRow(b []byte, t db.Table, values []any) error {
	for i := range t.Columns {
		v, rest, err := parseValue(b)
		if err != nil {
			return fmt.Errorf("%w: table %s, column %s: %w", ErrFormat, t.Name, t.Columns[i].Name, err)
		}
		values[i], b = v, rest
	}
	if len(b) > 0 {
		return fmt.Errorf("%w: table %s: a row with more columns than the table", ErrFormat, t.Name)
	}
	return nil
}

func parseValue(b []byte) (v any, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errShort
	}
	kind, b := b[0], b[1:]
	switch kind {
	case isNull:
		return nil, b, nil
	case isInt:
		n, size := binary.Varint(b)
		if size <= 0 {
			return nil, nil, errShort
		}
		return n, b[size:], nil
	case isText, isBytes:
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, nil, errShort
		}
		b = b[size:]
		if kind == isText {
			return string(b[:n]), b[n:], nil
		}
		return append([]byte{}, b[:n]...), b[n:], nil
	}
	return nil, nil, fmt.Errorf("a value of the unknown kind %d", kind)
}
