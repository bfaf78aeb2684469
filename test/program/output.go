package program

import "strings"

// notable leaves out of a log what tells of business as usual.
func notable(log string) string {
	var kept strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"msg":"signed in"`) && !strings.HasPrefix(line, "First administrator: ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func last(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "… " + s[len(s)-n:]
}
