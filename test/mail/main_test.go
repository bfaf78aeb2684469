package mail_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

var binary program.Binary

func TestMain(m *testing.M) { os.Exit(program.Main(&binary, m.Run)) }

// asks requests a code.
func asks(t *testing.T, v *program.Visitor, s *program.Site, id string) {
	t.Helper()
	v.Ask(t, s, id).Want(t, http.StatusSeeOther, "/login/code")
}

// enters submits the code and requires that it signs in.
func enters(t *testing.T, v *program.Visitor, s *program.Site, code string) {
	t.Helper()
	v.Enter(t, s, code).Want(t, http.StatusSeeOther, "/account")
	v.Get(t, s, "/forward-auth").Want(t, http.StatusOK, "")
}

// check runs `djauthy check` and returns its findings and whether all is well.
func check(t *testing.T, s *program.Site, args ...string) (string, bool) {
	t.Helper()
	stdout, stderr, code := s.Run(t, append([]string{"check"}, args...)...)
	return stdout + stderr, code == 0
}
