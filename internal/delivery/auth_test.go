package delivery_test

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/delivery"
)

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// Answers of a server's log-in.
const (
	letIn   = "235 2.7.0 ok"
	refused = "535 5.7.8 Error: authentication failed"
	absent  = "504 5.5.4 Unrecognized authentication type"
)

// right is a log-in that lets "user" with "pass word" in by what it knows.
func right(mechanism, first string, ask func(string) string) string {
	ok := false
	switch mechanism {
	case "PLAIN":
		ok = first == b64("\x00user\x00pass word")
	case "LOGIN":
		ok = ask(b64("Username:")) == b64("user") && ask(b64("Password:")) == b64("pass word")
	case "CRAM-MD5":
		mac := hmac.New(md5.New, []byte("pass word"))
		mac.Write([]byte("<1.2@mx>"))
		ok = ask(b64("<1.2@mx>")) == b64(fmt.Sprintf("user %x", mac.Sum(nil)))
	}
	if !ok {
		return refused
	}
	return letIn
}

// account is what the sender logs in with.
func account(s *delivery.SMTP) { s.Username, s.Password = "user", "pass word" }

func TestLogInTriesOneMechanismAfterTheOther(t *testing.T) {
	for name, c := range map[string]struct {
		offers string
		chosen string
		login  func(mechanism, first string, ask func(string) string) string
		tried  string // "" if it is as offered
	}{
		"plain":                  {"AUTH PLAIN LOGIN", "", right, "PLAIN"},
		"names in small letters": {"auth login plain", "", right, "PLAIN"},
		"the form of old":        {"AUTH=LOGIN", "", right, "LOGIN"},
		"both forms":             {"AUTH=LOGIN PLAIN\r\n250-AUTH CRAM-MD5", "", right, "PLAIN"},
		"NTLM first":             {"AUTH NTLM LOGIN", "", right, "LOGIN"},
		"only CRAM-MD5":          {"AUTH CRAM-MD5 GSSAPI", "", right, "CRAM-MD5"},
		"PLAIN refused":          {"AUTH PLAIN LOGIN", "", except("PLAIN", refused), "PLAIN LOGIN"},
		"PLAIN not there":        {"AUTH PLAIN LOGIN", "", except("PLAIN", absent), "PLAIN LOGIN"},
		"PLAIN hangs up":         {"AUTH PLAIN LOGIN", "", except("PLAIN", hangUp), "PLAIN LOGIN"},
		"PLAIN ends the session": {"AUTH PLAIN LOGIN", "", except("PLAIN", "421 4.7.0 too many errors"), "PLAIN LOGIN"},
		"all but the last":       {"AUTH LOGIN PLAIN CRAM-MD5", "", except("PLAIN LOGIN", absent), "PLAIN LOGIN CRAM-MD5"},
		"chosen":                 {"AUTH PLAIN LOGIN CRAM-MD5", "cram-md5", right, "CRAM-MD5"},
		"chosen and not offered": {"", "login", right, "LOGIN"},
		"broken CRAM-MD5":        {"AUTH CRAM-MD5 PLAIN", "", except("CRAM-MD5", hangUp), "PLAIN"},
		"prompts in the clear": {"AUTH LOGIN", "", func(_, _ string, ask func(string) string) string {
			if ask("Username:") == b64("user") && ask("Password:") == b64("pass word") {
				return letIn
			}
			return refused
		}, "LOGIN"},
		"PLAIN that asks": {"AUTH PLAIN", "", func(_, _ string, ask func(string) string) string {
			return right("PLAIN", ask(""), nil)
		}, "PLAIN"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var tried []string
			s := start(t, &server{offers: []string{"8BITMIME", c.offers}, login: func(mechanism, first string, ask func(string) string) string {
				mu.Lock()
				tried = append(tried, mechanism)
				mu.Unlock()
				return c.login(mechanism, first, ask)
			}})
			sender := s.sender(t, account, func(x *delivery.SMTP) { x.Auth = c.chosen })
			check(t, send(t.Context(), sender, worded))
			want(t, strings.Join(tried, " "), c.tried)

			// What let us in is what the next connection begins with.
			mu.Lock()
			tried = nil
			mu.Unlock()
			before := s.dialled()
			s.answers(func(step string, n int) string {
				if step == "MAIL" && n <= before {
					return hangUp
				}
				return ""
			})
			check(t, send(t.Context(), sender, worded))
			last := c.tried[strings.LastIndex(c.tried, " ")+1:]
			want(t, strings.Join(tried, " "), last)
			want(t, len(s.received()), 2)
		})
	}
}

