package config_test

import (
	"strings"
	"testing"
)

func TestJabberIsAClientOrAComponent(t *testing.T) {
	c := must(t, "[jabber]\njid = \"login@example.org\"\npassword = \"hunter2\"\ndomains = [\"Chat.example\", \"Bücher.example\"]\n[expiry_time]\njabber = \"3m\"")
	if c.Jabber.ID != "login@example.org" || strings.Join(c.Jabber.Domains, " ") != "chat.example xn--bcher-kva.example" || c.Lives()["jabber"].Minutes() != 3 {
		t.Errorf("%+v", c.Jabber)
	}
	must(t, "", "DJAUTHY_JABBER_JID=login.example.org", "DJAUTHY_JABBER_PASSWORD=x", "DJAUTHY_JABBER_SERVER=127.0.0.1:5347")
}

func TestJabberThatCannotWorkStopsTheStart(t *testing.T) {
	for text, key := range map[string]string{
		"domains = [\"@chat.example\"]": "jabber.domains", "domains = [\"https://chat.example\"]": "jabber.domains",
		"password = \"x\"": "jabber.jid", "domains = [\"a.example\"]": "jabber.jid",
		"jid = \"login@example.org\"":                                             "jabber.password",
		"jid = \"login@example.org/home\"\npassword = \"x\"":                      "jabber.jid",
		"jid = \"a@b@example.org\"\npassword = \"x\"":                             "jabber.jid",
		"jid = \"xmpp:a@example.org\"\npassword = \"x\"":                          "",
		"jid = \"login.example.org\"\npassword = \"x\"":                           "jabber.server",
		"jid = \"login.example.org\"\npassword = \"x\"\nserver = \"localhost\"":   "jabber.server",
		"jid = \"c.example.org\"\npassword = \"x\"\nserver = \"a:1\"\nca = \"f\"": "jabber.ca",
	} {
		_, _, err := load("[jabber]\n" + text)
		wantRefusedKey(t, err, key)
	}
}
