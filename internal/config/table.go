package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// table lists the keys that a table of the document may hold, without the path of the table.
type table struct {
	settings []setting
	arrays   []array
}

// array is an array of tables: [[key]], with any number of entries, which have the same
// keys. In the environment entries are numbered: DJAUTHY_KEY_0_NAME.
type array struct {
	key    string
	help   string
	resize func(n int) // makes n entries without values
	len    func() int
	entry  func(i int) table
	blank  func() table // of an entry that is not kept
}

// arrayOf declares an array of tables, whose entries are kept at a slice. keys lists the
// keys of an entry, none of which has a dot in it; arrays among them are nested arrays.
func arrayOf[T any](key string, at *[]T, help string, keys func(*T) table) array {
	return array{
		key: key, help: help,
		resize: func(n int) { *at = make([]T, n) },
		len:    func() int { return len(*at) },
		entry:  func(i int) table { return keys(&(*at)[i]) },
		blank:  func() table { return keys(new(T)) },
	}
}

// entryKey is the key of an entry in errors: provider[0].
func entryKey(array string, i int) string { return fmt.Sprintf("%s[%d]", array, i) }

// entryNumber is the number of an entry in a key: provider[0].name.
var entryNumber = regexp.MustCompile(`\[[0-9]+\]`)

// fillArray makes the entries of an array and sets their keys. path is that of the table
// which the array is in, with a dot at its end.
func (in *input) fillArray(path string, document map[string]any, a array) error {
	key := path + a.key
	in.known[key], in.arrays[key] = true, true
	entries, err := in.entries(key, document[a.key])
	if err != nil {
		return err
	}
	if _, set := in.environ[Variable(key)]; set && path != "" {
		return &Error{Key: key, Hidden: true, Allowed: "tables are numbered: the first one is " + Variable(key) + "_0_…", Source: Variable(key)}
	}
	n, err := in.count(key, a, len(entries))
	if err != nil {
		return err
	}
	a.resize(n)
	for i := range n {
		var entry map[string]any
		if i < len(entries) {
			entry = entries[i]
		}
		if err := in.fill(entryKey(key, i)+".", entry, func() table { return a.entry(i) }); err != nil {
			return err
		}
	}
	return nil
}

// entries are the tables that the document has for an array.
func (in *input) entries(key string, v any) ([]map[string]any, error) {
	list, isList := v.([]any)
	all := make([]map[string]any, len(list))
	for i, x := range list {
		if all[i], isList = x.(map[string]any); !isList {
			break
		}
	}
	if v != nil && !isList {
		allowed := "an array of tables, each of which begins with a line [[" + entryNumber.ReplaceAllString(key, "") + "]]"
		return nil, &Error{Key: key, Hidden: true, Allowed: allowed, Source: in.file}
	}
	return all, nil
}

// count is how many entries an array has: inDocument, and those that the environment adds
// at the end. A number beyond the next one is an error, since the entries between would
// have no values: most likely it is a mistake.
func (in *input) count(key string, a array, inDocument int) (int, error) {
	names := map[int]string{}
	for name := range in.environ {
		if i, rest, ok := entryVariable(name, Variable(key)); ok && a.blank().hasVariable(rest) {
			names[i] = max(names[i], name)
		}
	}
	n := inDocument
	for names[n] != "" {
		n++
	}
	for _, i := range slices.Sorted(maps.Keys(names)) {
		if i > n {
			allowed := fmt.Sprintf("tables are numbered from 0 without gaps; the next one is %s_%d_…", Variable(key), n)
			return 0, &Error{Key: entryKey(key, i), Hidden: true, Allowed: allowed, Source: names[i]}
		}
	}
	return n, nil
}

// entryVariable splits a name of the environment, such as HOOK_0_URL, into the number of
// the entry of an array, here HOOK, and what follows it.
func entryVariable(name, array string) (number int, rest string, ok bool) {
	name, ok = strings.CutPrefix(name, array+"_")
	digits, rest, _ := strings.Cut(name, "_")
	number, err := strconv.Atoi(digits)
	return number, rest, ok && err == nil && number >= 0 && strconv.Itoa(number) == digits
}

// hasVariable reports whether a name of the environment, from which the path of the table
// is cut off, sets one of its keys.
func (t table) hasVariable(name string) bool {
	return slices.ContainsFunc(t.settings, func(s setting) bool {
		return name == variablePart(s.key) || name == variablePart(s.key)+"_FILE"
	}) || slices.ContainsFunc(t.arrays, func(a array) bool {
		_, rest, ok := entryVariable(name, variablePart(a.key))
		return ok && a.blank().hasVariable(rest)
	})
}
