package bus_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// exception is the body of an answer that names an exception of nameko's.
func exception(kind, text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // what a test writes is JSON
	}
	return fmt.Sprintf(`{"result":null,"error":{"exc_type":%q,"exc_path":"nameko.exceptions.%s","exc_args":[%s],"value":%s}}`, kind, kind, quoted, quoted)
}

var parameters = []string{"appuuid", "token", "appuuidtoverify", "tokentoverify"}

// Every split of the four arguments into positional and keyword ones.
func TestArgumentsMayBePositionalNamedOrMixed(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	for n := range 5 {
		for last, want := range map[string]string{p.lab.token(t): resultOK, p.lab.wrong(t): resultFAIL} {
			all := []any{p.shop.UUID, p.shop.token(t), p.lab.UUID, last}
			named := map[string]any{}
			for i := n; i < 4; i++ {
				named[parameters[i]] = all[i]
			}
			same(t, c.call(p.verify(), both(all[:n], named)), want)
		}
	}
}

func TestAnAppIsKnownByItsUUIDInAnyCase(t *testing.T) {
	p := open(t)
	body := positional(strings.ToUpper(p.shop.UUID), p.shop.token(t), strings.ToUpper(p.lab.UUID), p.lab.token(t))
	same(t, newCaller(t).call(p.verify(), body), resultOK)
}

// Rule of the wire: an answer to everything that was verified is a result.
func TestAFailedVerificationIsAResult(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	own, token, other, theirs := p.shop.UUID, p.shop.token(t), p.lab.UUID, p.lab.token(t)
	nobody := "00000000-0000-4000-8000-000000000000"
	for what, args := range map[string][]any{
		"own token wrong":         {own, p.shop.wrong(t), other, theirs},
		"other token wrong":       {own, token, other, p.lab.wrong(t)},
		"token of another":        {own, token, other, p.door.token(t)},
		"tokens swapped":          {own, theirs, other, token},
		"unknown caller":          {nobody, token, other, theirs},
		"unknown other":           {own, token, nobody, theirs},
		"no UUIDs":                {"shop", token, "lab", theirs},
		"UUID without dashes":     {own, token, strings.ReplaceAll(other, "-", ""), theirs},
		"empty":                   {"", "", "", ""},
		"token one digit short":   {own, token, other, theirs[:5]},
		"token one digit more":    {own, token, other, theirs + "0"},
		"null":                    {nil, nil, nil, nil},
		"truths":                  {true, false, true, false},
		"lists":                   {own, token, []any{other}, []any{theirs}},
		"objects":                 {own, token, map[string]any{"a": other}, theirs},
		"numbers":                 {1, 2.5, -3, 1e99},
		"NUL":                     {own, token, other, theirs + "\x00"},
		"long":                    {own, token, strings.Repeat("x", 5000), strings.Repeat("1", 5000)},
		"digits of another alpha": {own, token, other, "١٢٣٤٥٦"},
	} {
		t.Run(what, func(t *testing.T) { same(t, c.call(p.verify(), positional(args...)), resultFAIL) })
	}
	same(t, c.call(p.verify(), p.good(t)), resultOK)
}

func TestOnlyTrustedAppsVerify(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	for _, other := range []app{p.shop, p.lab, p.door} {
		same(t, c.call(p.verify(), positional(p.shop.UUID, p.shop.token(t), other.UUID, other.token(t))), resultOK)
		same(t, c.call(p.verify(), positional(p.lab.UUID, p.lab.token(t), other.UUID, other.token(t))), resultFAIL)
	}
}

// A triple of 2021 is no app, whatever its realm may do.
func TestATripleOfALaterGenerationIsNoApp(t *testing.T) {
	p := open(t)
	stdout, _, code := p.Run(t, "services", "add", "--name", "11111111-1111-4111-8111-111111111111", "--realm", "ungleich-auth")
	var triple struct{ Name, Seed string }
	if err := json.Unmarshal([]byte(stdout), &triple); code != 0 || err != nil {
		t.Fatal(code, err)
	}
	a := app{UUID: triple.Name, Seed: triple.Seed}
	c := newCaller(t)
	same(t, c.call(p.verify(), positional(a.UUID, a.token(t), p.lab.UUID, p.lab.token(t))), resultFAIL)
	same(t, c.call(p.verify(), positional(p.shop.UUID, p.shop.token(t), a.UUID, a.token(t))), resultFAIL)
}

func TestAnUnknownMethodIsNamed(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	for _, method := range []string{"nothing", "Verify", "verify2", "register", "__init__", "", `with "quotes" <&>`, "ünï"} {
		same(t, c.call(p.name+"."+method, p.good(t)), exception("MethodNotFound", method))
	}
	// The method is looked for before the body.
	same(t, c.call(p.name+".nothing", `{}`), exception("MethodNotFound", "nothing"))
}

func TestACallWithoutArgsOrKwargsIsMalformed(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	for _, body := range []string{
		`{}`, `{"args":["a","b","c","d"]}`, `{"kwargs":{}}`, `{"Args":[],"Kwargs":{}}`, `{"arg":[],"kwargs":{}}`,
		`[]`, `["a","b","c","d"]`, `"verify"`, `5`, `null`, `true`,
	} {
		t.Run(body, func(t *testing.T) {
			same(t, c.call(p.verify(), body), exception("MalformedRequest", "Message missing `args` or `kwargs`"))
		})
	}
}

