package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/plainjson"
	"github.com/djauthy/djauthy/internal/services"
)

// maxBody is the longest message that is read, in bytes.
const maxBody = 1 << 20

// exception is an error as nameko's RPC carries it.
type exception struct {
	Type  string   `json:"exc_type"`
	Path  string   `json:"exc_path"`
	Args  []string `json:"exc_args"`
	Value string   `json:"value"`
}

func (e *exception) Error() string { return e.Type + ": " + e.Value }

func nameko(kind, text string) *exception {
	return &exception{Type: kind, Path: "nameko.exceptions." + kind, Args: []string{text}, Value: text}
}

// response is what a caller gets.
type response struct {
	outcome string // for metrics
	body    []byte
}

// result is the response of verify.
func result(ok bool) response {
	if ok {
		return response{"ok", []byte(`{"result":{"status":"OK"},"error":null}`)}
	}
	return response{"fail", []byte(`{"result":{"status":"FAIL"},"error":null}`)}
}

// response is the exception as it is sent.
func (e *exception) response() response {
	body, _ := json.Marshal(map[string]any{"result": nil, "error": e}) // texts can always be written
	return response{e.Type, body}
}

// handle responds to one message, and then acknowledges or rejects it.
func (l *listener) handle(d amqp.Delivery) {
	outcome := "panic"
	defer func() {
		if p := recover(); p != nil {
			l.Log.Error("bus: a message was dropped", "service", l.name, "err", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			_ = d.Reject(false)
		}
		l.Answered(outcome)
	}()
	c, why := read(d)
	if why != "" {
		l.Log.Warn("bus: a message was rejected", "service", l.name, "why", why)
		outcome = "rejected"
		_ = d.Reject(false) // if it does not arrive, the message comes again
		return
	}
	a, err := l.respond(d.RoutingKey, c)
	switch {
	case db.Unavailable(err) || errors.Is(err, context.DeadlineExceeded): // the broker keeps the call
		l.Log.Error("bus: a call waits", "service", l.name, "err", err)
		outcome = "postponed"
		time.Sleep(time.Second)
		_ = d.Reject(true)
		return
	case err != nil: // it would fail again, so the caller gets an exception and the queue goes on
		l.Log.Error("bus: a call failed", "service", l.name, "err", err)
		a = (&exception{Type: "Exception", Path: "builtins.Exception", Args: []string{"internal error"}, Value: "internal error"}).response()
	}
	outcome = a.outcome
	switch {
	case d.ReplyTo != "":
		if err := l.reply(d, a.body); err != nil { // not acknowledged: it comes again
			l.Log.Error("bus: cannot answer", "service", l.name, "err", err)
			return
		}
	case err == nil:
		l.Log.Warn("bus: a call wants no answer: it has no reply_to", "service", l.name)
		outcome = "no_reply_to"
	}
	_ = d.Ack(false) // if it does not arrive, the call is delivered again
}

// call is the arguments of a message, by position and by name.
type call struct {
	args   []string
	kwargs map[string]string
	wrong  *exception // why they cannot be read
}

// read reads a message. why says why it is no call, to which nothing can be responded.
func read(d amqp.Delivery) (c call, why string) {
	switch {
	case d.ContentType != "application/json":
		return c, "its content type is not application/json"
	case len(d.Body) > maxBody:
		return c, "it is too long"
	}
	if c, ok := readPlainJSON(d.Body); ok {
		return c, ""
	}
	if !utf8.Valid(d.Body) || !json.Valid(d.Body) || plainjson.LoneSurrogate(d.Body) {
		return c, "it is not JSON"
	}
	return readJSON(d.Body), ""
}

// readPlainJSON reads the JSON that nearly every caller sends, where all arguments are
// texts. ok is false for any other.
func readPlainJSON(body []byte) (c call, ok bool) {
	w := plainjson.Over(body)
	if !w.Skip('{') {
		return c, false
	}
	for {
		name, _ := w.Text()
		switch {
		case !w.Skip(':'):
			return c, false
		case name == "args":
			c.args = make([]string, 0, len(parameters))
			ok = w.List(func(text string) { c.args = append(c.args, text) })
		case name == "kwargs":
			c.kwargs = map[string]string{}
			ok = w.Object(func(name, text string) { c.kwargs[name] = text })
		default:
			return c, false
		}
		if !ok {
			return c, false
		}
		if !w.Skip(',') {
			return c, w.Skip('}') && w.End() && c.args != nil && c.kwargs != nil
		}
	}
}

// readJSON reads any JSON.
func readJSON(body []byte) call {
	var raw map[string]json.RawMessage
	_ = json.Unmarshal(body, &raw) // other JSON than an object has no args
	if raw["args"] == nil || raw["kwargs"] == nil {
		return call{wrong: nameko("MalformedRequest", "Message missing `args` or `kwargs`")}
	}
	var args []json.RawMessage
	var kwargs map[string]json.RawMessage
	if json.Unmarshal(raw["args"], &args) != nil || json.Unmarshal(raw["kwargs"], &kwargs) != nil {
		return call{wrong: nameko("IncorrectSignature", "args has to be a list and kwargs an object")}
	}
	c := call{args: make([]string, len(args)), kwargs: make(map[string]string, len(kwargs))}
	for i, v := range args {
		c.args[i] = text(v)
	}
	for name, v := range kwargs {
		c.kwargs[name] = text(v)
	}
	return c
}

// text is a string, or a number as it was written; "" for anything else, which is no good
// UUID or token.
func text(raw json.RawMessage) (s string) {
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		return string(raw)
	}
	_ = json.Unmarshal(raw, &s) // another type leaves it empty
	return s
}

