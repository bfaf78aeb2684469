package config

import (
	"fmt"
	"strings"
)

// Example is the example file: every key with its default and what it is for.
func Example() string {
	var b strings.Builder
	b.WriteString("# djauthy's settings, each with its default. Every key can be set by the environment instead:\n" +
		"# DJAUTHY_ and the path in capitals, such as DJAUTHY_EMAIL_HOST; NAME_FILE reads the value from a file.\n")
	write(&b, func(s setting) string { return s.defaultText })
	return b.String()
}

// String shows the settings in force as a TOML file, secrets hidden.
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

// Map is the settings in force by key, secrets hidden.
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

// openTable opens the table of a setting if it is another than the last one's.
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
