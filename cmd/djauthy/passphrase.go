package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/djauthy/djauthy/internal/terminal"
)

// passphraseVariable is the variable with the passphrase, for use without a terminal.
const passphraseVariable = "DJAUTHY_BACKUP_PASSPHRASE"

// passphraseFlag is where the passphrase of a backup's secret key comes from.
type passphraseFlag struct {
	PassphraseFile string `help:"The first line of this file is the passphrase of the secret key; without it $DJAUTHY_BACKUP_PASSPHRASE, else a prompt asks for it." placeholder:"FILE" type:"path"`
}

// read finds the passphrase. twice prompts for it again, so that a typing error
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
		return terminal.FirstLine(bytes.NewReader(text))
	}
	for _, line := range e.environ {
		if value, ok := strings.CutPrefix(line, passphraseVariable+"="); ok {
			return []byte(value), nil
		}
	}
	if file, ok := terminal.Answers(e.stdin); ok {
		return terminal.Ask(file, e.stderr, "Passphrase for the secret key: ", twice)
	}
	if e.stdin == nil {
		return nil, nil
	}
	return terminal.FirstLine(e.stdin)
}