// respond carries out a call.
func (l *listener) respond(routingKey string, c call) (response, error) {
	method := strings.TrimPrefix(routingKey, l.name+".")
	if method != "verify" {
		return nameko("MethodNotFound", method).response(), nil
	}
	args, exc := c.bind()
	if exc != nil {
		return exc.response(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	ok, err := l.verify(ctx, args)
	return result(ok), err
}

// parameters of verify, in their order.
var parameters = [...]string{"appuuid", "token", "appuuidtoverify", "tokentoverify"}

// bind assigns the arguments to the parameters, as Python does.
func (c call) bind() (bound [len(parameters)]string, exc *exception) {
	if c.wrong != nil {
		return bound, c.wrong
	}
	if len(c.args) > len(parameters) {
		return bound, nameko("IncorrectSignature", "too many positional arguments")
	}
	for i, name := range parameters {
		v, named := c.kwargs[name]
		delete(c.kwargs, name)
		switch {
		case i < len(c.args) && named:
			return bound, nameko("IncorrectSignature", fmt.Sprintf("multiple values for argument '%s'", name))
		case i < len(c.args):
			v = c.args[i]
		case !named:
			return bound, nameko("IncorrectSignature", fmt.Sprintf("missing a required argument: '%s'", name))
		}
		bound[i] = services.Trim(v)
	}
	for name := range c.kwargs {
		return bound, nameko("IncorrectSignature", fmt.Sprintf("got an unexpected keyword argument '%.40s'", name))
	}
	return bound, nil
}

// fromBus is the network of all callers: the broker does not say where they are.
const fromBus = "bus"

func busClient() audit.Client { return audit.Client{Prefix: fromBus} }

func (l *listener) verify(ctx context.Context, args [len(parameters)]string) (bool, error) {
	own, ok1 := services.AppTriple(args[0], args[1])
	claim, ok2 := services.AppTriple(args[2], args[3])
	if !ok1 || !ok2 {
		return false, nil
	}
	v, err := l.Services.Verify(ctx, services.Caller{Triple: own, Network: fromBus, Client: busClient}, &claim)
	return v == services.OK, err
}

// reply publishes a response.
func (l *listener) reply(d amqp.Delivery, body []byte) error {
	return l.channel.PublishWithContext(context.Background(), exchange, d.ReplyTo, false, false, amqp.Publishing{
		ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent, CorrelationId: d.CorrelationId, Body: body,
	})
}
