package ungleichotp_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// refused are requests that no handler ever sees, with their status.
func refused(method, path string) map[string]struct {
	text   string
	status int
} {
	begin := method + " " + path + " HTTP/1.1\r\nHost: login.example.org\r\n"
	media := "Content-Type: " + jsonMedia + "\r\n"
	long := strings.Repeat("a", 17<<10)
	return map[string]struct {
		text   string
		status int
	}{
		"a body over the limit":           {begin + media + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 64<<10+1, strings.Repeat(" ", 64<<10+1)), 413},
		"a body over the limit in chunks": {begin + media + "Transfer-Encoding: chunked\r\n\r\n" + "10001\r\n" + strings.Repeat(" ", 0x10001) + "\r\n0\r\n\r\n", 413},
		"a length over the limit":         {begin + media + "Content-Length: 70000\r\n\r\n", 413},
		"a header over the limit":         {begin + "X: " + long + "\r\n\r\n", 431},
		"a query over the limit":          {strings.Replace(begin, path, path+"?"+long, 1) + "\r\n", 431},
		"an absolute target":              {strings.Replace(begin, path, "http://login.example.org"+path+"?x", 1) + "X: " + long + "\r\n\r\n", 431},
		"two Hosts":                       {begin + "Host: other.example\r\n\r\n", 400},
		"no Host":                         {method + " " + path + " HTTP/1.1\r\n\r\n", 400},
		"NUL in a header":                 {begin + "X: a\x00b\r\n\r\n", 400},
		"no version":                      {method + " " + path + "\r\n\r\n", 400},
		"an unknown version":              {method + " " + path + " HTTP/x\r\n\r\n", 400},
		"a length and chunks":             {begin + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"a length that is none":           {begin + "Content-Length: x\r\n\r\n", 400},
		"an unknown coding":               {begin + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
		"a chunk that is none":            {begin + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
	}
}

// What the HTTP library refuses before any handler is told as the wire tells it.
func TestWhatNoHandlerSeesIsToldInTheWiresWords(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		for path, method := range map[string]string{
			verifyPath: "POST", collectionPath: "GET", "/ungleichotp/7/": "PATCH", rootPath: "POST",
			verifyAppPath: "POST", registerPath: "POST", appsPath: "GET", a.plain.appPath(): "GET",
		} {
			for what, x := range refused(method, path) {
				if path == rootPath && x.status != http.StatusRequestEntityTooLarge {
					continue // who does not bring a body there is a person
				}
				t.Run(path+" "+what, func(t *testing.T) {
					t.Parallel()
					got, err := h.exchangeText(request{method: method, path: path}, x.text)
					check(t, err)
					got.isTold(t, x.status)
				})
			}
		}
	})
}

// isTold demands an answer in the words of its generation, with the path's methods.
func (a answer) isTold(t *testing.T, status int) {
	t.Helper()
	var told struct{ Detail, Status, Error string }
	err := json.Unmarshal([]byte(a.body), &told)
	first := strings.HasPrefix(a.to.path, "/verify") || strings.HasPrefix(a.to.path, "/app")
	switch {
	case a.to.method == http.MethodHead:
		if a.body != "" {
			t.Errorf("a body after HEAD: %.200s", a.body)
		}
	case err != nil || first && (told.Status != "FAIL" || told.Error == "") || !first && told.Detail == "":
		t.Errorf("%d %.200s is not in the wire's words", a.status, a.body)
	}
	allow := allowed(a.to.path)
	if first {
		allow = map[string]string{verifyAppPath: "POST", registerPath: "POST"}[a.to.path]
		if allow == "" {
			allow = "GET"
		}
	}
	if got := a.header.Get("Allow"); a.status != status || got != allow || a.header.Get("Content-Type") != jsonMedia {
		t.Errorf("%d with Allow %q, Content-Type %q, want %d with %q", a.status, got, a.header.Get("Content-Type"), status, allow)
	}
	if a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("the headers of every answer are missing")
	}
	a.lacks(t, "Set-Cookie", "Www-Authenticate")
}

func TestHEADOfABodyOverTheLimitHasNoBody(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		q := request{method: "HEAD", path: collectionPath, media: jsonMedia, body: strings.Repeat(" ", 70<<10)}
		h.send(t, q).isTold(t, http.StatusRequestEntityTooLarge)
	})
}

// On a connection that is kept, the words are those of the request that is refused.
func TestARequestThatIsRefusedLaterOnAConnectionIsToldByItsOwnPath(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for before, path := range map[string]string{"/nowhere": collectionPath, verifyAppPath: verifyPath, verifyPath: appsPath} {
			conn, err := net.Dial("tcp", h.address)
			check(t, err)
			defer func() { _ = conn.Close() }()
			check(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
			r := bufio.NewReader(conn)
			good := ask("POST", before, fields{})
			_, err = io.WriteString(conn, good.text())
			check(t, err)
			_, err = good.read(r, false)
			check(t, err)
			q := request{method: "GET", path: path}
			_, err = io.WriteString(conn, refused("GET", path)["a header over the limit"].text)
			check(t, err)
			got, err := q.read(r, false)
			check(t, err)
			got.isTold(t, 431)
		}
	})
}

// Pages are told to people as before, and paths that only begin alike are no paths of
// the wire.
func TestWhatIsRefusedElsewhereIsNotToldInTheWiresWords(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for _, path := range []string{"/login", "/verifyx", "/application", "/ungleichotps/", "/x/verify"} {
			all := refused("POST", path)
			for _, what := range []string{"no version", "a header over the limit", "a body over the limit"} {
				x := all[what]
				a, err := h.exchangeText(request{method: "POST", path: path}, x.text)
				check(t, err)
				if a.status != x.status || strings.HasPrefix(a.body, "{") || a.header.Get("Allow") != "" {
					t.Errorf("%s, %s: %d %.100s", path, what, a.status, a.body)
				}
			}
		}
		a, err := h.exchangeText(request{method: "GET", path: rootPath}, refused("GET", rootPath)["a header over the limit"].text)
		if check(t, err); a.status != 431 || strings.HasPrefix(a.body, "{") {
			t.Errorf("a person's header on /: %d %s", a.status, a.body)
		}
	})
}

func TestUnknownPathsOfAppsAreToldAsAppsReadThem(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for _, path := range []string{"/verify/", "/verify/x", "/app/register/x", "/app/x/y", "/app/x/y/"} {
			for _, method := range []string{"GET", "POST", "X"} {
				a := h.send(t, ask(method, path, nil))
				a.says(t, http.StatusNotFound, `{"status":"FAIL","error":"Not Found"}`)
			}
		}
	})
}
