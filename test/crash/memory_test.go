package crash_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// Row 65: what twenty requests at once of the largest size make the process grow by.
func TestRow65_ABodyTakesNoMuchMoreThanItsSize(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	s := program.Start(t, binary)
	idle := peak(t, s)
	part := "--x\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n\r\n"
	for name, c := range map[string]struct{ kind, body string }{
		"parts":          {"multipart/form-data; boundary=x", strings.Repeat(part, 60_000/len(part)) + "--x--\r\n"},
		"tiny parts":     {"multipart/form-data; boundary=x", strings.Repeat("--x\r\n\r\n\r\n", 6_000) + "--x--\r\n"},
		"headers":        {"multipart/form-data; boundary=x", "--x\r\n" + strings.Repeat("a:\r\n", 15_000) + "\r\n\r\n--x--\r\n"},
		"quoted":         {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"id\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=41", 20_000) + "\r\n--x--\r\n"},
		"a file":         {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"id\"; filename=\"a\"\r\n\r\n" + strings.Repeat("a", 60_000) + "\r\n--x--\r\n"},
		"fields":         {form, strings.Repeat("a&", 32_000)},
		"a like type":    {form + "x", strings.Repeat("a&", 32_000)},
		"percent":        {form, "id=" + strings.Repeat("%41", 20_000)},
		"nested JSON":    {"application/json", strings.Repeat("[", 60_000)},
		"wide JSON":      {"application/json", "{" + strings.Repeat(`"a":1,`, 10_000) + `"b":1}`},
		"a list in JSON": {"application/json", `{"id":[` + strings.Repeat("1,", 30_000) + "1]}"},
	} {
		for _, path := range []string{"/login", "/ungleichotp/verify/"} {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if status, err := post(s.URL+path, c.kind, c.body); err != nil || status < 400 || status >= 500 {
						t.Errorf("%s at %s is answered with %d, %v", name, path, status, err)
					}
				})
			}
			wg.Wait()
			if grown := peak(t, s) - idle; grown > 40<<10 {
				t.Errorf("twenty times %s at %s took %d KiB", name, path, grown)
			}
		}
	}
}

func post(url, kind, body string) (int, error) {
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Post(url, kind, strings.NewReader(body)) //nolint:noctx // the client has a timeout
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory in KiB that the server's process has held since the last call.
// Linux keeps it, and begins anew with what is held when 5 is written to clear_refs (proc(5)).
func peak(t *testing.T, s *program.Site) int {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", s.PID())
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(proc+"clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	kib, err := strconv.Atoi(highWater.FindStringSubmatch(string(status))[1])
	if err != nil {
		t.Fatal(err)
	}
	return kib
}
