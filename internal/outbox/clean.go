package outbox

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MinSecret is the least length of a secret that is removed from replies: a shorter one
// would match ordinary words.
const MinSecret = 4

// saidLimit is how much of a server's reply is kept, in bytes.
const saidLimit = 500

// maskedWord is the first and last character of a word, as accounts.ID.Masked shows them.
func maskedWord(word string) string {
	runes := []rune(word)
	if len(runes) < 3 {
		return string(runes[:min(1, len(runes))]) + "***"
	}
	return string(runes[0]) + "***" + string(runes[len(runes)-1])
}

// addressLike finds addresses in free text: plain, with a quoted local part, and
// with the @ encoded for a URL or by RFC 3461 4 (xtext).
var addressLike = regexp.MustCompile(`(?i)(?:("[^"@]{1,64}"|[^\s<>()\[\],;:"'@]+?)(@)|([^\s<>()\[\],;:"'@/?&=]+?)(%40|\+40|=40))([^\s<>()\[\],;:"'@]+)`)

// Clean makes a server's reply fit for a log and a terminal: one line without control
// characters, of at most saidLimit bytes, in which addresses are masked and secrets removed.
// to is the recipient: some servers name the local part alone ("ann... User unknown").
func Clean(text, to string, secrets ...string) string {
	text = strings.ToValidUTF8(text, "?")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	for _, secret := range secrets {
		if len(secret) >= MinSecret {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	text = addressLike.ReplaceAllStringFunc(text, func(found string) string {
		part := addressLike.FindStringSubmatch(found)
		return maskedWord(strings.Trim(part[1]+part[3], `"`)) + part[2] + part[4] + part[5]
	})
	if local, _, ok := strings.Cut(to, "@"); ok && len(local) > 2 {
		text = maskLocal(text, local)
	}
	if len(text) > saidLimit {
		text = strings.ToValidUTF8(text[:saidLimit], "") + "…"
	}
	return text
}

// maskLocal masks a local part that stands as a word of its own, in any case.
func maskLocal(text, local string) string {
	runes, n := []rune(text), utf8.RuneCountInString(local)
	inWord := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsNumber(runes[i]))
	}
	var b strings.Builder
	for i := 0; i < len(runes); {
		if end := i + n; end <= len(runes) && !inWord(i-1) && !inWord(end) && strings.EqualFold(string(runes[i:end]), local) {
			b.WriteString(maskedWord(local))
			i = end
		} else {
			b.WriteRune(runes[i])
			i++
		}
	}
	return b.String()
}
