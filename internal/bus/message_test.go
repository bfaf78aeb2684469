package bus

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

// settled is a broker's end of a message: what was said of it, in order.
type settled struct{ said []string }

func (s *settled) Ack(uint64, bool) error        { s.said = append(s.said, "ack"); return nil }
func (s *settled) Nack(uint64, bool, bool) error { s.said = append(s.said, "nack"); return nil }

func (s *settled) Reject(_ uint64, requeue bool) error {
	s.said = append(s.said, fmt.Sprintf("reject, again %t", requeue))
	return nil
}

// open makes a listener without a broker, and a call that verifies at the time
// of its clock.
func open(t testing.TB) (l *listener, d *db.DB, call string) {
	t.Helper()
	d = dbtest.Open(t, dbtest.URL(t, "sqlite"))
	d.Now = func() time.Time { return dbtest.Start }
	keys, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := services.New(d, keys, services.Settings{Window: 3}, log)
	var all []string
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		all = nil
		for _, trusted := range []bool{true, false} {
			e, err := s.AddApp(tx, services.App{Name: "app", Username: "ann", Trusted: trusted}, audit.By{Actor: audit.Command})
			if err != nil {
				return err
			}
			seed, err := totp.ParseSeed(e.Seed)
			if err != nil {
				return err
			}
			all = append(all, e.Name, totp.Code(seed, totp.Step(tx.Now)))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"args": all, "kwargs": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	return &listener{Bus: &Bus{Services: s, Log: log, Answered: func(string) {}}, name: "ungleichotp"}, d, string(body)
}

func delivery(body string, s *settled) amqp.Delivery {
	return amqp.Delivery{Acknowledger: s, ContentType: "application/json", RoutingKey: "ungleichotp.verify", Body: []byte(body)}
}

// An answer would be a lie, and without one the caller waits until it is back.
func TestACallStaysWithTheBrokerWhileTheDatabaseIsAway(t *testing.T) {
	l, d, call := open(t)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	var outcome string
	l.Answered = func(o string) { outcome = o }
	s := &settled{}
	m := delivery(call, s)
	m.ReplyTo = "somebody"
	l.handle(m)
	if !slices.Equal(s.said, []string{"reject, again true"}) || outcome != "postponed" {
		t.Errorf("the broker was told %q, counted as %q", s.said, outcome)
	}
}

// An error that would come again each time must not stop the queue.
func TestACallThatCannotBeCarriedOutIsSettledAndTold(t *testing.T) {
	l, d, call := open(t)
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE services SET sealed = $1`, []byte("of another key"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var outcome string
	l.Answered = func(o string) { outcome = o }
	s := &settled{}
	l.handle(delivery(call, s))
	if !slices.Equal(s.said, []string{"ack"}) || outcome != "Exception" {
		t.Errorf("the broker was told %q, counted as %q", s.said, outcome)
	}
}

// A fault of ours takes one message, not the server, and it does not come again
// to do the same.
func TestAPanicTakesItsMessageAlone(t *testing.T) {
	l, _, call := open(t)
	l.Services = nil
	var outcome string
	l.Answered = func(o string) { outcome = o }
	s := &settled{}
	l.handle(delivery(call, s))
	if !slices.Equal(s.said, []string{"reject, again false"}) || outcome != "panic" {
		t.Errorf("the broker was told %q, counted as %q", s.said, outcome)
	}
}

// Nobody waits for what is no call, and it does not come again.
func TestWhatIsNoCallIsRejectedForGood(t *testing.T) {
	l, _, call := open(t)
	within := strings.Replace(call, `{}`, `{"x":"`+strings.Repeat("x", maxBody-len(call)-6)+`"}`, 1)
	for what, x := range map[string]struct {
		body string
		want string
	}{
		"a call":                     {call, "ack"},
		"as long as may be":          {within, "ack"},
		"a byte longer":              {within + " ", "reject, again false"},
		"half a pair in an argument": {`{"args":["\ud800"],"kwargs":{}}`, "reject, again false"},
		"half a pair in a name":      {`{"args":[],"kwargs":{"\udc00":1}}`, "reject, again false"},
		"half a pair beside them":    {`{"args":[],"kwargs":{},"\ud83d":1}`, "reject, again false"},
		"a whole pair":               {`{"args":["\ud83d\ude00"],"kwargs":{}}`, "ack"},
		"bad UTF-8":                  {"{\"args\":[\"\xff\"],\"kwargs\":{}}", "reject, again false"},
	} {
		s := &settled{}
		l.handle(delivery(x.body, s))
		if !slices.Equal(s.said, []string{x.want}) {
			t.Errorf("%s: the broker was told %q, want %s", what, s.said, x.want)
		}
	}
	if n := len(within); n != maxBody {
		t.Errorf("the longest one has %d bytes", n)
	}
}

// The seed call has to verify, else the fuzz target could not see a wrong OK.
func TestARightCallIsOK(t *testing.T) {
	l, _, call := open(t)
	d := delivery(call, nil)
	c, why := read(d)
	a, err := l.respond(d.RoutingKey, c)
	if why != "" || err != nil || string(a.body) != `{"result":{"status":"OK"},"error":null}` {
		t.Errorf("%s %s, %v", why, a.body, err)
	}
}

// FuzzMessage looks for messages that panic, or whose answer is neither verify's
// result nor one of the three exceptions; and for an OK that was not earned.
func FuzzMessage(f *testing.F) {
	l, _, call := open(f)
	for _, body := range []string{
		call, strings.Replace(call, `"kwargs":{}`, `"kwargs":{"token":1}`, 1), `{"args":[],"kwargs":{}}`, `{"kwargs": {"appuuid": "a", "token": 123456}, "args": []}`,
		`{"args":["a"],"kwargs":{"token":1},"args":["b"],"kwargs":{}}`, `{"args":null,"kwargs":null}`,
		`{"kwargs":{"appuuid":"a","token":1e999,"appuuidtoverify":null,"tokentoverify":[{}]},"args":[]}`, `{"args":{},"kwargs":[]}`,
		`[]`, `null`, `5`, `"args"`, `{`, "", "\xff", `{"args":["\ud800","\u0000",-0,true],"kwargs":{},"args":[]}`,
		`{"args":[1,2,3,4,5],"kwargs":{}}`, strings.Repeat("[", 12000), `{"args":[],"kwargs":{"` + strings.Repeat("ü", 100) + `":0}}`,
	} {
		f.Add("ungleichotp.verify", "application/json", body)
	}
	f.Add("ungleichotp.other", "application/json", call)
	f.Add("", "text/plain", call)
	var want struct{ Args []string }
	if err := json.Unmarshal([]byte(call), &want); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, kind, body string) {
		d := amqp.Delivery{ContentType: kind, RoutingKey: key, Body: []byte(body)}
		if plain, ok := readPlainJSON(d.Body); ok && (!json.Valid(d.Body) || !reflect.DeepEqual(plain, readJSON(d.Body))) {
			t.Errorf("%q is read as %v in haste", body, plain)
		}
		c, why := read(d)
		if why != "" {
			return
		}
		a, err := l.respond(d.RoutingKey, c)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		fitting(t, body, a.body)
		if strings.Contains(string(a.body), `"OK"`) && !earned(body, want.Args) {
			t.Errorf("%q verifies", body)
		}
	})
}

// fitting requires an answer of the wire.
func fitting(t *testing.T, body string, text []byte) {
	t.Helper()
	var a struct {
		Result *struct{ Status string }
		Error  *exception
	}
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatalf("%q has the answer %s: %v", body, text, err)
	}
	switch {
	case a.Result != nil && a.Error == nil:
		if a.Result.Status != "OK" && a.Result.Status != "FAIL" {
			t.Errorf("%q has the result %q", body, a.Result.Status)
		}
	case a.Result == nil && a.Error != nil:
		if !slices.Contains([]string{"MethodNotFound", "MalformedRequest", "IncorrectSignature"}, a.Error.Type) ||
			a.Error.Path != "nameko.exceptions."+a.Error.Type || len(a.Error.Args) != 1 || a.Error.Args[0] != a.Error.Value {
			t.Errorf("%q has the exception %s", body, text)
		}
	default:
		t.Errorf("%q has the answer %s", body, text)
	}
}

// earned says whether each of the texts is an argument of the call, as far as
// white space around it and the case of a UUID do not count.
func earned(body string, texts []string) bool {
	var call map[string]any
	if json.Unmarshal([]byte(body), &call) != nil {
		return false
	}
	var values []any
	args, _ := call["args"].([]any)
	values = append(values, args...)
	kwargs, _ := call["kwargs"].(map[string]any)
	for _, v := range kwargs {
		values = append(values, v)
	}
	for _, text := range texts {
		if !slices.ContainsFunc(values, func(v any) bool { return strings.EqualFold(strings.TrimSpace(fmt.Sprint(v)), text) }) {
			return false
		}
	}
	return true
}
