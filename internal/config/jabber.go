package config

import (
	"errors"
	"regexp"
	"strings"
)

var bareID = regexp.MustCompile(`^([^\s@/:]+@)?[^\s@/:]+$`)

func jabberID(v string) error {
	if !bareID.MatchString(v) {
		return errors.New("login@example.org, or the domain of a component, without a resource")
	}
	return nil
}

// domains is a list of domains, kept in lower case and ASCII.
func domains(key string, at *[]string, help string) setting {
	s := list(key, at, help)
	s.set = func(v string) error {
		*at = nil
		for _, d := range split(v) {
			ascii, err := parseDomain(d)
			if err != nil {
				return errors.New("domains such as chat.example.org, separated by commas")
			}
			*at = append(*at, ascii)
		}
		return nil
	}
	return s
}

// checkJabber looks for settings of Jabber that contradict each other.
func (c *Config) checkJabber() error {
	j := c.Jabber
	wrong := func(key, value, allowed string) error {
		return &Error{Key: "jabber." + key, Value: value, Allowed: allowed, Source: "settings"}
	}
	component := j.ID != "" && !strings.Contains(j.ID, "@")
	switch {
	case j.ID == "" && (j.Server != "" || j.CA != "" || len(j.Domains) > 0 || j.Password != ""):
		return wrong("jid", "", "it is needed by the other settings of jabber")
	case j.ID != "" && j.Password == "":
		return wrong("password", "", "it is needed with jabber.jid")
	case component && j.Server == "":
		return wrong("server", "", "a component needs its server's address and port, such as 127.0.0.1:5347")
	case component && j.CA != "":
		return wrong("ca", j.CA, "a component has no TLS; remove it")
	}
	return nil
}
