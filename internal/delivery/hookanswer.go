package delivery

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/djauthy/djauthy/internal/outbox"
)

// refusedByHook is an answer other than 2xx. Whatever it is, it may depend on the recipient,
// so none is taken for a fault of the channel.
func refusedByHook(status int, said string) *outbox.Error {
	e := &outbox.Error{Said: said}
	switch {
	case status/100 == 3:
		e.Reason = "the hook is answered by a redirect, which is not followed: set its url to the address that it leads to"
	case status == http.StatusUnauthorized:
		e.Reason = "the hook is refused: check its headers and secret"
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		e.Reason = "the hook's server does not work for now"
	default:
		e.Reason = "the hook does not take the message"
	}
	return e
}

// unanswered is a request without an answer. Errors of net/http hold the whole address,
// in whose path many services have their token.
func (s *hookSender) unanswered(ctx context.Context, err error, to string) *outbox.Error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	reason := "the hook does not answer in time"
	if !timeout(err) && ctx.Err() == nil {
		reason = "the hook cannot be reached: " + clean(s.strike(err.Error()), to)
	}
	// A server that has the request and does not answer may have taken it.
	var op *net.OpError
	unsent := errors.As(err, &op) && op.Op == "dial"
	return &outbox.Error{Down: true, Unknown: !unsent, Reason: reason}
}

// Check connects to the server of the hook, and sends nothing.
func (s *hookSender) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodOptions, s.origin+"/", nil)
	if err != nil {
		return errors.New("the request cannot be made")
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return s.unanswered(ctx, err, "")
	}
	return answer.Body.Close()
}

// strike removes what is secret in the settings of the hook from a text.
func (s *hookSender) strike(text string) string {
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// secrets are the parts of the settings that may be secret, the longest first: the path and
// query of the URL and what is in them, the values of headers and their words, and the
// secret itself.
func (h Hook) secrets() (all []string) {
	add := func(text string) {
		if len(text) >= minSecret {
			all = append(all, text)
		}
	}
	_, rest, _ := strings.Cut(h.URL, "://")
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		add(rest[at:])
		for _, part := range strings.FieldsFunc(rest[at:], func(r rune) bool { return strings.ContainsRune("/?#&=", r) }) {
			if plain, err := url.PathUnescape(part); err == nil && !strings.Contains(part, "{{") {
				add(part)
				add(plain)
			}
		}
	}
	for _, value := range h.Headers {
		add(value)
		for _, word := range strings.FieldsFunc(value, unicode.IsSpace) {
			add(word)
			if plain, err := base64.StdEncoding.DecodeString(word); err == nil { // Basic (RFC 7617 2)
				user, password, _ := strings.Cut(string(plain), ":")
				add(user)
				add(password)
			}
		}
	}
	add(h.Secret)
	for _, word := range strings.FieldsFunc(h.Body, notInToken) { // some gateways take their key in the body
		if len(word) >= 16 {
			add(word)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

func notInToken(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._+/=", r)
}

// headerName reports whether a text is the name of a header (RFC 9110 5.1) that may be set.
func headerName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}) && !strings.EqualFold(name, "Content-Length") && !strings.EqualFold(name, "Transfer-Encoding")
}
