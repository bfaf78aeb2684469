package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/terminal"
)

// djangoDump is what the original's dumpdata writes, with a user of Django's and
// two rows that cannot be.
const djangoDump = `[{"model": "auth.user", "pk": 1, "fields": {"username": "admin", "password": "pbkdf2_sha256$x", "groups": []}},
{"model": "otpauth.otpseed", "pk": 3, "fields": {"name": "shop", "realm": "ungleich-auth", "seed": "JBSWY3DPEHPK3PXP"}},
{"model": "otpauth.otpseed", "pk": 4, "fields": {"name": "broken", "realm": "office", "seed": "not base32!"}},
{"model": "otpauth.otpseed", "pk": 5, "fields": {"name": 5, "realm": "office", "seed": "JBSWY3DPEHPK3PXP"}},
{"model": "otpauth.otpseed", "pk": 9, "fields": {"name": "printer", "realm": "office", "seed": "GEZDGNBVGY3TQOJQ"}}]
`

func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// report is what an import prints as JSON, and its exit code.
func (s *site) report(t testing.TB, path string, more ...string) (r importReport, code int) {
	t.Helper()
	out, errs, code := s.command(append([]string{"services", "import", path, "--json"}, more...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	return r, code
}

func (s *site) wantReport(t testing.TB, path string, wanted string, more ...string) {
	t.Helper()
	r, code := s.report(t, path, more...)
	wantCode := exitOK
	if len(r.Refused) > 0 {
		wantCode = exitFailed
	}
	if got := fmt.Sprintf("%d imported, %d present, %d skipped, %d refused", r.Imported, r.Present, r.Skipped, len(r.Refused)); got != wanted || code != wantCode {
		t.Errorf("%v: %s, exit %d, want %s, exit %d", more, got, code, wanted, wantCode)
	}
}

func TestAnImportNamesEachRowItRefusesAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		path := file(t, "dump.json", djangoDump)
		out, errs, code := s.command("services", "import", path)
		if code != exitFailed || !strings.Contains(errs, "2 rows were refused") {
			t.Errorf("exit %d: %s", code, errs)
		}
		for _, line := range []string{"row 3, broken in office: ", "row 4: ", "2 imported, 0 were here already, 1 passed over (no triples), 2 refused\n"} {
			if !strings.Contains(out, line) {
				t.Errorf("%q is missing:\n%s", line, out)
			}
		}
		shop := s.service(t, `{"name": "shop", "realm": "ungleich-auth", "seed": "JBSWY3DPEHPK3PXP"}`)
		printer := s.service(t, `{"name": "printer", "realm": "office", "seed": "GEZDGNBVGY3TQOJQ"}`)
		wantAnswer(t, "one imported about another", asks(t, shop, printer), nil)
		s.wantReport(t, path, "0 imported, 2 present, 1 skipped, 2 refused")
		all := s.list(t, "services", "list")
		if len(all) != 2 || all[0]["id"] != 3.0 || all[1]["id"] != 9.0 {
			t.Errorf("%v", all)
		}
	})
}

func TestAnImportThatIsRunAgainFindsAllPresent(t *testing.T) {
	t.Parallel()
	s := start(t)
	var rows []string
	for i := range importChunk + 10 {
		rows = append(rows, fmt.Sprintf("name%d,office,JBSWY3DPEHPK3PXP", i))
	}
	path := file(t, "many.CSV", "name,realm,seed\n"+strings.Join(rows, "\n"))
	s.wantReport(t, path, fmt.Sprintf("%d imported, 0 present, 0 skipped, 0 refused", len(rows)), "--dry-run")
	s.wantReport(t, path, fmt.Sprintf("%d imported, 0 present, 0 skipped, 0 refused", len(rows)))
	s.wantReport(t, path, fmt.Sprintf("0 imported, %d present, 0 skipped, 0 refused", len(rows)))
}

