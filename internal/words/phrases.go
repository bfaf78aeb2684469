package words

import (
	"strings"
	"time"
)

// Place names the place of a network prefix; "" is unknown.
func (l *Language) Place(prefix string) string {
	switch {
	case prefix == "":
		return l.T("place.unknown")
	case strings.HasPrefix(prefix, "127.") || prefix == "::/48":
		return l.T("place.local")
	}
	return l.T("place.network", "Prefix", prefix)
}

// Way is an implementation as people read it. That of a web hook has the name that its
// administrator gave it.
func (l *Language) Way(implementation string) string {
	if l.Has("implementation." + implementation) {
		return l.T("implementation." + implementation)
	}
	return implementation
}

// Browser names a browser stored as "Firefox/Linux"; either part may be missing.
func (l *Language) Browser(agent string) string {
	browser, system, _ := strings.Cut(agent, "/")
	switch {
	case browser == "":
		return l.T("browser.unknown")
	case system == "":
		return browser
	}
	return l.T("browser.on", "Browser", browser, "System", system)
}

// units are the units of a span of time, from the largest.
var units = []struct {
	of   time.Duration
	name string
}{{24 * time.Hour, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}, {time.Second, "seconds"}}

// Ago says how long ago something was: "5 minutes ago".
func (l *Language) Ago(d time.Duration) string {
	for _, u := range units {
		if n := int(d / u.of); n > 0 {
			return l.N("ago."+u.name, n)
		}
	}
	return l.T("ago.now")
}

// In says how long until something, rounded up: "in 3 minutes".
func (l *Language) In(d time.Duration) string {
	for _, u := range units[1:] {
		n := int((d + u.of - 1) / u.of)
		if d >= u.of || u.of == time.Second {
			return l.N("in."+u.name, max(n, 1))
		}
	}
	return ""
}
