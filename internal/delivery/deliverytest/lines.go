package deliverytest

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// Lines starts a program that prints JSON, a line for each event, until the test ends.
func Lines[T any](t *testing.T, cmd *exec.Cmd) <-chan T {
	t.Helper()
	out, err := cmd.StdoutPipe()
	dbtest.Check(t, err)
	dbtest.Check(t, cmd.Start())
	lines := make(chan T, 4096)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			var event T
			if json.Unmarshal(in.Bytes(), &event) == nil {
				lines <- event
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return lines
}
