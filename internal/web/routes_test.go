package web

import (
	"testing"

	"github.com/djauthy/djauthy/internal/page"
)

// Row 64: every way in says who may use it.
func TestNoRouteIsForNobody(t *testing.T) {
	s, site := opened(t)
	for _, r := range s.Routes(site) {
		if r.Who == page.Nobody {
			t.Errorf("%s %s is for nobody", r.Method, r.Path)
		}
	}
}
