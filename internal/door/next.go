package door

import (
	"net/url"
	"strings"
)

// LocalPath returns a path of this server that it is safe to lead a browser to,
// or "" for anything else: another host, a scheme, what some browser reads as
// one, in plain or encoded.
func LocalPath(next string) string {
	if len(next) > 2048 || !strings.HasPrefix(next, "/") {
		return ""
	}
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return ""
	}
	query, err := url.QueryUnescape(u.RawQuery)
	if err != nil {
		return ""
	}
	for _, form := range []string{next, u.Path} {
		if strings.HasPrefix(form, "//") || strings.ContainsRune(form, '\\') || strings.ContainsFunc(form, control) {
			return ""
		}
	}
	if strings.ContainsFunc(query, control) || strings.ContainsFunc(u.Fragment, control) {
		return ""
	}
	return next
}

func control(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0xfffd }
