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

// Identity is a service that has proved who it is.
type Identity struct{ Name, Realm string }

type identityKey struct{}

// From returns who sent the request that a handler behind Require answers.
func From(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// Scheme is that of the Authorization header by which Sign shows a triple.
const Scheme = "OTP"

// Sign shows our triple in a request to another service, in its Authorization
// header: OTP name="…", realm="…", token="…", each percent-encoded.
func (c *Client) Sign(req *http.Request) error {
	token, err := c.NewToken()
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", Scheme+` name="`+url.PathEscape(c.Name)+`", realm="`+url.PathEscape(c.Realm)+`", token="`+url.PathEscape(token)+`"`)
	return nil
}

// What Require says of a body that it does not read.
const (
	TooLargeText = "The body is too large: the triple is looked for in at most 1 MiB. It may be in the Authorization header."
	PackedText   = "A body with a Content-Encoding is not read. The triple may be in the Authorization header."
)

// Require lets those requests pass to a handler that show a good triple of one of
// the realms; without realms, of any. The triple is in the Authorization header
// (Sign), or in the fields auth_name, auth_realm and auth_token of a body in JSON or
// of a form of either kind, as services of the ungleichotp wire send it; the handler
// can read the body again. Others get 403, a body that is longer than MaxBody 413,
// one that is packed 415, and everybody 503 while the server cannot be asked.
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

// Check says with which status and text a request with this triple is answered,
// 200 if it may pass. It is what middleware for other frameworks needs.
func (c *Client) Check(ctx context.Context, realms []string, name, realm, token string) (code int, text string) {
	if !plain(name) || !plain(realm) || token == "" {
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
	case !errors.Is(err, context.Canceled): // else who asked has gone
		c.complain(err)
	}
	return http.StatusServiceUnavailable, "The authentication server cannot be asked."
}

// complain tells the log why the server could not be asked.
func (c *Client) complain(err error) {
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

// plain reports whether a name is one that the server takes as it stands: it strips
// white space, and another name than the one verified must not reach a handler.
func plain(name string) bool {
	trimmed := strings.TrimFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f })
	return name != "" && trimmed == name && utf8.ValidString(name)
}

// badFields reports that the server found a name, realm or token that none can be.
func badFields(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusBadRequest
}

func deny(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"detail": text}) // the client has gone, or it has not
}

// triple finds what a request shows for its sender; code and problem say why its body is
// not read.
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
