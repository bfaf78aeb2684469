package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/client/otp"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

// speak runs the command line client with nothing but an environment.
func speak(environ []string, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"ungleichotpclient"}, args...), nil, &out, &errs, environ)
	return out.String(), errs.String(), code
}

// wantSaid fails the test unless a client printed this and ended so.
func wantSaid(t testing.TB, environ, args []string, wantOut string, wantCode int) {
	t.Helper()
	out, errs, code := speak(environ, args...)
	if out != wantOut || code != wantCode || (code == exitOK) != (errs == "") {
		t.Errorf("%v %v: exit %d, %q, %q; want exit %d, %q", environ, args, code, out, errs, wantCode, wantOut)
	}
}

// shows are the flags by which a client says who it is and whom it asks.
func shows(c *otp.Client) []string {
	return []string{"--server-url", c.Server, "--auth-name", c.Name, "--auth-realm", c.Realm, "--auth-seed", c.Seed}
}

// firstly is the environment of the client of 0.6.
func firstly(c *otp.Client) []string {
	return []string{"UNGLEICHOTPNAME=" + c.Name, "UNGLEICHOTPREALM=" + c.Realm, "UNGLEICHOTPSEED=" + c.Seed, "UNGLEICHOTPSERVER=" + c.Server + "verify/"}
}

func other(c *otp.Client) []string { return []string{"--name", c.Name, "--realm", c.Realm} }

func join(all ...[]string) []string { return slices.Concat(all...) }

const (
	verified = "Verify ok\n"
	refused  = "Failed to verify: HTTP Error 403: Forbidden\n"
)

// unlike is a seed whose tokens of these minutes are none that the services' seeds have: of
// two random seeds one in some thousand pairs shares a token within the window.
func unlike(t *testing.T, others ...*otp.Client) string {
	t.Helper()
	step := totp.Step(time.Now())
	codes := func(seed string, around int64) (all []string) {
		raw, err := totp.ParseSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		for off := -around; off <= around; off++ {
			all = append(all, totp.Code(raw, step+off))
		}
		return all
	}
	for {
		seed := totp.NewSeed()
		if !slices.ContainsFunc(others, func(c *otp.Client) bool {
			theirs := codes(c.Seed, 20)
			return slices.ContainsFunc(codes(seed, 10), func(code string) bool { return slices.Contains(theirs, code) })
		}) {
			return seed
		}
	}
}

// wrongSeed is a seed that no service has.
const wrongSeed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

func TestTheClientVerifiesInTheShapeOf2021(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		shop, printer := s.addService(t, "shop", services.AuthRealm), s.addService(t, "printer", "office")
		token, err := printer.NewToken()
		if err != nil {
			t.Fatal(err)
		}
		own, verify := shows(shop), []string{"verify"}
		wantSaid(t, nil, join(verify, own, other(printer), []string{"--token", token}), verified, exitOK)
		wantSaid(t, nil, join(own, other(printer), []string{"--seed", printer.Seed}, verify), verified, exitOK)
		wantSaid(t, nil, join(own, verify, []string{"-n", "printer", "-r", "office", "--seed", printer.Seed}), verified, exitOK)
		wantSaid(t, firstly(shop), join(verify, other(printer), []string{"--seed", printer.Seed}), verified, exitOK)
		wantSaid(t, firstly(shop), join(verify, own, other(printer), []string{"--seed", unlike(t, printer)}), "", exitFailed)
		wantSaid(t, nil, join(verify, shows(printer), other(shop), []string{"--seed", shop.Seed}), "", exitFailed)
		ownToken, err := shop.NewToken()
		if err != nil {
			t.Fatal(err)
		}
		wantSaid(t, nil, join(verify, own[:6], []string{"--auth-token", ownToken}, other(printer), []string{"--seed", printer.Seed}), verified, exitOK)
		out, errs, code := speak(nil, join(verify, own, other(printer), []string{"--seed", printer.Seed, "--json"})...)
		if code != exitOK || object(t, out)["status"] != "OK" {
			t.Errorf("exit %d, %s%s", code, out, errs)
		}
	})
}

