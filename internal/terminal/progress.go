package terminal

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Progress shows on a terminal how far a long work has come.
type Progress struct {
	out  io.Writer // nil: not on a terminal
	last time.Time
}

// NewProgress shows progress on w, if that is a terminal.
func NewProgress(w io.Writer) *Progress {
	if Is(w) {
		return &Progress{out: w, last: time.Now()}
	}
	return &Progress{}
}

// Is reports whether a stream is a terminal.
func Is(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Step shows how many rows are done.
func (p *Progress) Step(n int) {
	p.line(func() string { return fmt.Sprintf("%d rows", n) })
}

// Share shows how many of all rows are done. It is a backup.Progress.
func (p *Progress) Share(what string, done, all int64) {
	p.line(func() string {
		return fmt.Sprintf("%s: %d of %d rows, %d%%", what, done, all, 100*done/max(1, all))
	})
}

// line replaces the line, at most five times a second.
func (p *Progress) line(text func() string) {
	if p.out != nil && time.Since(p.last) > 200*time.Millisecond {
		p.last = time.Now()
		fmt.Fprintf(p.out, "\r%s\x1b[K", text())
	}
}

// End removes the line.
func (p *Progress) End() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
