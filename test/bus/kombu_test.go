package bus_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

// kombu is what nameko itself speaks through. It calls one after the other and
// prints, a line each, the answer's body as it came.
const kombu = `
import json, sys, uuid, kombu
url, service, calls = json.load(sys.stdin)
exchange = kombu.Exchange("nameko-rpc", type="topic", durable=True)
key, answers = str(uuid.uuid4()), {}
queue = kombu.Queue("rpc.reply-standalone_rpc_proxy-" + key, exchange, routing_key=key, exclusive=True, auto_delete=True, durable=False)
def take(message):
    assert message.content_type == "application/json" and message.content_encoding == "utf-8", message
    assert message.properties["delivery_mode"] == 2, message.properties
    assert isinstance(message.decode(), dict), message.body
    answers[message.properties["correlation_id"]] = message.body
with kombu.Connection(url) as connection:
    # As nameko's own server side declares it: the same or a 406.
    channel = connection.channel()
    kombu.Queue("rpc-" + service, exchange, routing_key=service + ".*", durable=True)(channel).declare()
    with connection.Consumer(queue, on_message=take, no_ack=True):
        for method, args, kwargs in calls:
            id = str(uuid.uuid4())
            connection.Producer(serializer="json").publish(
                {"args": args, "kwargs": kwargs}, exchange=exchange, routing_key=service + "." + method, reply_to=key,
                correlation_id=id, delivery_mode=2, mandatory=True, headers={"nameko.call_id_stack": ["test." + id]})
            while id not in answers:
                connection.drain_events(timeout=30)
            body = answers[id]
            print(body if isinstance(body, str) else bytes(body).decode())
`

func TestKombuIsAnswered(t *testing.T) {
	python := program.Python(t, "kombu")
	p := open(t)
	own, token, other, theirs := p.shop.UUID, p.shop.token(t), p.lab.UUID, p.lab.token(t)
	none := map[string]any{}
	got := p.kombu(t, python, [][]any{
		{"verify", []any{own, token, other, theirs}, none},
		{"verify", []any{}, map[string]any{"appuuid": own, "token": token, "appuuidtoverify": other, "tokentoverify": theirs}},
		{"verify", []any{own, token}, map[string]any{"tokentoverify": theirs, "appuuidtoverify": other}},
		{"verify", []any{own, token, other, p.lab.wrong(t)}, none},
		{"frobnicate", []any{}, none},
		{"verify", nil, nil},
		{"verify", []any{own}, none},
	})
	want := []string{resultOK, resultOK, resultOK, resultFAIL, exception("MethodNotFound", "frobnicate")}
	for i, body := range want {
		same(t, got[i], body)
	}
	for _, body := range got[len(want):] {
		if !bytes.Contains([]byte(body), []byte(`"exc_path":"nameko.exceptions.IncorrectSignature"`)) {
			t.Errorf("the answer is %s, want an IncorrectSignature", body)
		}
	}
}

func (p *place) kombu(t *testing.T, python string, calls [][]any) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "caller.py")
	must(t, os.WriteFile(path, []byte(kombu), 0o600))
	in, err := json.Marshal([]any{rabbit.URL(t), p.name, calls})
	must(t, err)
	cmd := exec.CommandContext(t.Context(), python, path)
	cmd.Stdin = bytes.NewReader(in)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("kombu: %v\n%s%s", err, &stdout, &stderr)
	}
	var lines []string
	for line := range bytes.Lines(stdout.Bytes()) {
		lines = append(lines, string(line))
	}
	if len(lines) != len(calls) {
		t.Fatalf("%d answers to %d calls:\n%s", len(lines), len(calls), &stdout)
	}
	return lines
}
