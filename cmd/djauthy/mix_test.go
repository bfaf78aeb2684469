package main

import (
	"net/http"
	"strings"
	"testing"
)

// What one person is sent is made in memory that the next request uses again.
func TestPagesOfManyPeopleAtOnceNeverMix(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const people, rounds = 16, 150
	browsers, ids := make([]*browser, people), make([]string, people)
	for i := range people {
		browsers[i], ids[i] = s.person(t)
		browsers[i].post("/account/settings", "first_name", strings.Repeat("x", 10*i)).want(t, http.StatusSeeOther, "")
	}
	together(people, func(i int) {
		for range rounds {
			a, _, err := browsers[i].try(http.MethodGet, "/account", "", strings.NewReader(""), nil)
			if err != nil {
				t.Error(err)
				return
			}
			if a.status != http.StatusOK || !strings.HasSuffix(strings.TrimSpace(a.body), "</html>") {
				t.Errorf("person %d was sent half a page (%d)", i, a.status)
				return
			}
			for j, id := range ids {
				if i == j != strings.Contains(a.body, id) {
					t.Errorf("person %d was sent a page in which the address of person %d stands: %v", i, j, i != j)
					return
				}
			}
		}
	})
}
