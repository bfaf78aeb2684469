package terminal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Answers returns the terminal behind a stream, if somebody can be asked there.
func Answers(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// Ask asks for a secret on a terminal, without showing what is typed. twice asks for it
// again, so that a slip of the finger is noticed.
func Ask(in *os.File, out io.Writer, question string, twice bool) ([]byte, error) {
	fmt.Fprint(out, question)
	first, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(out)
	if err != nil || !twice {
		return first, err
	}
	fmt.Fprint(out, "The same again: ")
	second, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(out)
	if err == nil && !bytes.Equal(first, second) {
		err = errors.New("the two differ; nothing was done")
	}
	return first, err
}

// FirstLine reads the first line, without its end.
func FirstLine(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return bytes.TrimRight(line, "\r\n"), err
}
