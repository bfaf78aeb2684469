package upgrade_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/totp"
	"github.com/djauthy/djauthy/test/program"
)

// A wire speaks to a site as micro services do.
type wire struct {
	*testing.T
	site  *program.Site
	held  held
	clock clock
}

// token is the one of a seed at the time of the site.
func (w wire) token(seed string) string {
	w.Helper()
	raw, err := totp.ParseSeed(seed)
	must(w.T, err)
	return totp.Code(raw, totp.Step(w.clock.now()))
}

// verify lets one triple that is held ask whether another one's token is good.
func (w wire) verify(by, whose string) program.Answer {
	w.Helper()
	claim := w.held.Triples[whose]
	return w.send("/ungleichotp/verify/", w.claim(by, claim, w.token(claim.Seed)))
}

func (w wire) claim(by string, claim triple, token string) map[string]string {
	w.Helper()
	caller := w.held.Triples[by]
	return map[string]string{
		"auth_name": caller.Name, "auth_realm": caller.Realm, "auth_token": w.token(caller.Seed),
		"name": claim.Name, "realm": claim.Realm, "token": token,
	}
}

func (w wire) send(path string, body map[string]string) program.Answer {
	w.Helper()
	return w.request(http.MethodPost, path, body)
}

func (w wire) request(method, path string, body map[string]string) program.Answer {
	w.Helper()
	text, err := json.Marshal(body)
	must(w.T, err)
	r, err := http.NewRequestWithContext(w.Context(), method, w.site.URL+path, bytes.NewReader(text))
	must(w.T, err)
	r.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute}
	got, err := client.Do(r)
	must(w.T, err)
	defer func() { _ = got.Body.Close() }()
	out, err := io.ReadAll(got.Body)
	must(w.T, err)
	return program.Answer{Status: got.StatusCode, Header: got.Header, Body: string(out)}
}
