package boundkey

import "strings"

// longestSession bounds the name of a session in bytes.
const longestSession = 128

// ReadSession is the session that a browser asks to refresh, from HeaderSession. Anybody can
// send any. The draft has it as a string of RFC 9651, in quotes; Chromium 156 sends it bare.
func ReadSession(header string) (session string, ok bool) {
	session, ok = bare(header, longestSession)
	return session, ok && goodSession(session)
}

// goodSession reports whether a session can be named so: letters, digits, '-', '_' and '.',
// which mean the same everywhere that it travels.
func goodSession(session string) bool {
	if session == "" || len(session) > longestSession {
		return false
	}
	for i := range len(session) {
		c := session[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// bare is the text of a field that is a string of at most longest bytes, with or without the
// quotes of RFC 9651 4.2.5. Parameters behind the quotes are ignored (draft 9.3, 9.4). Nothing
// that is read here holds a quote, a backslash or a space, so those are refused.
func bare(header string, longest int) (text string, ok bool) {
	text = strings.Trim(header, " ")
	if quoted, is := strings.CutPrefix(text, `"`); is {
		var rest string
		if text, rest, ok = strings.Cut(quoted, `"`); !ok || rest != "" && rest[0] != ';' {
			return "", false
		}
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return "", false
		}
	}
	return text, text != "" && len(text) <= longest
}

// quote is a string as RFC 9651 4.1.6 writes it. It panics for what cannot stand in one: all
// that is written comes from this house.
func quote(text string) string {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c > 0x7e {
			panic("boundkey: a header cannot hold this text")
		}
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
