package mail_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// maildirs is a folder with a maildir for each address, of its local part's name.
type maildirs string

// next waits for a message in an address's maildir, reads it and takes it out.
func (d maildirs) next(t *testing.T, to string) program.Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if all := d.messages(t, to); len(all) > 0 {
			f, err := os.Open(all[0])
			if err != nil {
				t.Fatal(err)
			}
			m, err := program.ReadMail(f)
			_ = f.Close()
			if err != nil {
				t.Fatalf("message of %s: %v", to, err)
			}
			if err := os.Remove(all[0]); err != nil {
				t.Fatal(err)
			}
			return m
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no message to %s in its maildir", to)
		}
	}
}

// messages are the files in an address's maildir.
func (d maildirs) messages(t *testing.T, to string) []string {
	t.Helper()
	name, _, _ := strings.Cut(to, "@")
	all, err := filepath.Glob(filepath.Join(string(d), name, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// awaitGreeting waits until a mail server greets; said is for when it does not.
func awaitGreeting(t *testing.T, port int, said func() string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), time.Second)
		if err == nil {
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			greeting := make([]byte, 3)
			_, err = conn.Read(greeting)
			_ = conn.Close()
			if err == nil && string(greeting) == "220" {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the mail server does not greet (%v):\n%s", err, said())
		}
		time.Sleep(20 * time.Millisecond)
	}
}
