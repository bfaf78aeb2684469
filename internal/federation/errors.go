package federation

import (
	"errors"
	"fmt"
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
	return fmt.Errorf("%w: %w", ErrDown, fmt.Errorf(format, args...))
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, args...))
}
