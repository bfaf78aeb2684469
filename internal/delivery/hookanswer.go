package delivery

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/djauthy/djauthy/internal/outbox"
)

// refusedByHook is an answer other than 2xx. Those that every message may get have the server
// tried (Down); that alone decides, for an answer may be about one recipient.
func refusedByHook(status int, said string) *outbox.Error {
	e := &outbox.Error{Said: said, Down: true}
	switch {
	case status/100 == 3:
		e.Reason = "the hook is answered by a redirect, which is not followed: set its url to the address that it leads to"
	case status == http.StatusUnauthorized:
		e.Reason = "the hook is refused: check its headers and secret"
	case broken(status):
		e.Reason = "the hook's server does not work for now"
	default:
		e.Down, e.Reason = false, "the hook does not take the message"
	}
	return e
}

// broken reports an answer of a server that does not work, whatever it was asked. 501 is
// one that does not know the method.
func broken(status int) bool { return status >= 500 && status != http.StatusNotImplemented }

// unanswered is a request without an answer. Errors of net/http hold the whole address,
// in whose path many services have their token. written: the server has the request, and
// may have taken it.
func (s *hookSender) unanswered(ctx context.Context, err error, to string, written bool) *outbox.Error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	reason := "the hook does not answer in time"
	if !timeout(err) && ctx.Err() == nil {
		reason = "the hook cannot be reached: " + outbox.Clean(s.strike(err.Error(), to), to)
	}
	var untrusted *tls.CertificateVerificationError
	return &outbox.Error{Down: true, Lasting: errors.As(err, &untrusted), Unknown: written, Reason: reason}
}

// Check asks the server of the hook what it takes (OPTIONS), and sends nothing. Any answer
// will do that does not say that it is broken.
func (s *hookSender) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodOptions, s.origin+"/", nil)
	if err != nil {
		return errors.New("the request cannot be made")
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return s.unanswered(ctx, err, "", false)
	}
	defer func() { _ = answer.Body.Close() }()
	if broken(answer.StatusCode) {
		return refusedByHook(answer.StatusCode, strconv.Itoa(answer.StatusCode))
	}
	return nil
}

// strike removes what is secret in the settings of the hook from a text, and whom the message
// is for, however they are written.
func (s *hookSender) strike(text, to string) string {
	for _, secret := range s.secrets {
		for _, written := range []string{secret, insideJSON(secret), strings.ReplaceAll(secret, "/", `\/`), url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, written, "***")
		}
	}
	number := strings.TrimPrefix(to, "+")
	for _, written := range []string{to, number, url.QueryEscape(to), url.PathEscape(to)} {
		if len(written) >= outbox.MinSecret {
			text = strings.ReplaceAll(text, written, "***")
		}
	}
	if len(number) >= 10 && strings.HasPrefix(to, "+") { // as it is dialled at home
		text = strings.ReplaceAll(text, number[len(number)-8:], "***")
	}
	return text
}

// secrets are the parts of the settings that may be secret, the longest first: the user in the
// address and what follows its host, headers, long words of the body, and the secret itself.
func (h Hook) secrets() (all []string) {
	add := func(least int, parts ...string) {
		for _, part := range parts {
			if len(part) >= least {
				all = append(all, part)
			}
		}
	}
	words := func(text string) (all []string) {
		for _, word := range strings.FieldsFunc(text, notInToken) {
			all = append(all, word, strings.Trim(word, "-._+"))
		}
		return all
	}
	origin, path := h.splitURL()
	_, host, _ := strings.Cut(origin, "://")
	if user, _, found := strings.Cut(host, "@"); found {
		add(outbox.MinSecret, user)
		add(outbox.MinSecret, words(user)...)
	}
	for _, literal := range literals(path) {
		add(outbox.MinSecret, literal)
		add(outbox.MinSecret, words(literal)...)
		add(outbox.MinSecret, strings.FieldsFunc(literal, func(r rune) bool { return strings.ContainsRune("/?#&=:", r) })...)
	}
	for _, value := range h.Headers {
		add(outbox.MinSecret, value)
		for _, word := range strings.Fields(value) {
			add(outbox.MinSecret, word)
			if plain, err := base64.StdEncoding.DecodeString(word); err == nil { // Basic (RFC 7617 2)
				user, password, _ := strings.Cut(string(plain), ":")
				add(outbox.MinSecret, user, password)
			}
		}
	}
	for _, literal := range literals(h.Body) { // some gateways take their key in the body
		add(8, words(literal)...)
	}
	add(1, h.Secret)
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

// literals are the parts of a template that stand outside of its values.
func literals(template string) (all []string) {
	for part := range strings.SplitSeq(template, "{{") {
		_, after, inside := strings.Cut(part, "}}")
		if !inside {
			after = part
		}
		all = append(all, after)
	}
	return all
}

func notInToken(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._+", r)
}
