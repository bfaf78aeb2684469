package resident_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/resident"
)

// mapped is how much of files the process has mapped, in KiB.
func mapped(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"RssFile:", "RssShmem:"} { // a file in a tmpfs counts as shared memory
		var n int
		_, after, _ := strings.Cut(string(status), name)
		if _, err := fmt.Sscan(after, &n); err != nil {
			t.Fatal(err)
		}
		kib += n
	}
	return kib
}

func TestLessOfTheProgramIsMappedAndItRunsOn(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	kept := make([]byte, 1<<20)
	for i := range kept {
		kept[i] = byte(i)
	}
	before := mapped(t)
	resident.Release()
	if after := mapped(t); after >= before {
		t.Errorf("%d KiB are mapped, before it were %d", after, before)
	}
	for i := range kept {
		if kept[i] != byte(i) {
			t.Fatal("memory that was written to is gone")
		}
	}
	resident.Release()
}
