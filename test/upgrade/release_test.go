package upgrade_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// testdata has a directory for each release.
const testdata = "testdata"

// A release is what one engine's database of a release was saved as.
type release struct {
	engine engine
	dump   []byte // of the database
	backup []byte // of the same, by the release's own `djauthy backup`
	held   held
}

// held is what people, services and the administrator have of a saved database.
type held struct {
	Version   string    `json:"version"`
	Saved     time.Time `json:"saved"`
	SecretKey string    `json:"secret_key"`
	// Settings are those that the database depends on: budgets are counted by rate.
	Settings []string                    `json:"settings"`
	Browsers map[string]*program.Visitor `json:"browsers"`
	Codes    map[string]string           `json:"codes"`
	Links    map[string]string           `json:"links"` // paths
	Triples  map[string]triple           `json:"triples"`
	Apps     map[string]app              `json:"apps"`
	// Printed is what commands printed. It is long and has a file of its own.
	Printed []printed `json:"-"`
}

type triple struct {
	Name  string `json:"name"`
	Realm string `json:"realm"`
	Seed  string `json:"seed"`
}

type app struct {
	UUID string `json:"appuuid"`
	Seed string `json:"seed"`
}

type printed struct {
	Args []string        `json:"args"`
	JSON json.RawMessage `json:"json"`
}

// releases are the names of those in testdata.
func releases(t *testing.T) (names []string) {
	t.Helper()
	all, err := os.ReadDir(testdata)
	must(t, err)
	for _, d := range all {
		names = append(names, d.Name())
	}
	if len(names) == 0 {
		t.Fatal("no release is saved")
	}
	return names
}

func readRelease(t *testing.T, name string, e engine) (r release) {
	t.Helper()
	r.engine = e
	read := func(file string) []byte {
		text, err := os.ReadFile(filepath.Join(testdata, name, file))
		must(t, err)
		return text
	}
	r.dump = unpack(t, read(e.file))
	r.backup = read(e.name + ".backup")
	must(t, json.Unmarshal(read(e.name+".json"), &r.held))
	must(t, json.Unmarshal(unpack(t, read(e.name+".printed.gz")), &r.held.Printed))
	return r
}

func (r release) write(t *testing.T, name string) {
	t.Helper()
	dir := filepath.Join(testdata, name)
	must(t, os.MkdirAll(dir, 0o755))
	write := func(file string, text []byte) { must(t, os.WriteFile(filepath.Join(dir, file), text, 0o644)) }
	write(r.engine.file, pack(t, r.dump))
	write(r.engine.name+".backup", r.backup)
	text, err := json.MarshalIndent(r.held, "", "\t")
	must(t, err)
	write(r.engine.name+".json", append(text, '\n'))
	text, err = json.Marshal(r.held.Printed)
	must(t, err)
	write(r.engine.name+".printed.gz", pack(t, text))
}
