package config

import (
	"maps"
	"testing"
)

// gateway is an entry with free keys, of which some are secret.
type gateway struct{ Headers, Secrets map[string]string }

// readGateways is Load for an array of tables with free keys.
func readGateways(text string, environ ...string) ([]gateway, table, error) {
	var all []gateway
	keys := func() table {
		return table{arrays: []array{arrayOf("gateway", &all, "", func(s *gateway) table {
			return table{settings: []setting{pairs("headers", &s.Headers, ""), pairs("secrets", &s.Secrets, "").markSecret()}}
		})}}
	}
	in, err := newInput("file", []byte(text), environ, nil)
	if err != nil {
		return nil, table{}, err
	}
	if err := in.fill("", in.document, keys); err != nil {
		return nil, table{}, err
	}
	_, err = in.rest()
	return all, keys(), err
}

func TestFreeKeysAreReadFromTheFileAndTheEnvironment(t *testing.T) {
	accept := map[string]string{"Accept": "text/plain, */*", "X-A": "b=c"}
	for _, c := range []struct {
		text, environ string
		want          map[string]string
	}{
		{"[[gateway]]", "", nil},
		{"[[gateway]]\nheaders = {}", "", nil},
		{"[[gateway]]\nheaders = { Accept = \"text/plain, */*\", X-A = \"b=c\" }", "", accept},
		{"[[gateway]]\n[gateway.headers]\nAccept = \"text/plain, */*\"\n\"X-A\" = \"b=c\"", "", accept},
		{"", `{"Accept": "text/plain, */*", "X-A": "b=c"}`, accept},
		{"", " X-A=b=c , X-B = ,", map[string]string{"X-A": "b=c", "X-B": ""}},
		{"[[gateway]]\nheaders = { A = \"1\", B = \"2\" }", "A=3", map[string]string{"A": "3"}},
		{"[[gateway]]\nheaders = { A = \"1\" }", "{}", nil},
	} {
		var environ []string
		if c.environ != "" {
			environ = []string{"DJAUTHY_GATEWAY_0_HEADERS=" + c.environ}
		}
		all, shown, err := readGateways(c.text, environ...)
		if err != nil || len(all) != 1 || !maps.Equal(all[0].Headers, c.want) {
			t.Errorf("%q, %q: %v, %v", c.text, c.environ, all, err)
			continue
		}
		again, _, err := readGateways(shown.show(""))
		if err != nil || len(again) != 1 || !maps.Equal(again[0].Headers, c.want) {
			t.Errorf("%q, %q: it is shown as\n%s\nwhich is %v, %v", c.text, c.environ, shown.show(""), again, err)
		}
	}
}

func TestSecretFreeKeysAreHidden(t *testing.T) {
	_, all, err := readGateways("[[gateway]]\nsecrets = { Authorization = \"hunter2\" }\n[[gateway]]")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\n[[gateway]]\nheaders = {}\nsecrets = \"(hidden)\"\n\n[[gateway]]\nheaders = {}\nsecrets = {}\n"; all.show("") != want {
		t.Errorf("shown:\n%s\nwant\n%s", all.show(""), want)
	}
}

func TestFreeKeysThatCannotBeReadAreRefused(t *testing.T) {
	for _, text := range []string{"A", "=b", "A=1,A=2", "A=1,b", `{"A": 1}`, `{"A": "b"`, `{"A": "b"} c`, `{"A": ["hunter2"]}`} {
		_, _, err := readGateways("", "DJAUTHY_GATEWAY_0_SECRETS="+text)
		wantRefused(t, err, "gateway[0].secrets", "DJAUTHY_GATEWAY_0_SECRETS", "KEY=VALUE")
	}
	for _, text := range []string{"A = 1", "A = [\"hunter2\"]", "A = { b = \"hunter2\" }"} {
		_, _, err := readGateways("[[gateway]]\nsecrets = { " + text + " }")
		wantRefused(t, err, "gateway[0].secrets", "file", "a table of texts")
	}
	_, _, err := readGateways("[[gateway]]\n[gateway.header]\nA = \"hunter2\"")
	wantRefused(t, err, "gateway[0].header.A", "file", "not known")
}
