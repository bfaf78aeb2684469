package federation

import (
	"errors"
	"fmt"
	"strings"
)

// Reasons for which a sign-in at a provider fails. What is wrapped is for the log alone.
var (
	// ErrDown: the provider does not answer, or not as such providers do.
	ErrDown = errors.New("the provider does not work")
	// ErrRefused: the provider, the person there, or a check of its response refuses.
	ErrRefused = errors.New("the sign-in was refused")
	// ErrUnknown: there is no such provider, or no longer.
	ErrUnknown = errors.New("there is no such provider")
)

func down(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDown, fmt.Errorf(format, cut(args)...))
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, cut(args)...))
}

// cut cuts what others say, so that nobody fills the log with it.
func cut(args []any) []any {
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = beginning(text, maxSaid)
		}
	}
	return args
}

// maxSaid is how much of a text of others an error holds, in bytes.
const maxSaid = 200

// beginning is the first bytes of a text, without half a character.
func beginning(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
