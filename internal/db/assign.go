package db

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"
)

// value is an argument as the driver takes it.
func value(arg any) (driver.Value, error) {
	switch v := arg.(type) {
	case nil, int64, string, []byte, bool:
		return v, nil
	case ID:
		return int64(v), nil
	case int:
		return int64(v), nil
	case time.Time:
		return millis(v), nil
	}
	switch v := reflect.ValueOf(arg); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.String:
		return v.String(), nil
	}
	return nil, fmt.Errorf("a value of type %T cannot be stored", arg)
}

// assignNothing puts NULL into dest, which fits into bytes alone.
func assignNothing(dest any) bool {
	switch d := dest.(type) {
	case *[]byte:
		*d = nil
	case *any:
		*d = nil
	default:
		return false
	}
	return true
}

func assignInt(dest any, v int64) bool {
	switch d := dest.(type) {
	case *int64:
		*d = v
	case *ID:
		*d = ID(v)
	case *int:
		*d = int(v)
	case *bool:
		*d = v != 0
	case *time.Time:
		*d = Time(v)
	case *any:
		*d = v
	default:
		at := reflect.ValueOf(dest).Elem()
		if !at.CanInt() || at.OverflowInt(v) {
			return false
		}
		at.SetInt(v)
	}
	return true
}

// assignText copies a text into dest.
func assignText(dest any, v []byte) bool {
	switch d := dest.(type) {
	case *string:
		*d = string(v)
	case *[]byte:
		*d = bytes.Clone(v)
	case *any:
		*d = string(v)
	default:
		at := reflect.ValueOf(dest).Elem()
		if at.Kind() != reflect.String {
			return false
		}
		at.SetString(string(v))
	}
	return true
}
