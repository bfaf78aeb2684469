package config

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// pairs is a setting with free keys: a table of texts in the document. In the environment
// it is K=V,K=V, or a JSON object, whose values may have commas in them.
func pairs(key string, at *map[string]string, help string) setting {
	return setting{
		key: key, help: help, isMap: true, get: func() string { return pairsText(*at) },
		set: func(v string) (err error) { *at, err = parsePairs(v); return err },
	}
}

var errPairs = errors.New(`KEY=VALUE, several separated by commas, or {"KEY": "VALUE"} if a value has a comma in it; each key once`)

func parsePairs(v string) (map[string]string, error) {
	all := map[string]string{}
	if strings.HasPrefix(strings.TrimSpace(v), "{") {
		if err := json.Unmarshal([]byte(v), &all); err != nil {
			return nil, errPairs
		}
		return all, nil
	}
	for _, part := range split(v) {
		key, value, hasValue := strings.Cut(part, "=")
		key = strings.TrimSpace(key)
		_, twice := all[key]
		if twice || !hasValue || key == "" {
			return nil, errPairs
		}
		all[key] = strings.TrimSpace(value)
	}
	return all, nil
}

// pairsText is the JSON object that parsePairs reads, or "" without keys.
func pairsText(all map[string]string) string {
	if len(all) == 0 {
		return ""
	}
	text, _ := json.Marshal(all) // a map of texts always can be
	return string(text)
}

// tomlPairs is a table of the document as such a JSON object.
func tomlPairs(table map[string]any) (string, error) {
	all := map[string]string{}
	for key, v := range table {
		text, isText := v.(string)
		if !isText {
			return "", errors.New(`a table of texts: { KEY = "VALUE" }`)
		}
		all[key] = text
	}
	return pairsText(all), nil
}

// pairsLiteral is what pairsText returns as an inline table of TOML.
func pairsLiteral(v string) string {
	all, err := parsePairs(v)
	switch {
	case err != nil: // the text that stands for a secret
		return quoted(v)
	case len(all) == 0:
		return "{}"
	}
	parts := make([]string, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, quoted(key)+" = "+quoted(all[key]))
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}
