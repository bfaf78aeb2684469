package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// input is what Load reads: a TOML document and the environment. Each setting takes its
// value out of both; what is left at the end belongs to no setting.
type input struct {
	file     string // name of the TOML document, for errors
	document map[string]any
	environ  map[string]variable // by name, those that begin with DJAUTHY_
	readFile func(string) ([]byte, error)
	known    map[string]bool // the keys of all settings and arrays that were looked up
	arrays   map[string]bool // those of them that are arrays of tables
}

// variable is the value of a variable of the environment and its place there.
type variable struct {
	text  string
	place int
}

// value is a setting's text and its source, for errors.
type value struct{ text, source string }

// otherVariables are names in the environment that djauthy reads and that are not settings.
var otherVariables = []string{"DJAUTHY_CONFIG", "DJAUTHY_TEST_POSTGRES"}

// newInput parses a TOML text and picks the DJAUTHY_ names out of the environment.
func newInput(name string, text []byte, environ []string, readFile func(string) ([]byte, error)) (*input, error) {
	in := &input{file: name, environ: map[string]variable{}, readFile: readFile, known: map[string]bool{}, arrays: map[string]bool{}}
	if err := toml.Unmarshal(text, &in.document); err != nil {
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, column := de.Position()
			return nil, fmt.Errorf("%s, line %d, column %d: %w", name, line, column, err)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if strings.HasPrefix(name, "DJAUTHY_") && !slices.Contains(otherVariables, name) {
			in.environ[name] = variable{text, i}
		}
	}
	return in, nil
}

// fill sets everything in a table, from the environment, its part of the document or the
// default. path is the key of the table with a dot at its end, or "". keys is called again
// after the arrays are filled, so that an entry's values may decide about keys outside it.
func (in *input) fill(path string, document map[string]any, keys func() table) error {
	for _, a := range keys().arrays {
		if err := in.fillArray(path, document, a); err != nil {
			return err
		}
	}
	all := keys().settings
	for _, s := range all {
		key := path + s.key
		in.known[key] = true
		fileIsSetting := slices.ContainsFunc(all, func(other setting) bool { return other.key == s.key+"_file" })
		v, err := in.value(key, document, s, !fileIsSetting)
		if err != nil {
			return err
		}
		err = s.assign(v.text)
		switch {
		case err != nil && s.secret:
			return &Error{Key: key, Hidden: true, Allowed: err.Error(), Source: v.source}
		case err != nil:
			return &Error{Key: key, Value: v.text, Allowed: err.Error(), Source: v.source}
		}
	}
	return nil
}

// value takes a value out of the document and the environment, which wins, or is the
// default. file says whether NAME_FILE of the environment is looked at.
func (in *input) value(key string, document map[string]any, s setting, file bool) (value, error) {
	fromDocument, inDocument, err := in.fromDocument(key, document, s)
	if err != nil {
		return value{}, err
	}
	fromEnviron, inEnviron, err := in.fromEnviron(key, file)
	switch {
	case err != nil:
		return value{}, err
	case inEnviron:
		return fromEnviron, nil
	case inDocument:
		return fromDocument, nil
	}
	return value{text: s.defaultText, source: "default"}, nil
}

// fromDocument takes the value of a setting out of a table of the document. It leaves a
// table that stands where a value belongs: the keys in it are unknown.
func (in *input) fromDocument(key string, document map[string]any, s setting) (v value, found bool, err error) {
	name := s.key
	for first, rest, nested := strings.Cut(name, "."); nested; first, rest, nested = strings.Cut(name, ".") {
		document, _ = document[first].(map[string]any) // nil, and so empty, if it is not there
		name = rest
	}
	x, found := document[name]
	table, isTable := x.(map[string]any)
	if !found || isTable && !s.isMap {
		return value{}, false, nil
	}
	delete(document, name)
	var text string
	if isTable {
		text, err = tomlPairs(table)
	} else {
		text, err = tomlText(x)
	}
	if err != nil {
		return value{}, false, &Error{Key: key, Hidden: true, Allowed: err.Error(), Source: in.file}
	}
	return value{text, in.file}, true, nil
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

// fromEnviron takes the value of a key out of the environment: the text of NAME or, if
// file is true, of the file that NAME_FILE names, without line ends at its end. Of the two
// the last counts.
func (in *input) fromEnviron(key string, file bool) (v value, found bool, err error) {
	name := Variable(key)
	text, found := in.environ[name]
	delete(in.environ, name)
	path, named := in.environ[name+"_FILE"]
	if !file || !named {
		return value{text.text, name}, found, nil
	}
	delete(in.environ, name+"_FILE")
	data, err := in.readFile(path.text)
	switch {
	case err != nil:
		return value{}, false, &Error{Key: key, Value: path.text, Allowed: "the file has to be readable: " + err.Error(), Source: name + "_FILE"}
	case found && text.place > path.place:
		return value{text.text, name}, true, nil
	}
	return value{strings.TrimRight(string(data), "\r\n"), name + "_FILE"}, true, nil
}

// rest refuses what no setting took out of the document, and settings of parts that this
// version does not have. It returns a warning for each other name that is left in the
// environment, where orchestrators put names of their own.
func (in *input) rest() (warnings []string, err error) {
	key := in.unknownKey("", in.document)
	switch {
	case key != "" && isUnbuilt(key):
		return nil, unbuiltError(key, in.file)
	case in.known[key]:
		return nil, &Error{Key: key, Hidden: true, Allowed: "it has to be a value, not a table, and stand as " + asWritten(key), Source: in.file}
	case key != "":
		return nil, &Error{Key: key, Hidden: true, Allowed: "this key is not known" + suggest(key, in.known), Source: in.file}
	}
	names := slices.SortedFunc(maps.Keys(in.environ), func(a, b string) int { return in.environ[a].place - in.environ[b].place })
	for _, name := range names {
		if key := unbuiltVariable(name); key != "" {
			return nil, unbuiltError(key, name)
		}
		warnings = append(warnings, name+" is set but means nothing to djauthy")
	}
	return warnings, nil
}

// unknownKey is the first key in the rest of the document, or "". A table may be empty if
// it is one that settings are in.
func (in *input) unknownKey(path string, v any) string {
	if list, isList := v.([]any); isList && in.arrays[path] {
		for i, entry := range list {
			if unknown := in.unknownKey(entryKey(path, i), entry); unknown != "" {
				return unknown
			}
		}
		return ""
	}
	table, isTable := v.(map[string]any)
	if !isTable || len(table) == 0 && !in.isTable(path) {
		return path
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		key := name
		if path != "" {
			key = path + "." + name
		}
		if unknown := in.unknownKey(key, table[name]); unknown != "" {
			return unknown
		}
	}
	return ""
}

// isTable reports whether the key of a setting begins with a path.
func (in *input) isTable(path string) bool {
	for key := range in.known {
		if path == "" || strings.HasPrefix(key, path+".") {
			return true
		}
	}
	return false
}

// asWritten is how a setting stands in a file.
func asWritten(key string) string {
	if table, name, nested := strings.Cut(key, "."); nested {
		return "[" + table + "] and below it " + name + " = …"
	}
	return key + " = … before the first table"
}

// suggest names the known key that ends with the same word, or else lists all keys.
func suggest(path string, known map[string]bool) string {
	last := lastWord(path)
	all := slices.Sorted(maps.Keys(known))
	for _, k := range all {
		if k == last || strings.HasSuffix(k, "."+last) || strings.HasSuffix(k, "_"+last) {
			return "; did you mean " + k + "?"
		}
	}
	return "; known are " + strings.Join(all, ", ")
}
