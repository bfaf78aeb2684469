package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/mailbox"
	"github.com/djauthy/djauthy/internal/terminal"
)

// logger logs at the level of the settings, or at least if that is higher.
func logger(w io.Writer, c *config.Config, least slog.Level) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Log.Level)) // the settings allow only its names
	level = max(level, least)
	o := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "text" || c.Log.Format == "auto" && terminal.Is(w) {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// printMessage shows a message of the local mailbox on the terminal.
func printMessage(w io.Writer, m mailbox.Message) {
	line := strings.Repeat("─", 72)
	fmt.Fprintf(w, "%s\nTo: %s\nSubject: %s\n\n%s\n%s\n", line, m.To, m.Subject, strings.TrimSpace(m.Text), line)
}