func TestTheClientVerifiesInTheShapeOf06(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		shop, printer := s.addService(t, "shop", services.AuthRealm), s.addService(t, "printer", "office")
		token, err := printer.NewToken()
		if err != nil {
			t.Fatal(err)
		}
		environ := firstly(shop)
		wantSaid(t, environ, []string{"-n", "printer", "-r", "office", "--token", token}, verified, exitOK)
		wantSaid(t, environ, join(other(printer), []string{"--seed", printer.Seed}), verified, exitOK)
		wantSaid(t, environ, join(other(printer), []string{"--seed", unlike(t, printer)}), refused, exitOK)
		wantSaid(t, environ, []string{"-n", "nobody", "-r", "office", "--token", token}, refused, exitOK)
		wantSaid(t, firstly(printer), join(other(shop), []string{"--seed", shop.Seed}), refused, exitOK)
		unknown := *shop
		unknown.Seed = unlike(t, shop)
		wantSaid(t, firstly(&unknown), join(other(printer), []string{"--seed", printer.Seed}), refused, exitOK)
		for seed, status := range map[string]string{printer.Seed: "OK", unlike(t, printer): "FAIL"} {
			out, errs, code := speak(environ, join(other(printer), []string{"--seed", seed, "--json"})...)
			if code != exitOK || object(t, out)["status"] != status {
				t.Errorf("exit %d, %s%s", code, out, errs)
			}
		}
	})
}

// The URL of the entries and that for verifying both name the server, with and
// without the last slash, in either shape.
func TestTheClientTakesEitherURLOfTheServer(t *testing.T) {
	t.Parallel()
	s := shared(t)
	shop := s.addService(t, "shop-url", services.AuthRealm)
	for _, url := range []string{"/ungleichotp/", "/ungleichotp", "/ungleichotp/verify/", "/ungleichotp/verify"} {
		c := *shop
		c.Server = s.public.String() + url
		args := join(shows(&c), other(shop), []string{"--seed", shop.Seed})
		wantSaid(t, nil, args, verified, exitOK)
		wantSaid(t, nil, join(args, []string{"verify"}), verified, exitOK)
	}
}

func TestTheClientCreatesListsAndDeletes(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		root := s.service(t, s.must(t, "createsuperuser", "--name", "root"))
		own, scanner := shows(root), []string{"--name", "scanner", "--realm", "office"}
		do := func(args ...[]string) string {
			t.Helper()
			out, errs, code := speak(nil, join(args...)...)
			if code != exitOK || errs != "" {
				t.Fatalf("%v: exit %d, %s%s", args, code, out, errs)
			}
			return out
		}
		made := object(t, do([]string{"create"}, own, scanner))
		if !slices.Equal(keysOf(made), []string{"id", "name", "realm", "seed"}) || made["name"] != "scanner" || !seedForm.MatchString(made["seed"].(string)) {
			t.Errorf("create prints %v", made)
		}
		var all []otp.Entry
		if err := json.Unmarshal([]byte(do(own, []string{"list", "--json"})), &all); err != nil || len(all) != 2 || all[1].Name != "scanner" || all[1].Seed != made["seed"] {
			t.Errorf("list prints %v, %v", all, err)
		}
		if out := do([]string{"list"}, own); !strings.HasPrefix(out, "ID") || !strings.Contains(out, "scanner") || !strings.Contains(out, root.Seed) {
			t.Errorf("list prints\n%s", out)
		}
		if _, errs, code := speak(nil, join([]string{"create"}, own, scanner)...); code != exitFailed || !strings.Contains(errs, "scanner in office already") {
			t.Errorf("created again: exit %d, %s", code, errs)
		}
		if out, errs, code := speak(nil, join([]string{"create"}, own, []string{"--name", "camera", "--realm", "office", "--seed", wrongSeed})...); code != exitOK || strings.Contains(out, wrongSeed) || !strings.Contains(errs, "--seed is not used") {
			t.Errorf("a seed that the server does not take: exit %d, %s%s", code, out, errs)
		}
		if out := do(own, scanner, []string{"delete"}); out != "Deleted scanner in office\n" {
			t.Errorf("delete prints %s", out)
		}
		if _, errs, code := speak(nil, join([]string{"delete"}, own, scanner)...); code != exitFailed || !strings.Contains(errs, "no scanner in office") {
			t.Errorf("deleted again: exit %d, %s", code, errs)
		}
	})
}

