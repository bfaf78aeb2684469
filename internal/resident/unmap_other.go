//go:build !linux

package resident

// unmapProgram is for Linux alone.
func unmapProgram() {}
