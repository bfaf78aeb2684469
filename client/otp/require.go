package otp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Identity is an authenticated service.
type Identity struct{ Name, Realm string }

type identityKey struct{}

// From returns the sender of a request, in a handler behind Require.
func From(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// Scheme is the scheme of the Authorization header that Sign sets.
const Scheme = "OTP"

// Sign adds the client's triple to a request to another service, as its Authorization
// header: OTP name="…", realm="…", token="…", each percent-encoded.
func (c *Client) Sign(req *http.Request) error {
	token, err := c.NewToken()
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", Scheme+` name="`+url.PathEscape(c.Name)+`", realm="`+url.PathEscape(c.Realm)+`", token="`+url.PathEscape(token)+`"`)
	return nil
}

// Texts of the responses to bodies that Require does not read.
const (
	TooLargeText = "The body is too large: the triple is looked for in at most 1 MiB. It may be in the Authorization header."
	PackedText   = "A body with a Content-Encoding is not read. The triple may be in the Authorization header."
)

// Require passes requests on to a handler if they have a valid triple of one of the
// realms; without realms, of any. The triple is in the Authorization header (Sign), or in
// the fields auth_name, auth_realm and auth_token of a body in JSON or of a form of either
// kind, as services of ungleichotp send it; the handler can read the body again. Other
// requests get 403, those with a body longer than MaxBody 413, with a compressed one 415,
// and all get 503 while the server cannot be reached.
func (c *Client) Require(realms ...string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			by, token, code, problem := triple(r)
			if code == 0 {
				code, problem = c.Check(r.Context(), realms, by.Name, by.Realm, token)
			}
			if code != http.StatusOK {
				deny(w, code, problem)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, by)))
		})
	}
}

// Check returns the status and text with which to respond to a request with this triple,
// 200 if it may pass. It is for middleware of other frameworks.
func (c *Client) Check(ctx context.Context, realms []string, name, realm, token string) (code int, text string) {
	if !verbatim(name) || !verbatim(realm) || token == "" {
		return http.StatusForbidden, "Incorrect authentication credentials."
	}
	if len(realms) > 0 && !slices.Contains(realms, realm) {
		return http.StatusForbidden, "You do not have permission to perform this action."
	}
	switch err := c.Verify(ctx, name, realm, token); {
	case err == nil:
		return http.StatusOK, ""
	case errors.Is(err, ErrRefused), badFields(err):
		return http.StatusForbidden, "Incorrect authentication credentials."
	case !errors.Is(err, context.Canceled): // else the requester is gone
		c.logFailure(err)
	}
	return http.StatusServiceUnavailable, "The authentication server cannot be asked."
}

// logFailure logs why the server could not be reached.
func (c *Client) logFailure(err error) {
	log := c.Log
	if log == nil {
		log = slog.Default()
	}
	server := ""
	if u, err := url.Parse(c.Server); err == nil {
		server = u.Redacted()
	}
	log.Error("cannot verify who asks", "server", server, "err", err)
}

// verbatim reports whether the server reads a name as it is: it strips white space, and a
// handler must not get another name than the one verified.
func verbatim(name string) bool {
	trimmed := strings.TrimFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f })
	return name != "" && trimmed == name && utf8.ValidString(name)
}

// badFields reports whether the server refused the form of the name, realm or token.
func badFields(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusBadRequest
}

func deny(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"detail": text}) // an error means that the client is gone
}

// triple finds the triple of a request; code and problem say why its body is not read.
func triple(r *http.Request) (by Identity, token string, code int, problem string) {
	if name, realm, token, ok := ParseHeader(r.Header.Get("Authorization")); ok {
		return Identity{name, realm}, token, 0, ""
	}
	contentType := r.Header.Get("Content-Type")
	if m := media(contentType); r.Body == nil || m != mediaJSON && m != mediaForm && m != mediaMultipart {
		return Identity{}, "", 0, ""
	}
	if Packed(strings.Join(r.Header.Values("Content-Encoding"), ",")) {
		return Identity{}, "", http.StatusUnsupportedMediaType, PackedText
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err != nil || len(body) > MaxBody {
		return Identity{}, "", http.StatusRequestEntityTooLarge, TooLargeText
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	by.Name, by.Realm, token = ParseBody(contentType, body)
	return by, token, 0, ""
}

// ParseHeader reads what Sign writes.
func ParseHeader(header string) (name, realm, token string, ok bool) {
	scheme, rest, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, Scheme) {
		return "", "", "", false
	}
	for part := range strings.SplitSeq(rest, ",") {
		key, quoted, _ := strings.Cut(strings.TrimSpace(part), "=")
		value, err := url.PathUnescape(strings.Trim(quoted, `"`))
		if err != nil {
			return "", "", "", false
		}
		switch strings.ToLower(key) {
		case "name":
			name = value
		case "realm":
			realm = value
		case "token":
			token = value
		}
	}
	return name, realm, token, true
}
