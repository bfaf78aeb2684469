package ungleichotp_test

import (
	"strings"
	"testing"
)

// http10 is the request as a client of HTTP/1.0 writes it.
func (q request) http10(more string) string {
	text := strings.Replace(q.text(), " HTTP/1.1\r\n", " HTTP/1.0\r\n", 1)
	return strings.Replace(text, "\r\n", "\r\n"+more, 1)
}

// HTTP/1.0 knows no chunks (RFC 9112 7.1); nginx speaks it to a server by default.
func TestAClientOfHTTP10GetsNoChunks(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.many(t, []who{h.add(t, "root", "ungleich-admin")}, 2500)
		for _, x := range []struct {
			q        request
			unending bool // its length is not told: the connection ends it
			status   int
			body     string
		}{
			{ask("GET", collectionPath, all[0].g4()), true, 200, h.list(all...)},
			{ask("HEAD", collectionPath, all[0].g4()), true, 200, ""},
			{ask("GET", all[7].path(), all[0].g4()), false, 200, all[7].shown()},
			{ask("POST", collectionPath, nil), false, 403, badCredentials},
			{ask("GET", verifyAppPath, nil), false, 405, `{"status":"FAIL","error":"method GET is not allowed, use POST"}`},
		} {
			connections := []string{"", "Connection: close\r\n"}
			if x.unending {
				connections = append(connections, "Connection: keep-alive\r\n")
			}
			for _, connection := range connections {
				a, err := h.exchangeText(x.q, x.q.http10(connection))
				check(t, err)
				if a.status != x.status || a.body != x.body || a.header.Get("Content-Type") != jsonMedia {
					t.Errorf("%s %s%q: %d %v %.200s, want %d %.200s", x.q.method, x.q.path, connection, a.status, a.header, a.body, x.status, x.body)
				}
				a.lacks(t, "Transfer-Encoding", "Set-Cookie")
				if x.unending {
					a.lacks(t, "Content-Length")
				}
			}
		}
	})
}