func TestAnImportReadsStandardInput(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, in := range []struct{ text, form, want string }{
		{djangoDump, "", "2 imported, 0 were here already, 1 passed over (no triples), 2 refused"},
		{"name,realm,seed\nledger,office,JBSWY3DPEHPK3PXP\n", "--csv", "1 imported, 0 were here already, 0 passed over (no triples), 0 refused"},
	} {
		args := []string{"services", "import", "-"}
		if in.form != "" {
			args = append(args, in.form)
		}
		if out, errs, _ := s.commandFrom(in.text, args...); !strings.Contains(out, in.want) {
			t.Errorf("%s%s", out, errs)
		}
	}
	if out, errs, _ := s.commandFrom("name,realm,seed,expires\nx,office,JBSWY3DPEHPK3PXP,tomorrow\n", "services", "import", "-", "--csv"); !strings.Contains(out, "row 2, x in office: expires is no time") {
		t.Errorf("%s%s", out, errs)
	}
	if out, errs, code := s.commandFrom("name,realm,seed\n", "services", "import", "-"); code != exitFailed || !strings.Contains(errs, "--csv") {
		t.Errorf("CSV without its flag: exit %d, %s%s", code, out, errs)
	}
}

func TestADryRunTellsTheSameAndStoresNothing(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		path := file(t, "dump.json", djangoDump)
		for range 2 {
			s.wantReport(t, path, "2 imported, 0 present, 1 skipped, 2 refused", "--dry-run")
			if out, errs, _ := s.command("services", "import", "--dry-run", path); !strings.Contains(out, "dry run: nothing was stored") || !strings.Contains(errs, "2 rows were refused; nothing was stored") {
				t.Errorf("%s%s", out, errs)
			}
		}
		if all := s.list(t, "services", "list"); len(all) != 0 {
			t.Errorf("%v", all)
		}
		s.wantReport(t, path, "2 imported, 0 present, 1 skipped, 2 refused")
		if n := s.count(t, `SELECT count(*) FROM audit WHERE subject_kind = 'service'`); n != 2 {
			t.Errorf("%d lines of history, want 2", n)
		}
	})
}

// A file that is none at all may have millions of rows that are refused.
func TestOfManyRefusedRowsTheFirstAreNamedAndAllAreCounted(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := file(t, "rows.csv", "name,realm,seed\n"+strings.Repeat("x,office,0\n", maxRefused+7))
	for _, more := range [][]string{{"--dry-run"}, nil} {
		r, code := s.report(t, path, more...)
		if len(r.Refused) != maxRefused || r.More != 7 || code != exitFailed {
			t.Errorf("%d named, %d more, exit %d", len(r.Refused), r.More, code)
		}
	}
	if out, errs, _ := s.command("services", "import", path); !strings.Contains(out, "7 more rows were refused") || !strings.Contains(out, "10007 refused") || !strings.Contains(errs, "10007 rows were refused") {
		t.Errorf("%s%s", out[len(out)-200:], errs)
	}
}

func TestADryRunSeesRowsThatContradictEachOther(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := file(t, "rows.txt", "id,name,realm,seed\n1,a,office,JBSWY3DP\n1,b,office,JBSWY3DP\n2,a,office,GEZDGNBV\n")
	for _, more := range [][]string{{"--csv", "--dry-run"}, {"--csv"}} {
		r, _ := s.report(t, path, more...)
		if r.Imported != 1 || len(r.Refused) != 2 || r.Refused[0].Line != 3 || r.Refused[0].Name != "b" || !strings.Contains(r.Refused[1].Reason, "another seed") {
			t.Errorf("%v: %+v", more, r)
		}
	}
}

func TestAFileThatBreaksOffKeepsWhatCameBeforeAndSaysSo(t *testing.T) {
	t.Parallel()
	s := start(t)
	whole := strings.Index(djangoDump, `{"model": "otpauth.otpseed", "pk": 4`)
	for _, cut := range []int{whole + 20, whole, whole - 1, whole - 2} { // in an object, before one, before the comma
		out, errs, code := s.command("services", "import", file(t, "cut.json", djangoDump[:cut]))
		if code != exitFailed || out != "" || !strings.Contains(errs, "run it again") {
			t.Errorf("cut off at %q: exit %d, %s%s", djangoDump[max(0, cut-10):cut], code, out, errs)
		}
	}
	if all := s.list(t, "services", "list"); len(all) != 1 {
		t.Errorf("%v", all)
	}
	s.wantReport(t, file(t, "dump.json", djangoDump), "1 imported, 1 present, 1 skipped, 2 refused")
}

func TestAFileThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, path := range map[string]string{
		"no file": filepath.Join(t.TempDir(), "nothing.json"), "CSV without its name": file(t, "rows", "name,realm,seed\n"), "JSON as CSV": file(t, "dump.csv", djangoDump), "empty": file(t, "empty.json", ""),
	} {
		if out, errs, code := s.command("services", "import", path); code != exitFailed || out != "" || !strings.Contains(errs, filepath.Base(path)) {
			t.Errorf("%s: exit %d, %s%s", name, code, out, errs)
		}
	}
}

func TestAnExportIsImportedElsewhereAsItWas(t *testing.T) {
	t.Parallel()
	for form, flags := range map[string][]string{"dump.json": nil, "rows.csv": {"--csv"}, "same.csv": {"--format", "csv"}, "rows.jsonl": {"--format", "jsonl"}, "lines.txt": {"--format", "jsonl"}} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			engines(t, func(t *testing.T, s *site) {
				for _, name := range []string{"shop", "gone", `dr. "ü", <b>& 世界`} {
					s.addService(t, name, "ungleich-auth")
				}
				s.must(t, "services", "delete", "--name", "gone", "--realm", "ungleich-auth")
				s.must(t, "services", "add-app", "--username", "ann", "--appname", "app")
				s.must(t, "services", "expire", "--name", "shop", "--realm", "ungleich-auth", "--at", "now")
				export := append([]string{"services", "export"}, flags...)
				out := s.must(t, export...)
				elsewhere := start(t)
				elsewhere.wantReport(t, file(t, form, out), "2 imported, 0 present, 0 skipped, 0 refused")
				if again := elsewhere.must(t, export...); again != out {
					t.Errorf("exported again:\n%s\nwas\n%s", again, out)
				}
				all := elsewhere.list(t, "services", "list")
				if len(all) != 2 || all[0]["id"] != 1.0 || all[1]["id"] != 3.0 || all[0]["expires_at"] == nil || all[1]["expires_at"] != nil {
					t.Errorf("%v", all)
				}
				elsewhere.addService(t, "next", "office")
				if all := elsewhere.list(t, "services", "list", "--realm", "office"); all[0]["id"] != 4.0 {
					t.Errorf("the next is %v", all)
				}
			})
		})
	}
}

func TestAnExportOfManyHoldsEachOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	s := start(t)
	var want []string
	rows := "id,name,realm,seed,expires\n"
	for i := 1; i <= 2*terminal.Size; i++ {
		rows += fmt.Sprintf("%d,name%d,office,JBSWY3DPEHPK3PXP,\n", i, i)
		want = append(want, fmt.Sprintf("name%d", i))
	}
	s.must(t, "services", "import", file(t, "many.csv", rows))
	if got := s.must(t, "services", "export", "--csv"); got != rows {
		t.Errorf("the export differs from what was imported")
	}
	var all []struct {
		Model  string      `json:"model"`
		PK     services.ID `json:"pk"`
		Fields tripleJSON  `json:"fields"`
	}
	if err := json.Unmarshal([]byte(s.must(t, "services", "export")), &all); err != nil || len(all) != len(want) {
		t.Fatalf("%d, %v", len(all), err)
	}
	for i, x := range all {
		if x.Fields.Name != want[i] || x.PK != services.ID(i+1) || x.Model == "" {
			t.Fatalf("%d: %+v", i, x)
		}
	}
}

func TestAnExportOfNothingIsAnEmptyFileOfItsForm(t *testing.T) {
	t.Parallel()
	s := start(t)
	for form, flags := range map[string][]string{"none.json": nil, "none.csv": {"--csv"}, "none.jsonl": {"--format", "jsonl"}, "dump.json": {"--format", "dumpdata"}} {
		out := s.must(t, append([]string{"services", "export"}, flags...)...)
		s.wantReport(t, file(t, form, out), "0 imported, 0 present, 0 skipped, 0 refused")
	}
}
