package config

import (
	"fmt"
	"strings"
)

// Example is the text of config.example.toml: every key with a comment and its default.
func Example() string {
	var b strings.Builder
	b.WriteString("# The settings of djauthy with their defaults. Every key can be set in the environment, too, which wins:\n" +
		"# email.host is DJAUTHY_EMAIL_HOST, and DJAUTHY_EMAIL_PASSWORD_FILE names a file that holds email.password.\n")
	write(&b, func(s setting) string { return s.defaultText })
	return b.String()
}

// String is the settings in force as a TOML file, with secrets hidden.
func (c *Config) String() string {
	var b strings.Builder
	table := ""
	for _, s := range c.settings() {
		table = openTable(&b, s, table)
		v := s.get()
		if s.secret && v != "" && !strings.HasPrefix(v, "sqlite:") {
			v = "(hidden)"
		}
		fmt.Fprintf(&b, "%s = %s\n", s.key[strings.LastIndex(s.key, ".")+1:], literal(s, v))
	}
	return b.String()
}

// Map is the settings in force by key, with secrets hidden.
func (c *Config) Map() map[string]string {
	m := map[string]string{}
	for _, s := range c.settings() {
		m[s.key] = s.get()
		if s.secret && m[s.key] != "" && !strings.HasPrefix(m[s.key], "sqlite:") {
			m[s.key] = "(hidden)"
		}
	}
	return m
}

func write(b *strings.Builder, valueOf func(setting) string) {
	table := ""
	for _, s := range new(Config).settings() {
		table = openTable(b, s, table)
		if s.help != "" {
			fmt.Fprintf(b, "# %s\n", s.help)
		}
		fmt.Fprintf(b, "%s = %s\n", s.key[strings.LastIndex(s.key, ".")+1:], literal(s, valueOf(s)))
	}
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

func literal(s setting, v string) string {
	switch {
	case s.isString:
		return fmt.Sprintf("%q", v)
	case s.isList:
		all := split(v)
		for i, part := range all {
			all[i] = fmt.Sprintf("%q", part)
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	return v
}
