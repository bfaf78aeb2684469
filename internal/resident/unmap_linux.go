package resident

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// unmapProgram unmaps the pages of the program's file that are only read: its code and
// constants. Linux maps sixteen pages at each fault, so that after the start most of the
// program is mapped, and serving uses a third of it.
func unmapProgram() {
	program, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = maps.Close() }()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var flags, file string
		n, err := fmt.Sscanf(lines.Text(), "%x-%x %s %s %s %s %s", &from, &to, &flags, new(string), new(string), new(string), &file)
		if err != nil || n < 7 || file != program || !strings.HasPrefix(flags, "r-") {
			continue // what was written to must stay
		}
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
	}
}
