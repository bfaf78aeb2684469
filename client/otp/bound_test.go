package otp_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/client/otp"
)

// isTooLong reports that a call ended because its answer is too long.
func isTooLong(err error) bool {
	var status *otp.StatusError
	return errors.As(err, &status) && strings.Contains(status.Text, "longer than")
}

// endless never stops answering, until its client goes away.
func endless(status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		for block := strings.Repeat(" ", 32<<10); ; {
			if _, err := io.WriteString(w, block); err != nil {
				return true
			}
		}
	}
}

func TestAnAnswerWithoutEndIsNotReadToIt(t *testing.T) {
	s := open(t)
	for name, call := range calls() {
		for _, status := range []int{http.StatusOK, http.StatusForbidden, http.StatusBadGateway} {
			root := s.client("root")
			root.MaxList = 1 << 20
			s.answer = endless(status)
			if err := call(t.Context(), root); !isTooLong(err) {
				t.Errorf("%s, %d: %v", name, status, err)
			}
		}
	}
}

func TestAListMayBeAsLongAsItsBound(t *testing.T) {
	s := open(t)
	entry := `{"id":1,"name":"a","realm":"b","seed":"c"}`
	list := "[" + strings.Repeat(entry+",", 5000) + entry + "]"
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, list)
		return true
	}
	for most, fits := range map[int]bool{0: true, len(list): true, len(list) - 1: false} {
		root := s.client("root")
		root.MaxList = int64(most)
		all, err := root.List(t.Context())
		if fits && (err != nil || len(all) != 5001) || !fits && !isTooLong(err) {
			t.Errorf("of %d bytes at most %d: %d entries, %v", len(list), most, len(all), err)
		}
	}
}

// A bound counts what is read, so that nobody unpacks a few bytes into gigabytes.
func TestAnAnswerIsNotUnpacked(t *testing.T) {
	s := open(t)
	asked := ""
	s.answer = func(w http.ResponseWriter, r *http.Request) bool {
		asked = r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"status":"OK"}`) // the client may not want it
		_ = z.Close()
		return true
	}
	var status *otp.StatusError
	if err := s.client("shop").Verify(context.Background(), "printer", "office", "123456"); !errors.As(err, &status) {
		t.Errorf("a packed answer: %v", err)
	}
	if asked != "identity" {
		t.Errorf("Accept-Encoding: %q", asked)
	}
}

func TestTheHeadersOfAnAnswerHaveABound(t *testing.T) {
	s := open(t)
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
		tell(w, http.StatusOK, map[string]string{"status": "OK"})
		return true
	}
	if err := s.client("shop").Verify(t.Context(), "printer", "office", "123456"); err == nil {
		t.Error("100 KiB of headers are read")
	}
}
