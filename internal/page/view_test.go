package page

import (
	"bytes"
	"strings"
	"testing"
)

// A template's name is a plain string, so a mistyped one must be told by name.
func TestAPageWithoutATemplateIsAnError(t *testing.T) {
	err := newViews().execute(new(bytes.Buffer), "no_such_page", Base{})
	if err == nil || !strings.Contains(err.Error(), "no_such_page") {
		t.Errorf("got %v, want an error that names the page", err)
	}
}
