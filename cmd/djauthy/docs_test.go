package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/seal"
)

// The settings in docs/providers.md are understood, and their drivers exist.
func TestTheSettingsOfProvidersInTheDocsWork(t *testing.T) {
	page, err := os.ReadFile("../../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) < 5 {
		t.Fatalf("there are %d", len(blocks))
	}
	keys, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		cfg, warnings, err := config.Load("providers.md", b[1], nil, os.ReadFile)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v, %v in\n%s", err, warnings, b[1])
			continue
		}
		if _, err := federation.New((&app{cfg: cfg}).federationSettings(), nil, keys, nil); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
	}
}
