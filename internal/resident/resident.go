// Package resident gives memory back to the system that only the start of the program needed.
package resident

import "runtime/debug"

// Release gives back the memory that starting took: of the heap, and the mapped pages of the
// program itself. Code that is needed again is mapped again, from the page cache. It takes a
// few milliseconds and may run beside requests.
func Release() {
	debug.FreeOSMemory()
	unmapProgram()
}
