package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

// djangoModel is the original's model of an entry.
const djangoModel = `from django.db import models

class OTPSeed(models.Model):
    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=128)
    seed = models.CharField(max_length=128)
    realm = models.CharField(max_length=128)

    class Meta:
        unique_together = (("name", "realm"),)
`

// djangoLoad loads a file into an empty database of that model and dumps it again, a line
// for each object.
const djangoLoad = `import sys
import django
from django.conf import settings
from django.core.management import call_command

settings.configure(INSTALLED_APPS=["otpauth"], DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()
call_command("migrate", run_syncdb=True, verbosity=0)
call_command("loaddata", sys.argv[1], verbosity=0)
call_command("dumpdata", format="jsonl")
`

// loaddata is what Django's own dumpdata has, as JSON lines, after its loaddata took a
// file.
func loaddata(t *testing.T, path string) (out string, err error) {
	t.Helper()
	python, dir := program.Python(t, "django"), t.TempDir()
	for name, text := range map[string]string{"otpauth/__init__.py": "", "otpauth/models.py": djangoModel, "load.py": djangoLoad} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "load.py", path)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, &stderr)
	}
	return stdout.String(), nil
}

// With Django itself: what we export its loaddata takes, and what it dumps then, in its
// newer form of JSON lines, our import takes.
func TestDjangosLoaddataTakesAnExportAndItsDumpComesBack(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.addService(t, "shop", "ungleich-auth")
	s.addService(t, `dr. "ü", <b>& 世界`, "office")
	s.addService(t, "ends", "office")
	s.must(t, "services", "expire", "--name", "ends", "--realm", "office", "--at", "2099-01-31")
	out, errs, code := s.command("services", "export", "--format", "dumpdata")
	if code != exitOK || !strings.Contains(errs, "ends in office (2099-01-31T00:00:00Z)") || strings.Contains(errs, "shop") {
		t.Errorf("exit %d, %s", code, errs)
	}
	dumped, err := loaddata(t, file(t, "dump.json", out))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	elsewhere := start(t)
	elsewhere.wantReport(t, file(t, "dump.jsonl", dumped), "3 imported, 0 present, 0 skipped, 0 refused")
	if got := elsewhere.must(t, "services", "export", "--format", "dumpdata"); got != out {
		t.Errorf("by way of Django it is\n%s\nand was\n%s", got, out)
	}
	// The reason for a form of its own: a field that the model does not have.
	if _, err := loaddata(t, file(t, "list.json", s.must(t, "services", "export"))); err == nil {
		t.Error("Django takes an end; dumpdata can have it, too")
	}
}

func TestAnExportNamesItsFormsAndTellsWhatContradicts(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, args := range [][]string{{"--format", "xml"}, {"--format", "jsonl", "--csv"}, {"--format", ""}} {
		if out, errs, code := s.command(append([]string{"services", "export"}, args...)...); code != exitUsage || out != "" || !strings.Contains(errs, "--format") {
			t.Errorf("%v: exit %d, %s%s", args, code, out, errs)
		}
	}
}

func TestAWarningAboutManyEndsIsShort(t *testing.T) {
	t.Parallel()
	s := start(t)
	rows := "name,realm,seed,expires\n"
	for i := range 50 {
		rows += fmt.Sprintf("n%d,office,JBSWY3DPEHPK3PXP,2099-01-31\n", i)
	}
	s.must(t, "services", "import", file(t, "rows.csv", rows))
	out, errs, _ := s.command("services", "export", "--format", "dumpdata")
	var all []map[string]any
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 50 || strings.Contains(out, "expires") {
		t.Errorf("%d, %v", len(all), err)
	}
	if strings.Count(errs, "(2099") != 20 || !strings.Contains(errs, "and 30 more") {
		t.Errorf("%s", errs)
	}
}
