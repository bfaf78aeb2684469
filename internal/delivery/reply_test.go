package delivery_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/delivery"
)

func TestAnAnswerIsReadWholeAndShownOnOneLine(t *testing.T) {
	for answer, wanted := range map[string]string{
		"220 mx.example.org ESMTP\r\n": "220 mx.example.org ESMTP",
		"250\r\n":                      "250",
		"250 \n":                       "250 ",
		"550-5.1.1 The account does\r\n550-5.1.1 not exist; see\r\n550 5.1.1 https://x.example\r\n": "550 5.1.1 The account does not exist; see https://x.example",
		"220-one\r\n220-two\r\n220 three\r\n":                                                       "220 one two three",
		"421 4.3.2 " + strings.Repeat("x", 50_000) + "\r\n":                                         "421 4.3.2 " + strings.Repeat("x", 2038),
	} {
		got, err := delivery.ReadReply(strings.NewReader(answer + "next"))
		if err != nil || strings.TrimSpace(got) != strings.TrimSpace(wanted) {
			t.Errorf("%.60q reads as %.100q, %v", answer, got, err)
		}
	}
	for _, answer := range []string{"", "HTTP/1.1 400 Bad Request\r\n", "\x15\x03\x01\x00\x02\x02\x28", "25\r\n", "250-a\r\n550 b\r\n", "250-a\r\n", "250=a\r\n", "999 a\r\n", "-25 a\r\n"} {
		if got, err := delivery.ReadReply(strings.NewReader(answer)); err == nil {
			t.Errorf("%q reads as %q", answer, got)
		}
	}
}

// endless is a line without an end, or a reply without one.
type endless struct{ line string }

func (e endless) Read(p []byte) (int, error) {
	for n := 0; ; n += len(e.line) {
		if n+len(e.line) > len(p) {
			return n, nil
		}
		copy(p[n:], e.line)
	}
}

func TestAServerThatNeverStopsTalkingFillsNoMemory(t *testing.T) {
	for _, in := range []io.Reader{endless{"x"}, endless{"250-x\r\n"}, io.MultiReader(strings.NewReader("250 "), endless{"x"})} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := delivery.ReadReply(in)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, delivery.ErrReplyTooLong) {
			t.Errorf("the answer is %v", err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
			t.Errorf("%d bytes were allocated for it", used)
		}
	}
}
