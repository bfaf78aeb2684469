package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/djauthy/djauthy/internal/config"
)

func write(t *testing.T, path string, size int) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileOfSettingsHasABound(t *testing.T) {
	dir := t.TempDir()
	for size, fits := range map[int]bool{0: true, 10: true, config.MaxFile: true, config.MaxFile + 1: false} {
		text, err := config.ReadFile(write(t, filepath.Join(dir, "file"), size))
		if fits && (err != nil || len(text) != size) || !fits && (err == nil || !strings.Contains(err.Error(), "longer than 1048576 bytes")) {
			t.Errorf("of %d bytes: %d, %v", size, len(text), err)
		}
	}
}

func TestWhatIsNoFileIsSaidSo(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for path, says := range map[string]string{
		dir: "is a directory", pipe: "is a pipe", l.Addr().String(): "a socket", "/dev/zero": "longer than", filepath.Join(dir, "none"): "no such file",
	} {
		if _, err := config.ReadFile(path); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
	if _, err := config.ReadFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if text, err := config.ReadFile("/dev/null"); err != nil || len(text) != 0 {
		t.Errorf("/dev/null: %v", err)
	}
}

// As a shell hands it over for <(command).
func TestAPipeThatIsHandedOverIsRead(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := w.WriteString("listen = \"\"\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := config.ReadFile(fmt.Sprintf("/dev/fd/%d", r.Fd())); err != nil || string(text) != "listen = \"\"\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// A secret that a mistake leads to a device or a pipe stops the start with its name.
func TestASecretsFileHasABound(t *testing.T) {
	for path, says := range map[string]string{"/dev/zero": "longer than", t.TempDir(): "is a directory"} {
		_, _, err := config.Load("", nil, []string{"DJAUTHY_SECRET_KEY_FILE=" + path, "DJAUTHY_EMAIL_PASSWORD_FILE=" + path}, config.ReadFile)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "email.password") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