// except is right but for some mechanisms.
func except(mechanisms, answer string) func(string, string, func(string) string) string {
	return func(mechanism, first string, ask func(string) string) string {
		if slices.Contains(strings.Fields(mechanisms), mechanism) {
			return answer
		}
		return right(mechanism, first, ask)
	}
}

func TestALogInThatFailsSaysWhatTheServerSaidAndWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		offers []string
		login  func(mechanism, first string, ask func(string) string) string
		host   string
		says   []string
	}{
		"wrong password":      {[]string{"AUTH PLAIN LOGIN"}, except("PLAIN LOGIN", refused), "", []string{"email.password", "535 5.7.8 Error: authentication failed", "PLAIN", "LOGIN"}},
		"no log-in":           {[]string{"SIZE 1000"}, nil, "", []string{"email.tls", "email.username"}},
		"nothing in common":   {[]string{"AUTH NTLM GSSAPI"}, nil, "", []string{"NTLM GSSAPI", "PLAIN, LOGIN"}},
		"broken and nothing":  {[]string{"AUTH CRAM-MD5"}, except("CRAM-MD5", hangUp), "", []string{"CRAM-MD5", "the connection broke"}},
		"asks for ever":       {[]string{"AUTH LOGIN"}, askForever, "", []string{"asks for more"}},
		"asks for ever again": {[]string{"AUTH CRAM-MD5"}, askForever, "", []string{"asks for more"}},
		"hours of work": {[]string{"AUTH SCRAM-SHA-256"}, func(_, _ string, ask func(string) string) string {
			_, nonce, _ := strings.Cut(unb64(ask("")), "r=")
			if ask(b64("r="+nonce+"x,s="+b64("salt")+",i=2000000000")) == "*" {
				return "501 5.7.0 cancelled"
			}
			return letIn
		}, "", []string{"too much work"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, &server{offers: c.offers, login: c.login})
			sender := s.sender(t, account)
			se := refusal(t, send(t.Context(), sender, worded))
			want(t, se.Down, true)
			want(t, se.Permanent, false)
			for _, part := range c.says {
				if !strings.Contains(se.Error(), part) {
					t.Errorf("%q does not say %q", se.Error(), part)
				}
			}
			if strings.Contains(se.Error(), "pass word") || strings.Contains(se.Error(), b64("pass word")) {
				t.Errorf("it tells the password: %q", se.Error())
			}
			want(t, s.said("MAIL"), 0)
		})
	}
}

func askForever(_, _ string, ask func(string) string) string {
	for range 100 {
		if ask(b64("more?")) == "*" {
			return "501 5.7.0 cancelled"
		}
	}
	return letIn
}

func unb64(text string) string {
	b, _ := base64.StdEncoding.DecodeString(text)
	return string(b)
}

func TestAPasswordGoesToNoStrangerInTheClear(t *testing.T) {
	for mechanism, sent := range map[string]bool{"PLAIN LOGIN": false, "CRAM-MD5": true} {
		asked := false
		s := start(t, &server{offers: []string{"AUTH " + mechanism}, login: func(mechanism, first string, ask func(string) string) string {
			asked = true
			return right(mechanism, first, ask)
		}})
		sender := s.sender(t, account)
		delivery.Far(sender)
		err := send(t.Context(), sender, worded)
		want(t, asked, sent)
		if sent {
			check(t, err)
		} else if se := refusal(t, err); !se.Down || !strings.Contains(se.Reason, "set email.tls to starttls or implicit") {
			t.Errorf("it says %q", se.Reason)
		}
	}
}
