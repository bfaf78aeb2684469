package db

import (
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

func assign(dest any, v driver.Value) bool {
	if d, ok := dest.(*any); ok {
		*d = v
		return true
	}
	switch v := v.(type) {
	case nil: // fits into bytes alone
		d, ok := dest.(*[]byte)
		if ok {
			*d = nil
		}
		return ok
	case int64:
		return assignInt(dest, v)
	case string:
		return assignText(dest, v)
	case []byte: // the driver's copy, ours from now on
		if d, ok := dest.(*[]byte); ok {
			*d = v
			return true
		}
		return assignText(dest, string(v))
	}
	return false
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
	default:
		at := reflect.ValueOf(dest).Elem()
		if !at.CanInt() || at.OverflowInt(v) {
			return false
		}
		at.SetInt(v)
	}
	return true
}

func assignText(dest any, v string) bool {
	switch d := dest.(type) {
	case *string:
		*d = v
	case *[]byte:
		*d = []byte(v)
	default:
		at := reflect.ValueOf(dest).Elem()
		if at.Kind() != reflect.String {
			return false
		}
		at.SetString(v)
	}
	return true
}