func TestTheClientSaysWhatTheServersRefusalMeans(t *testing.T) {
	t.Parallel()
	s := shared(t)
	shop, printer := s.addService(t, "shop-explain", services.AuthRealm), s.addService(t, "printer-explain", "office")
	wrong := *shop
	wrong.Seed = unlike(t, printer, shop)
	for _, c := range []struct {
		says string
		args []string
	}{
		{"clock", join([]string{"list"}, shows(&wrong))},
		{"clock", join([]string{"verify"}, shows(&wrong), other(printer), []string{"--seed", printer.Seed})},
		{"not verified", join([]string{"verify"}, shows(shop), other(printer), []string{"--seed", unlike(t, printer)})},
		{"may not create", join([]string{"create"}, shows(shop), other(printer))},
		{"may not list", join([]string{"list"}, shows(shop))},
		{"may not delete", join([]string{"delete"}, shows(shop), other(printer))},
	} {
		out, errs, code := speak(nil, c.args...)
		if code != exitFailed || out != "" || !strings.Contains(errs, c.says) || strings.Contains(errs, c.args[8]) {
			t.Errorf("%v: exit %d, %s%s; want %q", c.args[0], code, out, errs, c.says)
		}
	}
}

func TestTheClientSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	environ := []string{"UNGLEICHOTPNAME=shop", "UNGLEICHOTPREALM=office", "UNGLEICHOTPSEED=" + wrongSeed, "UNGLEICHOTPSERVER=http://127.0.0.1:1/ungleichotp/verify/"}
	without := func(name string) (left []string) {
		return slices.DeleteFunc(slices.Clone(environ), func(line string) bool { return strings.HasPrefix(line, name+"=") })
	}
	whole := []string{"--name", "printer", "--realm", "office", "--token", "123456"}
	for _, c := range []struct {
		says    string
		environ []string
		args    []string
	}{
		{"UNGLEICHOTPSERVER", without("UNGLEICHOTPSERVER"), whole},
		{"UNGLEICHOTPNAME", without("UNGLEICHOTPNAME"), whole},
		{"UNGLEICHOTPREALM", without("UNGLEICHOTPREALM"), whole},
		{"UNGLEICHOTPSEED", without("UNGLEICHOTPSEED"), whole},
		{"--server-url", nil, join([]string{"list"}, whole)},
		{"--name, --realm", environ, nil},
		{"--name, --realm", environ, whole[2:]},
		{"--name, --realm", environ, join(whole[:2], whole[4:])},
		{"--token", environ, whole[:4]},
		{"one of --token and --seed", environ, join(whole, []string{"--seed", wrongSeed})},
		{"--token", environ, join([]string{"verify"}, whole[:4])},
		{"--name and --realm", environ, []string{"create", "--name", "x"}},
		{"--name and --realm", environ, []string{"delete", "--realm", "x"}},
		{"none of create, list, delete and verify", environ, join([]string{"revoke"}, whole)},
		{"base32", environ, join(whole[:4], []string{"--seed", "no seed"})},
		{"base32", environ, join([]string{"verify"}, whole[:4], []string{"--seed", "no seed"})},
		{"base32", join([]string{"UNGLEICHOTPSEED=no seed"}, without("UNGLEICHOTPSEED")), whole},
		{"base32", join([]string{"UNGLEICHOTPSEED=no seed"}, without("UNGLEICHOTPSEED")), []string{"list"}},
	} {
		if out, errs, code := speak(c.environ, c.args...); code != exitUsage || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%v with %d of the environment: exit %d, %s%s; want %q", c.args, len(c.environ), code, out, errs, c.says)
		}
	}
}

func TestTheClientTellsThatTheServerIsAway(t *testing.T) {
	t.Parallel()
	away := &otp.Client{Name: "shop", Realm: "office", Seed: wrongSeed, Server: "http://127.0.0.1:" + freePort() + "/ungleichotp/"}
	args := []string{"-n", "printer", "-r", "office", "--token", "123456"}
	if out, errs, code := speak(firstly(away), args...); code != exitOK || errs != "" || !strings.HasPrefix(out, "Failed to verify: ") {
		t.Errorf("0.6: exit %d, %s%s", code, out, errs)
	}
	if out, errs, code := speak(firstly(away), append(args, "verify")...); code != exitFailed || out != "" || errs == "" {
		t.Errorf("2021: exit %d, %s%s", code, out, errs)
	}
}

// Where a redirect goes is for the one who runs the client to decide: its token
// is in the body.
func TestTheClientHandsItsTokenToNobodyElse(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 16)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Method }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	c := &otp.Client{Name: "shop", Realm: "office", Seed: wrongSeed, Server: server.URL + "/ungleichotp/"}
	args := []string{"-n", "printer", "-r", "office", "--token", "123456"}
	for _, more := range [][]string{nil, {"verify"}} {
		out, _, _ := speak(firstly(c), append(args, more...)...)
		if out == verified {
			t.Errorf("%v: it is verified by a server that nobody named", more)
		}
	}
	if len(asked) > 0 {
		t.Errorf("another server was sent the token: %s", <-asked)
	}
}
