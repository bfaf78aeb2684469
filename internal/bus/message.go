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
	return &exception{kind, "nameko.exceptions." + kind, []string{text}, text}
}

// status is what verify returns.
type status struct {
	Status string `json:"status"`
}

// envelope is an answer: a result or an error, never both.
type envelope struct {
	Result any        `json:"result"`
	Error  *exception `json:"error"`
}

// take answers one message and settles it with the broker.
func (l *listener) take(d amqp.Delivery) {
	outcome := "panic"
	defer func() {
		if p := recover(); p != nil {
			l.Log.Error("bus: a message was dropped", "service", l.name, "err", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			_ = d.Reject(false)
		}
		l.Answered(outcome)
	}()
	if why := unreadable(d); why != "" {
		l.Log.Warn("bus: a message was rejected", "service", l.name, "why", why)
		outcome = "rejected"
		_ = d.Reject(false) // if it does not arrive, the message comes again
		return
	}
	e, err := l.answer(d)
	switch {
	case db.Unavailable(err) || errors.Is(err, context.DeadlineExceeded): // the broker keeps the call
		l.Log.Error("bus: a call waits", "service", l.name, "err", err)
		outcome = "postponed"
		time.Sleep(time.Second)
		_ = d.Reject(true)
		return
	case err != nil: // it would fail again: the caller is told, and the queue goes on
		l.Log.Error("bus: a call failed", "service", l.name, "err", err)
		e = envelope{Error: &exception{"Exception", "builtins.Exception", []string{"internal error"}, "internal error"}}
		outcome = e.outcome()
		if d.ReplyTo != "" && l.reply(d, e) != nil {
			return
		}
	case d.ReplyTo == "":
		l.Log.Warn("bus: a call wants no answer: it has no reply_to", "service", l.name)
		outcome = "no_reply_to"
	default:
		outcome = e.outcome()
		if err := l.reply(d, e); err != nil { // not acknowledged: it comes again
			l.Log.Error("bus: cannot answer", "service", l.name, "err", err)
			return
		}
	}
	_ = d.Ack(false) // if it does not arrive, the call is answered again
}

func (e envelope) outcome() string {
	if s, ok := e.Result.(status); ok {
		return strings.ToLower(s.Status)
	}
	return e.Error.Type
}

// unreadable says why a message is none of a caller, "" if it is.
func unreadable(d amqp.Delivery) string {
	switch {
	case d.ContentType != "application/json":
		return "its content type is not application/json"
	case len(d.Body) > maxBody:
		return "it is too long"
	case !utf8.Valid(d.Body) || !json.Valid(d.Body):
		return "it is not JSON"
	}
	return ""
}

// answer carries a call out.
func (l *listener) answer(d amqp.Delivery) (envelope, error) {
	method := strings.TrimPrefix(d.RoutingKey, l.name+".")
	if method != "verify" {
		return envelope{Error: nameko("MethodNotFound", method)}, nil
	}
	args, exc := arguments(d.Body)
	if exc != nil {
		return envelope{Error: exc}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerFor)
	defer cancel()
	ok, err := l.verify(ctx, args)
	if err != nil {
		return envelope{}, err
	}
	if ok {
		return envelope{Result: status{"OK"}}, nil
	}
	return envelope{Result: status{"FAIL"}}, nil
}

// parameters of verify, in their order.
var parameters = []string{"appuuid", "token", "appuuidtoverify", "tokentoverify"}

// arguments binds positional and keyword arguments to parameters, as Python does.
func arguments(body []byte) (map[string]string, *exception) {
	var call map[string]json.RawMessage
	_ = json.Unmarshal(body, &call) // what is no object has no args
	if call["args"] == nil || call["kwargs"] == nil {
		return nil, nameko("MalformedRequest", "Message missing `args` or `kwargs`")
	}
	var args []json.RawMessage
	var kwargs map[string]json.RawMessage
	if json.Unmarshal(call["args"], &args) != nil || json.Unmarshal(call["kwargs"], &kwargs) != nil {
		return nil, nameko("IncorrectSignature", "args has to be a list and kwargs an object")
	}
	if len(args) > len(parameters) {
		return nil, nameko("IncorrectSignature", "too many positional arguments")
	}
	bound := map[string]string{}
	for i, name := range parameters {
		raw, named := kwargs[name]
		delete(kwargs, name)
		switch {
		case i < len(args) && named:
			return nil, nameko("IncorrectSignature", fmt.Sprintf("multiple values for argument '%s'", name))
		case i < len(args):
			raw = args[i]
		case !named:
			return nil, nameko("IncorrectSignature", fmt.Sprintf("missing a required argument: '%s'", name))
		}
		bound[name] = text(raw)
	}
	for name := range kwargs {
		return nil, nameko("IncorrectSignature", fmt.Sprintf("got an unexpected keyword argument '%.40s'", name))
	}
	return bound, nil
}

// text is a string, or a number as it was written; anything else is no text and
// will not verify.
func text(raw json.RawMessage) (s string) {
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		return string(raw)
	}
	_ = json.Unmarshal(raw, &s) // another type leaves it empty
	return services.Trim(s)
}

// fromBus is where callers of the bus come from: the broker does not tell.
const fromBus = "bus"

func (l *listener) verify(ctx context.Context, args map[string]string) (bool, error) {
	own, ok1 := services.AppTriple(args["appuuid"], args["token"])
	claim, ok2 := services.AppTriple(args["appuuidtoverify"], args["tokentoverify"])
	if !ok1 || !ok2 {
		return false, nil
	}
	by := services.Caller{Triple: own, Network: fromBus, Client: func() audit.Client { return audit.Client{Prefix: fromBus} }}
	v, err := l.Services.Verify(ctx, by, &claim)
	return v == services.OK, err
}

// reply publishes an answer.
func (l *listener) reply(d amqp.Delivery, e envelope) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return l.channel.PublishWithContext(context.Background(), exchange, d.ReplyTo, false, false, amqp.Publishing{
		ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent, CorrelationId: d.CorrelationId, Body: body,
	})
}
