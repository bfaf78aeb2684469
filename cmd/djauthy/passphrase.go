package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// passphraseVariable holds the passphrase for who has no terminal.
const passphraseVariable = "DJAUTHY_BACKUP_PASSPHRASE"

// passphraseFlag is where the passphrase of a backup's secret key comes from.
type passphraseFlag struct {
	PassphraseFile string `help:"The first line of this file is the passphrase of the secret key; without it $DJAUTHY_BACKUP_PASSPHRASE, else it is asked for." placeholder:"FILE" type:"path"`
}

// read finds the passphrase. twice asks for it again, so that a slip of the finger
// seals nothing.
func (f passphraseFlag) read(e *env, twice bool) ([]byte, error) {
	text, err := f.find(e, twice)
	if err == nil && len(text) == 0 {
		err = usageError{fmt.Errorf("the passphrase is empty: give one by --passphrase-file, %s or on the terminal", passphraseVariable)}
	}
	return text, err
}

func (f passphraseFlag) find(e *env, twice bool) ([]byte, error) {
	if f.PassphraseFile != "" {
		text, err := os.ReadFile(f.PassphraseFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the passphrase: %w", err)
		}
		return firstLineOf(bytes.NewReader(text))
	}
	for _, line := range e.environ {
		if value, ok := strings.CutPrefix(line, passphraseVariable+"="); ok {
			return []byte(value), nil
		}
	}
	if file, ok := e.stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return e.ask(int(file.Fd()), twice)
	}
	if e.stdin == nil {
		return nil, nil
	}
	return firstLineOf(e.stdin)
}

// ask asks on the terminal, without showing what is typed.
func (e *env) ask(terminal int, twice bool) ([]byte, error) {
	fmt.Fprint(e.stderr, "Passphrase for the secret key: ")
	first, err := term.ReadPassword(terminal)
	fmt.Fprintln(e.stderr)
	if err != nil || !twice {
		return first, err
	}
	fmt.Fprint(e.stderr, "The same again: ")
	second, err := term.ReadPassword(terminal)
	fmt.Fprintln(e.stderr)
	if err == nil && !bytes.Equal(first, second) {
		err = errors.New("the two passphrases differ; nothing was done")
	}
	return first, err
}

func firstLineOf(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return bytes.TrimRight(line, "\r\n"), err
}
