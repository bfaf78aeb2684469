package config_test

import (
	"os"
	"testing"

	"github.com/djauthy/djauthy/internal/config"
)

const exampleFile = "../../config.example.toml"

func TestExampleFileIsMadeFromTheCode(t *testing.T) {
	want := config.Example()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(exampleFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatal("config.example.toml differs from the code; run: UPDATE=1 go test ./internal/config")
	}
}

func TestExampleFileLoadsAsTheDefaults(t *testing.T) {
	byFile, _, err := config.Load("example", []byte(config.Example()), nil, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	byDefault, _, err := config.Load("", nil, nil, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	if byFile.String() != byDefault.String() {
		t.Fatalf("the example says\n%s\nbut the defaults are\n%s", byFile, byDefault)
	}
}
