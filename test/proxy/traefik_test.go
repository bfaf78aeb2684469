package proxy_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// traefik stands in for Traefik, which Debian does not have. It does with a request what
// Traefik v3 does: its entry point, its router by Host, its forwardAuth and its proxy; see
// https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/forwardauth/.
type traefik struct {
	HTTP struct {
		Middlewares map[string]struct {
			ForwardAuth forwardAuth `toml:"forwardAuth"`
		} `toml:"middlewares"`
		Routers map[string]struct {
			Rule        string         `toml:"rule"`
			Middlewares []string       `toml:"middlewares"`
			Service     string         `toml:"service"`
			TLS         map[string]any `toml:"tls"`
		} `toml:"routers"`
		Services map[string]struct {
			LoadBalancer struct {
				Servers []struct {
					URL string `toml:"url"`
				} `toml:"servers"`
			} `toml:"loadBalancer"`
		} `toml:"services"`
	} `toml:"http"`
}

type forwardAuth struct {
	Address                  string `toml:"address"`
	AuthResponseHeadersRegex string `toml:"authResponseHeadersRegex"`
}

// startTraefik runs it until the test ends.
func startTraefik(t *testing.T, listen, config, certificate, key string) {
	t.Helper()
	var x traefik
	must(t, toml.NewDecoder(strings.NewReader(config)).DisallowUnknownFields().Decode(&x))
	l, err := net.Listen("tcp", listen)
	must(t, err)
	server := &http.Server{Handler: &x, ReadHeaderTimeout: time.Minute, ErrorLog: nil, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	go func() { _ = server.ServeTLS(l, certificate, key) }() // it ends with the test
	t.Cleanup(func() { _ = server.Close() })
}

// managed are the headers that the entry point takes from nobody but trusted proxies.
var managed = []string{
	"X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Uri", "X-Forwarded-Method",
	"X-Forwarded-Prefix", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info", "X-Real-Ip",
}

// ServeHTTP takes a request as an entry point does.
func (x *traefik) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, name := range managed {
		r.Header.Del(name)
	}
	proto := "https"
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		proto = "wss"
	}
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	for name, value := range map[string]string{"X-Real-Ip": from, "X-Forwarded-Proto": proto, "X-Forwarded-Port": "443", "X-Forwarded-Host": r.Host, "X-Forwarded-Server": "traefik"} {
		r.Header.Set(name, value)
	}
	upgrade := r.Header.Get("Upgrade")
	for _, line := range r.Header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); !slices.Contains(managed, name) {
				r.Header.Del(name)
			}
		}
	}
	r.Header.Del("Connection")
	if upgrade != "" {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", upgrade)
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	for _, router := range x.HTTP.Routers {
		if router.Rule != "Host(`"+strings.ToLower(host)+"`)" || router.TLS == nil {
			continue
		}
		to, err := url.Parse(x.HTTP.Services[router.Service].LoadBalancer.Servers[0].URL)
		if err != nil {
			panic(err)
		}
		if len(router.Middlewares) > 0 && !x.HTTP.Middlewares[router.Middlewares[0]].ForwardAuth.letsIn(w, r) {
			return
		}
		(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = to.Scheme, to.Host
			p.Out.URL.RawQuery = strings.ReplaceAll(p.In.URL.RawQuery, ";", "&")
			for _, name := range append(managed, "Forwarded") {
				if values := p.In.Header[name]; values != nil {
					p.Out.Header[name] = values
				}
			}
			p.Out.Header.Set("X-Forwarded-For", from)
		}}).ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// letsIn asks about a request, and answers it if it is not let in.
func (f forwardAuth) letsIn(w http.ResponseWriter, r *http.Request) bool {
	answer, err := f.ask(r)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return false
	}
	if answer.StatusCode < 200 || answer.StatusCode >= 300 {
		for name, values := range answer.Header {
			w.Header()[name] = append(w.Header()[name], values...)
		}
		switch to, err := answer.Location(); {
		case err == nil:
			w.Header().Set("Location", to.String())
		case !errors.Is(err, http.ErrNoLocation):
			w.WriteHeader(http.StatusInternalServerError)
			return false
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = w.Write(body)
		return false
	}
	copied := regexp.MustCompile(f.AuthResponseHeadersRegex)
	for name := range r.Header {
		if copied.MatchString(name) {
			r.Header.Del(name)
		}
	}
	for name, values := range answer.Header {
		if copied.MatchString(name) {
			r.Header[name] = values
		}
	}
	return true
}

// ask asks with the visitor's headers and those that say which request it is.
func (f forwardAuth) ask(r *http.Request) (*http.Response, error) {
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, f.Address, nil)
	if err != nil {
		return nil, err
	}
	ask.Header = r.Header.Clone()
	for _, name := range []string{"Connection", "Keep-Alive", "Te", "Trailers", "Transfer-Encoding", "Upgrade"} {
		ask.Header.Del(name)
	}
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	for name, value := range map[string]string{"X-Forwarded-For": from, "X-Forwarded-Method": r.Method, "X-Forwarded-Proto": "https", "X-Forwarded-Host": r.Host, "X-Forwarded-Uri": r.URL.RequestURI()} {
		ask.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(ask)
}
