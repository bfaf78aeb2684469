package config

import (
	"fmt"
	"strings"
	"unicode"
)

// Example is the text of config.example.toml: every key with a comment and its default.
func Example() string {
	return "# The settings of djauthy with their defaults. Every key can be set in the environment, too, which wins:\n" +
		"# email.host is DJAUTHY_EMAIL_HOST, and DJAUTHY_EMAIL_PASSWORD_FILE names a file that holds email.password.\n" +
		new(Config).table().example("")
}

// String is the settings in force as a TOML file, with secrets hidden.
func (c *Config) String() string { return c.table().show("") }

// Map is the settings in force by key, with secrets hidden.
func (c *Config) Map() map[string]string {
	m := map[string]string{}
	c.table().addTo(m, "")
	return m
}

// example is a table with comments and defaults. path is the key of the table with a dot at
// its end, or "". Arrays have no entries by default, so one is shown as a comment.
func (t table) example(path string) string {
	var b strings.Builder
	opened := ""
	for _, s := range t.settings {
		opened = openTable(&b, s, opened)
		if s.help != "" {
			fmt.Fprintf(&b, "# %s\n", s.help)
		}
		fmt.Fprintf(&b, "%s = %s\n", lastWord(s.key), literal(s, s.defaultText))
	}
	for _, a := range t.arrays {
		entry := fmt.Sprintf("# %s\n[[%s]]\n%s", a.help, path+a.key, a.blank().example(path+a.key+"."))
		b.WriteString("\n")
		for line := range strings.Lines(entry) {
			b.WriteString(strings.TrimRight("# "+line, " \n") + "\n")
		}
	}
	return b.String()
}

// show is a table with the values in force.
func (t table) show(path string) string {
	var b strings.Builder
	opened := ""
	for _, s := range t.settings {
		opened = openTable(&b, s, opened)
		fmt.Fprintf(&b, "%s = %s\n", lastWord(s.key), literal(s, s.shown()))
	}
	for _, a := range t.arrays {
		for i := range a.len() {
			fmt.Fprintf(&b, "\n[[%s]]\n%s", path+a.key, a.entry(i).show(path+a.key+"."))
		}
	}
	return b.String()
}

// addTo adds the values in force to a map by key. path is as the keys begin: "provider[0].".
func (t table) addTo(m map[string]string, path string) {
	for _, s := range t.settings {
		m[path+s.key] = s.shown()
	}
	for _, a := range t.arrays {
		for i := range a.len() {
			a.entry(i).addTo(m, entryKey(path+a.key, i)+".")
		}
	}
}

// shown is the value in force, unless it is a secret.
func (s setting) shown() string {
	v := s.get()
	if s.secret && v != "" && !strings.HasPrefix(v, "sqlite:") {
		return "(hidden)"
	}
	return v
}

// openTable writes the [table] line of a setting whose table differs from the last one,
// and returns the table.
func openTable(b *strings.Builder, s setting, last string) string {
	table, _, nested := strings.Cut(s.key, ".")
	if nested && table != last {
		fmt.Fprintf(b, "\n[%s]\n", table)
		return table
	}
	return last
}

func lastWord(key string) string { return key[strings.LastIndex(key, ".")+1:] }

func literal(s setting, v string) string {
	switch {
	case s.isString:
		return quoted(v)
	case s.isList:
		all := split(v)
		for i, part := range all {
			all[i] = quoted(part)
		}
		return "[" + strings.Join(all, ", ") + "]"
	case s.isMap:
		return pairsLiteral(v)
	}
	return v
}

// quoted is a text as a basic string of TOML, whose escapes are those of JSON and not of Go.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
