package door

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// maxNext bounds a way back (next), in bytes. An escape such as %C3 counts as the one byte
// that it stands for, so that encoding makes no way back too long.
const maxNext = 8 << 10

// RequestedNext returns the way back in the query of a sign-in page; LocalPath checks it.
// A proxy such as nginx cannot encode the URL of the request that it redirects to sign in,
// so everything after a leading next=/ is that URL, & included. Any other next is an
// ordinary parameter and is decoded once.
func RequestedNext(query string) string {
	if rest, found := strings.CutPrefix(query, "next="); found && strings.HasPrefix(rest, "/") {
		return rest
	}
	var args fasthttp.Args
	args.Parse(query)
	return string(args.Peek("next"))
}

// LocalPath returns a way back as a URI reference to which it is safe to redirect: a path
// of this server, with query and fragment. Bytes that are not allowed in a URI are
// percent-encoded (RFC 3986 2.1), all others are kept. A way back that could lead to another
// host, in some browser or after decoding, is refused (open redirect): path is "" and
// refusal says why, for the log.
func LocalPath(next string) (path, refusal string) {
	switch {
	case !strings.HasPrefix(next, "/"):
		return "", "it is not a path of this server"
	case !utf8.ValidString(next) || strings.ContainsFunc(next, control):
		return "", "it holds a control character or is not UTF-8"
	case len(next)-2*escapes(next) > maxNext:
		return "", "it is too long"
	}
	raw := next
	if end := strings.IndexAny(next, "?#"); end >= 0 {
		raw = next[:end]
	}
	decoded, err := url.PathUnescape(raw)
	switch {
	case err != nil:
		return "", "its path holds a % without two hexadecimal digits"
	case strings.ContainsFunc(decoded, control):
		return "", "its path holds an encoded control character"
	case strings.Contains(raw, `\`) || namesHost(decoded):
		return "", "it could lead to another host"
	}
	return encoded(next), ""
}

// control reports whether browsers drop a character from a URL, or programs treat it as
// the end of a line.
func control(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 }

// namesHost reports whether a decoded path begins with two slashes as a browser
// reads it, with \ as a slash (WHATWG URL 4.4), at once or with its dot segments
// resolved.
func namesHost(path string) bool {
	path = strings.ReplaceAll(path, `\`, "/")
	var kept []string
	segments := strings.Split(path, "/")[1:]
	if last := segments[len(segments)-1]; last == "." || last == ".." {
		segments = append(segments, "") // they end in a slash (RFC 3986 5.2.4)
	}
	for _, segment := range segments {
		switch segment {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	return strings.HasPrefix(path, "//") || len(kept) > 1 && kept[0] == ""
}

// escapes counts the escapes in a URI.
func escapes(s string) (n int) {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2]) {
			n, i = n+1, i+2
		}
	}
	return n
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

// encoded percent-encodes the bytes that are not allowed in a URI (RFC 3986 2). A % is
// kept, also one that begins no escape: apps and browsers accept it.
func encoded(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; inURI(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

func inURI(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~:/?#[]@!$&'()*+,;=%", c) >= 0
}
