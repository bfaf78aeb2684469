package config

import (
	"slices"
	"testing"
)

// A part that is built takes its keys off the list.
func TestNoSettingIsListedAsUnbuilt(t *testing.T) {
	for _, s := range new(Config).settings() {
		if slices.Contains(unbuilt(), s.key) {
			t.Errorf("%s is a setting", s.key)
		}
	}
}
