package main

import (
	"net/http"
	"strings"
	"testing"
)

// Whoever has a session can send its cookie to an app's host. If djauthy does not know the proxy
// there, it must not take the question for one about its own host, where no rule of the site counts.
func TestAProxyThatIsNotTrustedLetsNobodyIntoASite(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, b *browser, own map[string]string) {
		t.Helper()
		a := b.do(http.MethodGet, "/forward-auth", "", "", own).want(t, http.StatusMisdirectedRequest, "")
		if a.header.Get("Remote-User")+a.header.Get("X-Djauthy-Jwt-Assertion") != "" {
			t.Errorf("%v: %v", own, a.header)
		}
	}
	admin := map[string]string{"X-Forwarded-Proto": "http", "X-Forwarded-Host": "grafana.test", "X-Forwarded-Uri": "/admin", "X-Forwarded-Method": "GET", "Sec-Fetch-Mode": "navigate"}
	for name, proxies := range map[string]string{"none": "", "another": "192.0.2.1/32"} {
		t.Run(name, func(t *testing.T) {
			s := startSites(t, "DJAUTHY_TRUSTED_PROXIES="+proxies)
			b, _ := s.person(t)
			for _, own := range []map[string]string{admin, {"X-Forwarded-Host": s.public.Host}, nil} {
				refused(t, b, own)
			}
			if log := s.out.String(); strings.Count(log, "not in trusted_proxies") != 1 || !strings.Contains(log, `"host":"grafana.test"`) {
				t.Errorf("the log says\n%s", log)
			}
		})
	}
	t.Run("before the site is in the settings", func(t *testing.T) {
		s := start(t)
		b, _ := s.person(t)
		refused(t, b, admin)
		refused(t, b, map[string]string{"X-Forwarded-Host": s.public.Host + ", grafana.test"})
		for _, own := range []map[string]string{{"X-Forwarded-Host": s.public.Host}, nil} {
			b.do(http.MethodGet, "/forward-auth", "", "", own).want(t, http.StatusOK, "")
		}
	})
}
