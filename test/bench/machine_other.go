//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"time"
)

// errLinux is the answer on every other system: the bench reads /proc and
// pins processes to processors.
var errLinux = errors.New("the benchmark runs on Linux only")

func allowedCPUs() ([]int, error)        { return nil, errLinux }
func pinSelf(int) error                  { return errLinux }
func startOn(int, *exec.Cmd) error       { return errLinux }
func cpuTime(int) (time.Duration, error) { return 0, errLinux }
func asUser(_ *exec.Cmd, _, _ int)       {}
func fileSystem(string) string           { return "unknown" }
func kernel() string                     { return "unknown" }
