package sites

import (
	"fmt"
	"slices"
	"strings"
)

// The bounds of the readings of one path, in their number and bytes; a path that has more is
// refused, which costs a few milliseconds at most. Ordinary paths have one or two.
const (
	maxReadings     = 64
	maxReadingBytes = 24 << 10
)

// isPlain reports a path that every app reads in the same way: there is nothing in it to
// decode, to resolve or to drop.
func isPlain(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case '%', ';', '\\':
			return false
		case '/':
			if i > 0 && (path[i-1] == '/' || path[i-1] == '.') {
				return false
			}
		case '$':
			if i > 0 && path[i-1] == ':' {
				return false
			}
		}
	}
	return path[len(path)-1] != '.'
}

// readings are all ways in which some app may read a path as it is in a request: what comes
// of the steps below in any order and number, the path without any of them too. It begins
// with a slash and consists of the bytes of inAddress. The first reading is the path with its
// ordinary characters decoded. A path is refused if a % is without its two digits, if one of
// its readings holds a control character or an overlong form of UTF-8, for which nobody has a
// use but to deceive, or if it has too many readings.
func readings(path string) ([]string, error) {
	if !wellEscaped(path) {
		return nil, fmt.Errorf("%w: there is a %% without two hexadecimal digits in its path", ErrUnreadable)
	}
	all := []string{decodeOrdinary(path)}
	size := 0
	for i := 0; i < len(all); i++ {
		if isDeceptive(all[i]) {
			return nil, fmt.Errorf("%w: there is a control character in its path, or an overlong form of UTF-8", ErrUnreadable)
		}
		if size += len(all[i]); len(all) > maxReadings || size > maxReadingBytes {
			return nil, fmt.Errorf("%w: its path can be read in too many ways", ErrUnreadable)
		}
		for _, step := range steps {
			if next := step(all[i]); !slices.Contains(all, next) {
				all = append(all, next)
			}
		}
	}
	return all, nil
}

// steps are what programs do to a path while they read it: one thing each. A step that has
// nothing to do returns the path.
var steps = []func(string) string{
	func(s string) string { return strings.ReplaceAll(s, "%2E", ".") },
	func(s string) string { return strings.ReplaceAll(s, "%2F", "/") },
	func(s string) string { return strings.ReplaceAll(s, "%5C", `\`) },
	func(s string) string { return strings.ReplaceAll(s, "%3B", ";") },
	func(s string) string { return strings.ReplaceAll(s, "%3F", "?") },
	func(s string) string { return strings.ReplaceAll(s, "%23", "#") },
	func(s string) string { return decodeOrdinary(strings.ReplaceAll(s, "%25", "%")) }, // decoded twice
	func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
	withoutParameters,
	func(s string) string { return upTo(s, ";") },
	func(s string) string { return upTo(s, "?#") },
	withoutHost,
	mergeSlashes,
	resolveDots,
	asOnWindows,
	compatibleIfOther,
	func(s string) string { return strings.ToValidUTF8(s, "") },
}

// upTo is a path without everything from the first of some characters on.
func upTo(path, ends string) string {
	if i := strings.IndexAny(path, ends); i >= 0 {
		return path[:i]
	}
	return path
}

// each applies a function to every segment of a path.
func each(path string, segment func(string) string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = segment(parts[i])
	}
	return strings.Join(parts, "/")
}

// withoutParameters drops what follows a ; in each segment, as servlet containers do.
func withoutParameters(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	return each(path, func(s string) string { return upTo(s, ";") })
}

// withoutHost reads //host/path as a reference to another host (RFC 3986 4.2), as programs
// do that parse the target of a request as a URL; to some of them two slashes or more begin
// a host (WHATWG URL 4.4).
func withoutHost(path string) string {
	if !strings.HasPrefix(path, "//") {
		return path
	}
	_, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	return "/" + rest
}

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// resolveDots removes dot segments (RFC 3986 5.2.4). An empty segment counts as one.
func resolveDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	parts := strings.Split(path, "/")[1:]
	if last := parts[len(parts)-1]; last == "." || last == ".." {
		parts = append(parts, "") // the path ends in a slash
	}
	var kept []string
	for _, part := range parts {
		switch part {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, part)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// asOnWindows reads names as file servers on Windows do: spaces around a name and dots at its
// end do not count, nor does the stream of a file or folder, such as ::$DATA or :$I30:$INDEX_ALLOCATION.
func asOnWindows(path string) string {
	if !strings.ContainsAny(path, ". ") && !strings.Contains(path, ":$") {
		return path
	}
	return each(path, func(name string) string {
		if strings.Contains(name, ":$") {
			name, _, _ = strings.Cut(name, ":")
		}
		name = strings.Trim(name, " ")
		trimmed := strings.TrimRight(name, ". ")
		switch {
		case trimmed == "" && name == ".":
			return "."
		case trimmed == "" && name != "":
			return ".."
		}
		return trimmed
	})
}

// compatibleIfOther replaces compatible characters if there are some among them that divide a
// path, such as a fullwidth slash. Others are equal for fold.
func compatibleIfOther(path string) string {
	if isASCII(path) {
		return path
	}
	if c := compatible(path); shape(c) != shape(path) {
		return c
	}
	return path
}

// shape is a path with each run of characters without a meaning of their own as one x.
func shape(path string) string {
	var b strings.Builder
	meaningless := false
	for i := range len(path) {
		if strings.IndexByte(`/\%;?#. :$`, path[i]) >= 0 {
			b.WriteByte(path[i])
			meaningless = false
		} else if !meaningless {
			b.WriteByte('x')
			meaningless = true
		}
	}
	return b.String()
}
