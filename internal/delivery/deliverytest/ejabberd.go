package deliverytest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// OpenEjabberd starts the Jabber server ejabberd with accounts of the given names, all with
// one password, until the test ends. It runs in Erlang without a node's name, so that it
// needs no port mapper.
func OpenEjabberd(t *testing.T, accounts ...string) *JabberHost {
	t.Helper()
	code, err := filepath.Glob("/usr/lib/*/ejabberd-*/ebin")
	if err != nil || len(code) == 0 {
		t.Fatal("ejabberd is not installed: test/deps does that")
	}
	h := newJabberHost(t)
	key, err := os.ReadFile(filepath.Join(h.dir, "key.pem"))
	dbtest.Check(t, err)
	dbtest.Check(t, os.WriteFile(filepath.Join(h.dir, "both.pem"), append(key, h.CA...), 0o600))
	settings := fmt.Sprintf(`
hosts: [localhost]
loglevel: warning
certfiles: ["%[1]s/both.pem"]
auth_password_format: scram
listen:
  - {port: %[2]d, ip: "127.0.0.1", module: ejabberd_c2s, starttls_required: true}
  - port: %[3]d
    ip: "127.0.0.1"
    module: ejabberd_service
    hosts: {"login.localhost": {password: "%[4]s"}}
modules: {mod_disco: {}, mod_ping: {}, mod_roster: {}, mod_offline: {}}
`, h.dir, h.port, h.component, Secret)
	dbtest.Check(t, os.WriteFile(filepath.Join(h.dir, "ejabberd.yml"), []byte(settings), 0o600))
	names := make([]string, 0, len(accounts))
	for _, name := range accounts {
		names = append(names, `<<"`+name+`">>`)
	}
	register := fmt.Sprintf(`ok = application:ensure_started(ejabberd), [ok = ejabberd_auth:try_register(U, <<"localhost">>, <<"%s">>) || U <- [%s]], io:format("{\"Registered\": true}~n").`, Secret, strings.Join(names, ", "))
	cmd := exec.Command("erl", "-noinput", "-pa", code[0], "-mnesia", "dir", `"`+h.dir+`"`, "-s", "ejabberd", "-eval", register)
	cmd.Env = append(os.Environ(), "HOME="+h.dir, "EJABBERD_CONFIG_PATH="+filepath.Join(h.dir, "ejabberd.yml"), "EJABBERD_LOG_PATH="+filepath.Join(h.dir, "ejabberd.log"), "SPOOL_DIR="+h.dir)
	if !Next(t, Lines[struct{ Registered bool }](t, cmd)).Registered {
		t.Fatal("ejabberd registers nobody")
	}
	awaitPort(t, h.port)
	awaitPort(t, h.component)
	return &h
}