func TestWrongArgumentsAreAWrongSignature(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	own, token, other, theirs := p.shop.UUID, p.shop.token(t), p.lab.UUID, p.lab.token(t)
	for what, body := range map[string]string{
		"none":              positional(),
		"too few":           positional(own, token, other),
		"too many":          positional(own, token, other, theirs, "more"),
		"one not known":     both([]any{own, token, other, theirs}, map[string]any{"more": 1}),
		"one twice":         both([]any{own, token, other, theirs}, map[string]any{"token": token}),
		"one misspelt":      both([]any{own, token, other}, map[string]any{"tokenToVerify": theirs}),
		"a gap":             both([]any{own}, map[string]any{"token": token, "tokentoverify": theirs}),
		"args no list":      `{"args":"abcd","kwargs":{}}`,
		"args an object":    `{"args":{"a":1},"kwargs":{}}`,
		"kwargs no object":  `{"args":[],"kwargs":[]}`,
		"kwargs a text":     `{"args":["a","b","c","d"],"kwargs":"x"}`,
		"a name beyond all": both(nil, map[string]any{strings.Repeat("x", 3000): 1}),
	} {
		t.Run(what, func(t *testing.T) {
			body := c.call(p.verify(), body)
			var got struct {
				Error struct {
					Value string `json:"value"`
				} `json:"error"`
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil || got.Error.Value == "" {
				t.Errorf("the answer %s does not say what is wrong: %v", body, err)
			}
			same(t, body, exception("IncorrectSignature", got.Error.Value))
		})
	}
}

// reply_to is a routing key of the exchange. A queue that has it for a name, to
// which the default exchange would lead, gets nothing.
func TestAnAnswerGoesToTheExchangeUnderTheKeyAskedFor(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	trap, err := c.ch.QueueDeclare(c.key, false, true, true, false, nil)
	must(t, err)
	second, err := c.ch.QueueDeclare("", false, true, true, false, nil)
	must(t, err)
	must(t, c.ch.QueueBind(second.Name, c.key, exchange, false, nil))
	copies, err := c.ch.Consume(second.Name, "", true, true, false, false, nil)
	must(t, err)
	same(t, c.call(p.verify(), p.good(t)), resultOK)
	d := <-copies // whoever is bound by the key has it, too
	if d.Exchange != "nameko-rpc" || d.RoutingKey != c.key {
		t.Errorf("the answer came by exchange %q and key %q", d.Exchange, d.RoutingKey)
	}
	if q, err := c.ch.QueueDeclarePassive(trap.Name, false, true, true, false, nil); err != nil || q.Messages != 0 {
		t.Errorf("%d messages were sent to a queue named as reply_to: %v", q.Messages, err)
	}
}

func TestAnAnswerCarriesTheCallsCorrelationAndNamekosProperties(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	ids := []string{"plain", "", strings.Repeat("i", 255), "with spaces/and ünï", rand.Text()}
	for _, key := range []string{p.verify(), p.name + ".nothing"} { // results and exceptions
		for _, id := range ids {
			m := c.message(key, p.good(t))
			m.CorrelationId = id
			c.publish(key, m)
			d := c.answer(id)
			if d.ContentType != "application/json" || d.ContentEncoding != "utf-8" || d.DeliveryMode != amqp.Persistent || d.Expiration != "" || d.ReplyTo != "" {
				t.Errorf("%q: content type %q, encoding %q, delivery mode %d, expiration %q, reply_to %q",
					id, d.ContentType, d.ContentEncoding, d.DeliveryMode, d.Expiration, d.ReplyTo)
			}
		}
	}
}

// A caller that has gone leaves a key that leads nowhere.
func TestAnAnswerThatNobodyWantsIsNoTrouble(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	m := c.message(p.verify(), p.good(t))
	m.ReplyTo = "gone-" + rand.Text()
	c.publish(p.verify(), m)
	p.awaitCount(t, "ok", 1)
	same(t, c.call(p.verify(), p.good(t)), resultOK)
	await(t, "the queue is empty", func() bool { return p.ready(t, c) == 0 })
	if got := p.counts(t); got["ok"] != 2 {
		t.Errorf("counted %v, want two", got)
	}
}

func TestMessagesAreCountedByWhatBecameOfThem(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	silent := c.message(p.verify(), p.good(t))
	silent.ReplyTo = ""
	text := c.message(p.verify(), p.good(t))
	text.ContentType = "text/plain"
	c.publish(p.verify(), silent)
	c.publish(p.verify(), text)
	for range 3 {
		c.call(p.verify(), p.good(t))
	}
	for range 2 {
		c.call(p.verify(), p.bad(t))
	}
	c.call(p.name+".other", p.good(t))
	c.call(p.verify(), `{}`)
	c.call(p.verify(), positional())
	want := map[string]int{"ok": 3, "fail": 2, "MethodNotFound": 1, "MalformedRequest": 1, "IncorrectSignature": 1, "rejected": 1, "no_reply_to": 1}
	for outcome, n := range want { // an answer arrives before it is counted
		p.awaitCount(t, outcome, n)
	}
	got := p.counts(t)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
