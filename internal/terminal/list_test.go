package terminal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/terminal"
)

// numbers lists n numbers, and calls seen before each page is read.
func numbers(t *testing.T, asJSON bool, n int, seen func(output string, from int)) string {
	t.Helper()
	var out bytes.Buffer
	err := terminal.List(terminal.Out{W: &out, JSON: asJSON}, []string{"NUMBER", "", "OF"}, func(from int) (lines []terminal.Line, next int, more bool, err error) {
		seen(out.String(), from)
		next = min(from+terminal.Size, n)
		for i := from; i < next; i++ {
			lines = append(lines, terminal.Row(map[string]any{"number": i, "word": "<é>"}, fmt.Sprint(i), strings.Repeat("é", i%7), "\x1b[1m"))
		}
		return lines, next, next-from == terminal.Size, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A list of any length is printed as it is read.
func TestALongListIsPrintedPageByPage(t *testing.T) {
	for _, n := range []int{0, 1, terminal.Size - 1, terminal.Size, terminal.Size + 1, 3*terminal.Size + 7} {
		reads := 0
		text := numbers(t, true, n, func(output string, from int) {
			reads++
			if printed := strings.Count(output, `"number"`); printed != from {
				t.Errorf("of %d, %d are printed when number %d is read", n, printed, from)
			}
		})
		var all []struct{ Number int }
		if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != n || n > 0 && all[n-1].Number != n-1 {
			t.Errorf("a list of %d numbers has %d: %v", n, len(all), err)
		}
		if reads != n/terminal.Size+1 {
			t.Errorf("a list of %d is read in %d pages", n, reads)
		}
		// It looks as any other JSON of a command does.
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, []byte(text), "", "  "); err != nil || pretty.String() != text || !strings.HasSuffix(text, "]\n") {
			t.Errorf("a list of %d numbers is set so:\n%.300s", n, text)
		}
	}
}

func TestATableOfSeveralPagesHasOneHeadAndStraightColumns(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(numbers(t, false, terminal.Size+3, func(string, int) {}), "\n"), "\n")
	if len(lines) != terminal.Size+4 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range map[int]string{
		0: "NUMBER          OF", 1: "0       -       \ufffd[1m", 7: "6       éééééé  \ufffd[1m",
		terminal.Size + 3: fmt.Sprintf("%-8d%-8s\ufffd[1m", terminal.Size+2, strings.Repeat("é", (terminal.Size+2)%7)),
	} {
		if lines[i] != want {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
	if empty := numbers(t, false, 0, func(string, int) {}); empty != "NUMBER    OF\n" {
		t.Errorf("a table without rows is %q", empty)
	}
}
