package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// outbox are the messages that `messages list` prints as JSON.
func (s *site) outbox(t *testing.T, args ...string) (all []messageJSON) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.must(t, append([]string{"messages", "list", "--json"}, args...)...)), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMessagesSaysWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		if all := s.outbox(t); all == nil || len(all) != 0 {
			t.Errorf("an empty outbox prints %v, want []", all)
		}
		s.browser(t).ask("annabella@people.example")
		s.browser(t).post("/login", "id", "refused.person@people.example").want(t, http.StatusSeeOther, "/login/code")
		s.sent(t)
		all := s.outbox(t)
		if len(all) != 2 {
			t.Fatalf("%d messages, want 2", len(all))
		}
		ann, no := all[0], all[1]
		if ann.To != "a***a@people.example" || ann.State != "sent" || ann.Implementation != "email" || ann.Tries != 1 || !strings.HasPrefix(ann.Said, "250 ") || ann.Created.IsZero() {
			t.Errorf("the message that was sent is %+v", ann)
		}
		if no.To != "r***n@people.example" || no.State != "bounced" || no.Said != "550 5.0.0 no such mailbox" && no.Said != "550 5.5.0 no such mailbox" && no.Said != "550 no such mailbox" {
			t.Errorf("the message that was refused is %+v", no)
		}
		for state, n := range map[string]int{"waiting": 0, "sent": 1, "bounced": 1, "given-up": 0} {
			if got := s.outbox(t, "--state", state); len(got) != n {
				t.Errorf("%d messages are %s, want %d", len(got), state, n)
			}
		}
		table := s.must(t, "messages", "list")
		if !strings.HasPrefix(table, "NUMBER") || !strings.Contains(table, "no such mailbox") || strings.Contains(table, "refused.person") {
			t.Errorf("the table is\n%s", table)
		}
		if shown := s.must(t, "messages", "show", fmt.Sprint(no.Number)); !strings.Contains(shown, "bounced") || !strings.Contains(shown, "no such mailbox") {
			t.Errorf("show prints\n%s", shown)
		}
		shown := object(t, s.must(t, "messages", "show", fmt.Sprint(ann.Number), "--json"))
		if fmt.Sprintf("%.0f", shown["number"]) != fmt.Sprint(ann.Number) || shown["next_try"] != nil || shown["done"] == nil {
			t.Errorf("show prints %v", shown)
		}
	})
}

func TestMessagesRetrySaysWhatItDoesAndWhyNot(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.browser(t).ask("ann@people.example")
	s.browser(t).post("/login", "id", "refused@people.example").want(t, http.StatusSeeOther, "/login/code")
	s.sent(t)
	all := s.outbox(t)
	sent, refused := fmt.Sprint(all[0].Number), fmt.Sprint(all[1].Number)
	if again := object(t, s.must(t, "messages", "retry", refused, "--json")); again["state"] != "waiting" {
		t.Errorf("retry prints %v", again)
	}
	s.await(t, "the message was tried again", func() bool { return s.outbox(t)[1].Tries == 2 && s.outbox(t)[1].State == "bounced" })
	for _, c := range []struct {
		code   int
		says   string
		number string
	}{
		{exitFailed, "was sent at", sent},
		{exitFailed, "messages list", "12345"},
		{exitUsage, "expected a valid 64 bit int", "all"},
	} {
		if _, errs, code := s.command("messages", "retry", c.number); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("retry %s: exit %d, %s", c.number, code, errs)
		}
	}
	if _, errs, code := s.command("messages", "list", "--state", "lost"); code != exitUsage || !strings.Contains(errs, "given-up") {
		t.Errorf("an unknown state: exit %d, %s", code, errs)
	}
	if _, errs, code := s.command("messages", "show", "1"); code != exitFailed || !strings.Contains(errs, "no message 1") {
		t.Errorf("an unknown message: exit %d, %s", code, errs)
	}
}
