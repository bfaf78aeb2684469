package proxy_test

import "testing"

func TestNobodyReachesTheAppWhileDjauthyIsAway(t *testing.T) {
	eachFront(t, func(t *testing.T, f *front) {
		v := f.visitor(t)
		v.signIn("/login", "ann@people.example")
		f.site.Stop(t)
		if a := v.get("/app/"); a.status < 500 {
			t.Errorf("answered %d", a.status)
		}
		if r, ok := f.app.taken(); ok {
			t.Errorf("the app was asked for %s", r.target)
		}
	})
}
