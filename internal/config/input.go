package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// value is a setting's text and its source, for errors.
type value struct{ text, source string }

// fromTOML flattens a TOML text to "table.key" and refuses keys that mean
// nothing.
func fromTOML(name string, text []byte) (values map[string]value, later []string, err error) {
	var doc map[string]any
	if err := toml.Unmarshal(text, &doc); err != nil {
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, column := de.Position()
			return nil, nil, fmt.Errorf("%s, line %d, column %d: %w", name, line, column, err)
		}
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	known := map[string]bool{}
	for _, s := range new(Config).settings() {
		known[s.key] = true
	}
	values = map[string]value{}
	var flatten func(path string, v any) error
	flatten = func(path string, v any) error {
		if table, ok := v.(map[string]any); ok {
			for k, v := range table {
				if path != "" {
					k = path + "." + k
				}
				if err := flatten(k, v); err != nil {
					return err
				}
			}
			return nil
		}
		if isLater(path) {
			later = append(later, path+" ("+name+") is for a part that this version does not have; it does nothing")
			return nil
		}
		if !known[path] {
			return &Error{Key: path, Hidden: true, Allowed: "this key is not known" + suggest(path, known), Source: name}
		}
		s, err := tomlText(v)
		if err != nil {
			return &Error{Key: path, Hidden: true, Allowed: err.Error(), Source: name}
		}
		values[path] = value{s, name}
		return nil
	}
	err = flatten("", doc)
	slices.Sort(later)
	return values, later, err
}

// isLater reports keys of djauthy's outside that belong to parts to come, so that
// one file serves versions with and without them.
func isLater(key string) bool {
	table, name, _ := strings.Cut(key, ".")
	switch table {
	case "jabber", "provider", "openid":
		return true
	case "expiry_time":
		return slices.Contains([]string{"jabber", "openid", "oauth"}, name)
	}
	return false
}

// tomlText is a TOML value as text; a list becomes "a,b".
func tomlText(v any) (string, error) {
	switch v := v.(type) {
	case string, int64, bool:
		return fmt.Sprint(v), nil
	case []any:
		all := make([]string, len(v))
		for i, x := range v {
			s, ok := x.(string)
			if !ok {
				return "", errors.New("a list of texts")
			}
			all[i] = s
		}
		return strings.Join(all, ","), nil
	}
	return "", errors.New("a text, a whole number, true, false or a list of texts")
}

// suggest names the known key that ends with the same word, or else lists all keys.
func suggest(path string, known map[string]bool) string {
	last := path[strings.LastIndex(path, ".")+1:]
	for _, k := range sorted(known) {
		if k == last || strings.HasSuffix(k, "."+last) || strings.HasSuffix(k, "_"+last) {
			return "; did you mean " + k + "?"
		}
	}
	return "; known are " + strings.Join(sorted(known), ", ")
}

func sorted(set map[string]bool) (all []string) {
	for k := range set {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// otherVariables are names in the environment that djauthy reads and that are not settings.
var otherVariables = []string{"DJAUTHY_CONFIG", "DJAUTHY_TEST_POSTGRES"}

// fromEnviron reads the DJAUTHY_ names. The value of NAME_FILE is the text of that file
// without its line ends at the end.
func fromEnviron(environ []string, readFile func(string) ([]byte, error)) (values map[string]value, warnings []string, err error) {
	byName := map[string]setting{}
	for _, s := range new(Config).settings() {
		byName[s.env()] = s
	}
	values = map[string]value{}
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "DJAUTHY_") || slices.Contains(otherVariables, name) {
			continue
		}
		if s, ok := byName[name]; ok {
			values[s.key] = value{text, name}
			continue
		}
		s, ok := byName[strings.TrimSuffix(name, "_FILE")]
		if !ok || !strings.HasSuffix(name, "_FILE") {
			warnings = append(warnings, name+" is set but means nothing to djauthy")
			continue
		}
		data, err := readFile(text)
		if err != nil {
			return nil, nil, &Error{Key: s.key, Value: text, Allowed: "the file has to be readable: " + err.Error(), Source: name}
		}
		values[s.key] = value{strings.TrimRight(string(data), "\r\n"), name}
	}
	return values, warnings, nil
}
