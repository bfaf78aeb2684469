package main

import (
	"fmt"
	"io"
	"time"
)

// progress tells on a terminal how far a long work has come.
type progress struct {
	out  io.Writer // nil: not on a terminal
	last time.Time
}

func newProgress(e *env) *progress {
	if isTerminal(e.stderr) {
		return &progress{out: e.stderr, last: time.Now()}
	}
	return &progress{}
}

func (p *progress) step(n int) {
	p.line(func() string { return fmt.Sprintf("%d rows", n) })
}

// share tells how many of all rows are done. It is a backup.Progress.
func (p *progress) share(what string, done, all int64) {
	p.line(func() string {
		return fmt.Sprintf("%s: %d of %d rows, %d%%", what, done, all, 100*done/max(1, all))
	})
}

// line replaces the line, at most five times a second.
func (p *progress) line(text func() string) {
	if p.out != nil && time.Since(p.last) > 200*time.Millisecond {
		p.last = time.Now()
		fmt.Fprintf(p.out, "\r%s\x1b[K", text())
	}
}

func (p *progress) end() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
