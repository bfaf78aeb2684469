package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// MaxFile is the size limit in bytes of the settings file and of each file that a setting
// names: a secret, a picture. So a log or a device named by mistake does not fill the memory.
const MaxFile = 1 << 20

var errTooLong = fmt.Errorf("it is longer than %d bytes; is it the right file?", MaxFile)

// ReadFile is os.ReadFile for such a file. It reads at most MaxFile bytes, and refuses a
// named pipe, since opening one blocks until somebody writes to it. All its errors are a
// *fs.PathError.
func ReadFile(path string) ([]byte, error) {
	text, err := readFile(path)
	if wrapped := (*fs.PathError)(nil); err != nil && !errors.As(err, &wrapped) {
		err = &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return text, err
}

// isDescriptor reports whether a path names a file descriptor that this process inherited,
// such as a shell's <(command). Reading such a pipe is safe.
func isDescriptor(path string) bool {
	return path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/")
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a directory; a file is needed")
	case info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 && !isDescriptor(path):
		return nil, errors.New("it is a pipe or a socket; a file is needed")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(text) > MaxFile {
		err = errTooLong
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}
