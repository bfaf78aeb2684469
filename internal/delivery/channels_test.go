package delivery_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/delivery"
)

// service is what a service documents of the one call that docs/channels uses.
type service struct {
	typed  string // as people sign in
	to     string // whom the message reaches
	method string
	path   string // of the request
	host   string
	// auth is a header that the service needs, and how its value begins.
	auth, begins string
	// fits says what is wrong with a body.
	fits func(body string) error
}

// object is a JSON body with fields by path, "a.b.0"; a field of "TEXT" is the message.
func object(fields map[string]any) func(string) error {
	return func(body string) error {
		var all any
		if err := json.Unmarshal([]byte(body), &all); err != nil {
			return err
		}
		for path, wanted := range fields {
			at := all
			for step := range strings.SplitSeq(path, ".") {
				switch v := at.(type) {
				case map[string]any:
					at = v[step]
				case []any:
					at = v[0]
				}
			}
			if wanted == "TEXT" {
				wanted = texted.Text
			}
			if at != wanted {
				return fmt.Errorf("%s is %v, want %v", path, at, wanted)
			}
		}
		return nil
	}
}

// fields is a body of a form.
func fields(want url.Values) func(string) error {
	return func(body string) error {
		got, err := url.ParseQuery(body)
		if err == nil && got.Encode() != want.Encode() {
			err = fmt.Errorf("the form is %v, want %v", got, want)
		}
		return err
	}
}

const smsText = "123456 is your code for Example"

var channels = map[string]service{
	"ntfy": {
		typed: "ntfy:k7Qx-secret", to: "k7Qx-secret", method: "POST", path: "/", host: "ntfy.sh", auth: "Authorization", begins: "Bearer tk_",
		fits: object(map[string]any{"topic": "k7Qx-secret", "title": texted.Subject, "message": "TEXT", "priority": 4.0}),
	},
	"gotify": {
		typed: "gotify:me", to: "me", method: "POST", path: "/message", host: "gotify.example.org", auth: "X-Gotify-Key", begins: "A",
		fits: object(map[string]any{"title": texted.Subject, "message": "TEXT", "priority": 8.0}),
	},
	"telegram": {
		typed: "123456789", to: "123456789", method: "POST", path: "/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage", host: "api.telegram.org",
		fits: object(map[string]any{"chat_id": "123456789", "text": "TEXT"}),
	},
	"slack": {
		typed: "U024BE7LH", to: "U024BE7LH", method: "POST", path: "/api/chat.postMessage", host: "slack.com", auth: "Authorization", begins: "Bearer xoxb-",
		fits: object(map[string]any{"channel": "U024BE7LH", "text": "TEXT"}),
	},
	"discord": {
		typed: "319674150115610528", to: "319674150115610528", method: "POST", path: "/api/v10/channels/319674150115610528/messages", host: "discord.com", auth: "Authorization", begins: "Bot ",
		fits: object(map[string]any{"content": "TEXT"}),
	},
	"mattermost": {
		typed: "mattermost:ann", to: "ann", method: "POST", path: "/hooks/xxx-generatedkey-xxx", host: "mattermost.example.org",
		fits: object(map[string]any{"channel": "@ann", "text": "TEXT", "username": "Example"}),
	},
	"matrix": {
		typed: "!abc:example.org", to: "!abc:example.org", method: "PUT", path: "/_matrix/client/v3/rooms/%21abc:example.org/send/m.room.message/djauthy-123456", host: "matrix.example.org", auth: "Authorization", begins: "Bearer ",
		fits: object(map[string]any{"msgtype": "m.text", "body": "TEXT"}),
	},
	"signal-cli": {
		typed: "signal:+41791234567", to: "+41791234567", method: "POST", path: "/api/v1/rpc", host: "127.0.0.1:8081",
		fits: object(map[string]any{"jsonrpc": "2.0", "method": "send", "id": "djauthy", "params.recipient.0": "+41791234567", "params.message": "TEXT"}),
	},
	"twilio": {
		typed: "+41 79 123 45 67", to: "+41791234567", method: "POST", path: "/2010-04-01/Accounts/ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/Messages.json", host: "api.twilio.com", auth: "Authorization", begins: "Basic ",
		fits: fields(url.Values{"To": {"+41791234567"}, "From": {"+15017122661"}, "Body": {smsText}}),
	},
	"46elks": {
		typed: "+41791234567", to: "+41791234567", method: "POST", path: "/a1/sms", host: "api.46elks.com", auth: "Authorization", begins: "Basic ",
		fits: fields(url.Values{"to": {"+41791234567"}, "from": {"djauthy"}, "message": {smsText}}),
	},
}

var tomlBlock = regexp.MustCompile("(?s)```toml\n(.*?)```")

// documented are the settings of a page of docs/channels.
func documented(t *testing.T, file string) (config.Hook, *config.Config) {
	t.Helper()
	text, err := os.ReadFile(file)
	check(t, err)
	block := tomlBlock.FindSubmatch(text)
	if block == nil {
		t.Fatalf("%s has no settings", file)
	}
	c, _, err := config.Load(file, block[1], nil, os.ReadFile)
	check(t, err)
	return c.Hooks[0], c
}

func TestTheDocumentedChannelsDoWhatTheirServicesDocument(t *testing.T) {
	files, err := filepath.Glob("../../docs/channels/*.md")
	check(t, err)
	want(t, len(files), len(channels)+1)
	for name, s := range channels {
		t.Run(name, func(t *testing.T) {
			h, _ := documented(t, "../../docs/channels/"+name+".md")
			d := accounts.Discovery{Hooks: []accounts.HookIDs{{Name: h.Name, IDs: h.Pattern()}}}
			found, refused := d.Resolve(s.typed, "")
			if refused != "" || found.ID != (accounts.ID{Implementation: h.Name, Identifier: s.to}) {
				t.Fatalf("%s is %v, %s", s.typed, found, refused)
			}
			u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(h.URL))
			check(t, err)
			want(t, u.Host, s.host)
			g := openGateway(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
			sender := hook(t, delivery.Hook{
				URL: g.URL + h.URL[strings.Index(h.URL, s.host)+len(s.host):], Method: h.Method, Headers: h.Headers, ContentType: h.ContentType, Body: h.Body, Secret: h.Secret,
			})
			w := texted
			w.To = found.ID.Deliverable(found.Address)
			check(t, send(t.Context(), sender, w))
			r := g.only(t)
			want(t, r.method+" "+r.path, s.method+" "+s.path)
			want(t, r.header.Get("Content-Type"), h.ContentType)
			if err := s.fits(r.body); err != nil {
				t.Errorf("%v in %s", err, r.body)
			}
			if s.auth != "" && !strings.HasPrefix(r.header.Get(s.auth), s.begins) {
				t.Errorf("%s is %q", s.auth, r.header.Get(s.auth))
			}
			if code, basic := strings.CutPrefix(r.header.Get(s.auth), "Basic "); basic {
				if plain, err := base64.StdEncoding.DecodeString(code); err != nil || !strings.Contains(string(plain), ":") {
					t.Errorf("%q, %v", plain, err)
				}
			}
		})
	}
}
