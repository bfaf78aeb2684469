package delivery

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"text/template"
	"time"

	"github.com/djauthy/djauthy/internal/outbox"
	"golang.org/x/net/http/httpguts"
)

// Hook is a web hook: an HTTP request for each message, to a gateway for text messages, a
// chat service, or a program of one's own.
type Hook struct {
	// URL has a fixed scheme and host. In its path values may stand as in Body; there they
	// are escaped for a path.
	URL         string
	Method      string
	Headers     map[string]string
	ContentType string // "application/json" or "application/x-www-form-urlencoded"
	// Body is a text/template over .To .Code .Text .Subject .Site .Minutes, which are
	// escaped for the content type: in JSON as the inside of a string. Empty: all six.
	Body string
	// Secret signs the body: X-Djauthy-Signature is "t=UNIX,v1=HEX" with the HMAC-SHA256 of
	// "UNIX.body". Empty: no signature.
	Secret string
	Site   string // the name of this site
}

const (
	hookTimeout = 20 * time.Second
	// answerLimit is how much of an answer is read, in bytes.
	answerLimit = 4 << 10
)

// hookSender sends messages through one web hook.
type hookSender struct {
	Hook
	origin  string              // scheme and host
	path    *template.Template  // of what follows the host
	body    *template.Template  // nil: all values
	escape  func(string) string // for the body
	secrets []string            // what no error and no kept answer may contain
	client  *http.Client
}

// NewHook returns the sender of a hook. Its error begins with the key of the setting that
// is wrong.
func NewHook(h Hook) (Sender, error) {
	s := &hookSender{Hook: h}
	if err := s.parseURL(); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if err := s.parseBody(); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	if !s.carries() {
		return nil, errors.New("body: no message would reach anybody: put .Text or .Code into the body or the path")
	}
	for name, value := range h.Headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("headers: %q is not the name of a header with a value on one line", name)
		}
	}
	s.secrets = h.secrets()
	s.client = &http.Client{
		Timeout:       hookTimeout,
		Transport:     hookTransport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// hookTransport keeps few connections and bounds what it reads of headers.
func hookTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxConnsPerHost, t.MaxIdleConnsPerHost = 16, 8
	t.MaxResponseHeaderBytes = 64 << 10
	t.DisableCompression = true // an answer that grows when it is unpacked
	return t
}

// Send posts a message. Any answer but 2xx, a redirect too, is a failure that is tried again.
func (s *hookSender) Send(ctx context.Context, w Worded) (said string, err error) {
	v := hookValues{To: w.To, Code: cmp.Or(w.Code, "TEST"), Text: w.Text, Subject: w.Subject, Site: s.Site, Minutes: strconv.Itoa(w.Minutes)}
	address, err := s.address(v)
	if err != nil {
		return "", &outbox.Error{Permanent: true, Reason: err.Error()}
	}
	body, err := s.content(v)
	if err != nil {
		return "", &outbox.Error{Permanent: true, Reason: "the body of the request cannot be made"}
	}
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }})
	r, err := http.NewRequestWithContext(ctx, s.Method, address, bytes.NewReader(body))
	if err != nil {
		return "", &outbox.Error{Permanent: true, Reason: "the request cannot be made"}
	}
	s.fillHeader(r.Header, body)
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return "", s.unanswered(ctx, err, w.To, written.Load())
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, answerLimit)) // what came of it is enough
	said = outbox.Clean(strconv.Itoa(answer.StatusCode)+" "+s.strike(string(text), w.To), w.To)
	if answer.StatusCode/100 != 2 {
		return "", refusedByHook(answer.StatusCode, said)
	}
	return said, nil
}

// fillHeader sets the headers of a request, with the signature of its body.
func (s *hookSender) fillHeader(h http.Header, body []byte) {
	h.Set("User-Agent", "djauthy")
	if len(body) > 0 {
		h.Set("Content-Type", s.ContentType)
	}
	for name, value := range s.Headers {
		h.Set(name, value)
	}
	if s.Secret == "" {
		return
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.Secret))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	h.Set("X-Djauthy-Signature", "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)))
}
