package passkeytest_test

import (
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

// recorder is a test that may fail.
type recorder struct{ testing.TB }

func (r *recorder) Helper() {}

func (r *recorder) Fatal(...any) { panic(r) }

func (r *recorder) Fatalf(string, ...any) { panic(r) }

// refuses reports whether fn fails its test.
func refuses(t *testing.T, fn func(k *passkeytest.Key)) (failed bool) {
	t.Helper()
	r := &recorder{TB: t}
	k := passkeytest.New(r)
	k.ID = []byte("0123456789abcdef")
	defer func() {
		switch p := recover(); p {
		case nil:
		case any(r):
			failed = true
		default:
			panic(p)
		}
	}()
	fn(k)
	return false
}

const (
	origin = "https://login.example.org"
	create = `{"rp": {"id": "example.org", "name": "Example"}, "user": {"id": "AAE"}, "challenge": "AAAAAAAAAAAAAAAAAAAAAA",
		"pubKeyCredParams": [{"type": "public-key", "alg": -8}, {"type": "public-key", "alg": -7}],
		"excludeCredentials": [{"type": "public-key", "id": "AAAA"}], "authenticatorSelection": {"residentKey": "required", "userVerification": "preferred"}}`
	get = `{"rpId": "example.org", "challenge": "AAAAAAAAAAAAAAAAAAAAAA", "allowCredentials": [{"type": "public-key", "id": "MDEyMzQ1Njc4OWFiY2RlZg"}]}`
)

// What a browser refuses cannot be a response that a server is tested with.
func TestAKeyRefusesWhatABrowserRefuses(t *testing.T) {
	noPIN := func(k *passkeytest.Key) { k.Verifies = false }
	forgets := func(k *passkeytest.Key) { k.Discoverable = false }
	for name, c := range map[string]struct {
		origin, options, from, to string
		key                       func(*passkeytest.Key)
		good                      bool
	}{
		"create":                                     {origin: origin, options: create, good: true},
		"create at the domain itself":                {origin: "https://example.org", options: create, good: true},
		"create on localhost":                        {origin: "http://localhost:8080", options: create, from: "example.org", to: "localhost", good: true},
		"create at another domain":                   {origin: "https://example.com", options: create},
		"create at a domain that ends alike":         {origin: "https://notexample.org", options: create},
		"create without TLS":                         {origin: "http://login.example.org", options: create},
		"create with a short challenge":              {origin: origin, options: create, from: "AAAAAAAAAAAAAAAAAAAAAA", to: "AAAA"},
		"create without ES256":                       {origin: origin, options: create, from: `"alg": -7`, to: `"alg": -257`},
		"create without a user":                      {origin: origin, options: create, from: "AAE", to: ""},
		"create for a site without a name":           {origin: origin, options: create, from: "Example", to: ""},
		"create for a long handle":                   {origin: origin, options: create, from: "AAE", to: strings.Repeat("AAAA", 22)},
		"create again":                               {origin: origin, options: create, from: `"AAAA"`, to: `"MDEyMzQ1Njc4OWFiY2RlZg"`},
		"create without a PIN":                       {origin: origin, options: create, key: noPIN, good: true},
		"create without the PIN that must be":        {origin: origin, options: create, from: "preferred", to: "required", key: noPIN},
		"create what must be discoverable":           {origin: origin, options: create, key: forgets},
		"create what need not be":                    {origin: origin, options: create, from: "required", to: "discouraged", key: forgets, good: true},
		"get":                                        {origin: origin, options: get, good: true},
		"get as anybody":                             {origin: origin, options: get, from: `{"type": "public-key", "id": "MDEyMzQ1Njc4OWFiY2RlZg"}`, good: true},
		"get as anybody by a key that does not know": {origin: origin, options: get, from: `{"type": "public-key", "id": "MDEyMzQ1Njc4OWFiY2RlZg"}`, key: forgets},
		"get by a key that is not allowed":           {origin: origin, options: get, from: "MDEy", to: "AAAA"},
		"get at another domain":                      {origin: "https://example.com", options: get},
		"get with a short challenge":                 {origin: origin, options: get, from: "AAAAAAAAAAAAAAAAAAAAAA", to: "AAAA"},
	} {
		t.Run(name, func(t *testing.T) {
			options := strings.Replace(c.options, c.from, c.to, 1)
			if c.from != "" && options == c.options {
				t.Fatalf("the options have no %s", c.from)
			}
			failed := refuses(t, func(k *passkeytest.Key) {
				if c.key != nil {
					c.key(k)
				}
				if strings.HasPrefix(name, "create") {
					k.Create(c.origin, []byte(options))
				} else {
					k.Get(c.origin, []byte(options))
				}
			})
			if failed == c.good {
				t.Errorf("refused: %v", failed)
			}
		})
	}
}
