package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/djauthy/djauthy/client/otp"
)

// clientCmd is a client of the wire with the two command lines that scripts use: that of
// 2021 (G4) with a command word, first or last, and that of 0.6 (G2) without one, which
// takes its own triple and the server from the environment.
type clientCmd struct {
	Command string `arg:"" optional:"" help:"create, list, delete or verify. Without: verify, as version 0.6 did."`

	ServerURL string `help:"URL of the entries, such as https://login.example.org/ungleichotp/ ($UNGLEICHOTPSERVER)." placeholder:"URL"`
	AuthName  string `help:"Own name ($UNGLEICHOTPNAME)." placeholder:"N"`
	AuthRealm string `help:"Own realm ($UNGLEICHOTPREALM)." placeholder:"R"`
	AuthSeed  string `help:"Own seed ($UNGLEICHOTPSEED)." placeholder:"S"`
	AuthToken string `help:"Own token of this moment, in place of the seed." placeholder:"T"`

	Name  string `short:"n" help:"Name of the other service." placeholder:"N"`
	Realm string `short:"r" help:"Realm of the other service." placeholder:"R"`
	Token string `help:"Its token, to verify." placeholder:"T"`
	Seed  string `help:"Its seed: a token is made of it." placeholder:"S"`
}

// fill takes from the environment what no flag sets.
func (c *clientCmd) fill(environ []string) {
	for name, at := range map[string]*string{
		"UNGLEICHOTPNAME": &c.AuthName, "UNGLEICHOTPREALM": &c.AuthRealm, "UNGLEICHOTPSEED": &c.AuthSeed, "UNGLEICHOTPSERVER": &c.ServerURL,
	} {
		for _, line := range environ {
			if value, ok := strings.CutPrefix(line, name+"="); ok && *at == "" {
				*at = value
			}
		}
	}
}

// Run sends the command to the server.
func (c clientCmd) Run(e *env) error {
	c.fill(e.environ)
	if err := c.check(); err != nil {
		return usageError{err}
	}
	cl := &otp.Client{Name: c.AuthName, Realm: c.AuthRealm, Seed: c.AuthSeed, Token: c.AuthToken}
	// Scripts of 0.6 have the URL for verifying.
	cl.Server = strings.TrimSuffix(strings.TrimSuffix(c.ServerURL, "/"), "/verify") + "/"
	switch c.Command {
	case "create":
		made, err := cl.Create(e.ctx, c.Name, c.Realm)
		if err != nil {
			return c.explain(err)
		}
		if c.Seed != "" {
			fmt.Fprintln(e.stderr, "djauthy: --seed is not used: the server made the seed; `djauthy services import` brings one along")
		}
		return e.print(made)
	case "list":
		return c.list(e, cl)
	case "delete":
		return c.delete(e, cl)
	case "verify":
		if err := c.verify(e, cl); err != nil {
			return c.explain(err)
		}
		return e.say(map[string]string{"status": "OK"}, "Verify ok")
	}
	return c.verifyG2(e, cl)
}

// check says what is missing.
func (c clientCmd) check() error {
	other := c.Name != "" && c.Realm != ""
	switch {
	case c.ServerURL == "":
		return errors.New("--server-url (or UNGLEICHOTPSERVER) is missing: the URL of the entries, such as https://login.example.org/ungleichotp/")
	case c.AuthName == "" || c.AuthRealm == "":
		return errors.New("--auth-name and --auth-realm (or UNGLEICHOTPNAME and UNGLEICHOTPREALM) are missing: who asks")
	case c.AuthSeed == "" && c.AuthToken == "":
		return errors.New("--auth-seed (or UNGLEICHOTPSEED) or --auth-token is missing: how the one who asks proves it")
	}
	switch c.Command {
	case "list":
		return nil
	case "create", "delete":
		if !other {
			return errors.New("--name and --realm are missing: of the entry to " + c.Command)
		}
		return nil
	case "verify", "":
		if !other || (c.Token == "") == (c.Seed == "") {
			return errors.New("--name, --realm and one of --token and --seed are needed: what to verify")
		}
		return nil
	}
	return fmt.Errorf("%q is none of create, list, delete and verify", c.Command)
}

