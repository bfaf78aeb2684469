package sites_test

import (
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/sites"
)

func BenchmarkRead(b *testing.B) {
	for name, uri := range map[string]string{
		"Ordinary":  "/d/nodes/overview?orgId=1&from=now-6h&to=now",
		"Capitals":  "/d/Nodes/Overview?orgId=1",
		"Escapes":   "/d/My%20Dashboard/caf%C3%A9",
		"TwoWays":   "/api/projects/group%2Fproject/files",
		"Malicious": strings.Repeat(`/..;/%2f%5C\//%3b.%25%3f%23`, 20),
	} {
		r := sites.Request{Proto: "https", Host: "grafana.example.org", URI: uri, Method: "GET"}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = some.Read(r)
			}
		})
	}
}

func TestAnOrdinaryRequestCostsOneAllocation(t *testing.T) {
	r := sites.Request{Proto: "https", Host: "grafana.example.org", URI: "/d/nodes/overview?orgId=1", Method: "GET"}
	if n := testing.AllocsPerRun(100, func() { _, _ = some.Read(r) }); n > 1 { // the address
		t.Errorf("%v allocations", n)
	}
}