// explain says what an error of the server means, and what to do.
func (c clientCmd) explain(err error) error {
	switch {
	case errors.Is(err, otp.ErrCredentials):
		return fmt.Errorf("the server does not accept %s in %s: name, realm or seed is wrong, or this machine's clock, or it has ended, or too many wrong tokens came and a minute has to pass", c.AuthName, c.AuthRealm)
	case errors.Is(err, otp.ErrRefused) && c.Command == "verify":
		return fmt.Errorf("not verified: the token is not that of %s in %s now, or that has ended, or %s may not ask about it, or too many wrong tokens came and a minute has to pass", c.Name, c.Realm, c.AuthRealm)
	case errors.Is(err, otp.ErrRefused):
		return fmt.Errorf("the realm %s may not %s entries", c.AuthRealm, c.Command)
	case errors.Is(err, otp.ErrNotFound):
		return fmt.Errorf("there is no %s in %s", c.Name, c.Realm)
	case errors.Is(err, otp.ErrTaken):
		return fmt.Errorf("there is a %s in %s already", c.Name, c.Realm)
	case errors.Is(err, otp.ErrSeed):
		return usageError{err}
	}
	return err
}

// token is the token to verify.
func (c clientCmd) token() (string, error) {
	return (&otp.Client{Seed: c.Seed, Token: c.Token}).NewToken()
}

func (c clientCmd) verify(e *env, cl *otp.Client) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	return cl.Verify(e.ctx, c.Name, c.Realm, token)
}

func (c clientCmd) list(e *env, cl *otp.Client) error {
	all, err := cl.List(e.ctx)
	if err != nil {
		return c.explain(err)
	}
	if e.json {
		if all == nil {
			all = []otp.Entry{}
		}
		return e.print(all)
	}
	var rows [][]string
	for _, x := range all {
		rows = append(rows, []string{fmt.Sprint(x.ID), x.Name, x.Realm, x.Seed})
	}
	return e.table([]string{"ID", "NAME", "REALM", "SEED"}, rows)
}

func (c clientCmd) delete(e *env, cl *otp.Client) error {
	found, err := cl.Find(e.ctx, c.Name, c.Realm)
	if err == nil {
		err = cl.Delete(e.ctx, found.ID)
	}
	if err != nil {
		return c.explain(err)
	}
	return e.say(found, "Deleted "+c.Name+" in "+c.Realm)
}

// verifyG2 verifies as the second generation (0.6) did: with its fields and its texts, and
// an exit code of 0 whatever the result.
func (c clientCmd) verifyG2(e *env, cl *otp.Client) error {
	own, err := cl.NewToken()
	if err != nil {
		return usageError{err}
	}
	token, err := c.token()
	if err != nil {
		return usageError{err}
	}
	body, err := json.Marshal(map[string]string{
		"name": c.AuthName, "realm": c.AuthRealm, "token": own, "verifyname": c.Name, "verifyrealm": c.Realm, "verifytoken": token,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, cl.Server+"verify/", bytes.NewReader(body))
	if err != nil {
		return usageError{err}
	}
	req.Header.Set("Content-Type", "application/json")
	failure := send(req)
	if failure != "" {
		return e.say(map[string]string{"status": "FAIL", "error": failure}, "Failed to verify: "+failure)
	}
	return e.say(map[string]string{"status": "OK"}, "Verify ok")
}

// send sends a request to verify and returns the failure in the texts of Python's urllib;
// "" if the token is good. It follows no redirect, which would give the token to another
// server.
func send(req *http.Request) string {
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Sprintf("HTTP Error %d: %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	var body struct {
		Status string `json:"status"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&body); err != nil || body.Status != "OK" {
		return "the answer is not that of an ungleichotp server"
	}
	return ""
}
