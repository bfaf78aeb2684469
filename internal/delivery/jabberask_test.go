package delivery_test

import (
	"fmt"
	"net"
	"regexp"
	"testing"

	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
)

func asking(n int) delivery.Worded {
	w := chat(n)
	w.Minutes = 10
	w.Question = &delivery.Question{ID: fmt.Sprintf("QUEST%d", n), URL: "https://login.example.org/login", Link: fmt.Sprint("link ", n), NotMe: fmt.Sprint("not me ", n)}
	return w
}

type answer struct {
	q   delivery.Question
	yes bool
}

// answering is a sender whose answers are told.
func answering(t *testing.T, j delivery.Jabber) (delivery.Sender, <-chan answer) {
	t.Helper()
	answers := make(chan answer, 10)
	j.Answered = func(q delivery.Question, yes bool) { answers <- answer{q, yes} }
	return newJabber(t, j), answers
}

func TestAQuestionIsAnsweredInAJabberClient(t *testing.T) {
	p := deliverytest.OpenProsody(t, "login", "ann")
	for name, j := range map[string]delivery.Jabber{"client": p.Client(), "component": p.AsComponent()} {
		j.Bounced = func(string, string) { t.Error("an answer counts as a message that came back") }
		s, answers := answering(t, j)
		for said, yes := range map[string]bool{"yes": true, "no": false} {
			t.Run(name+" "+said, func(t *testing.T) {
				arrived := p.ListenAs(t, "ann@localhost/"+said)
				want(t, deliverytest.Next(t, arrived).Here, true)
				w := asking(1)
				check(t, send(t.Context(), s, w))
				m := deliverytest.Next(t, arrived)
				want(t, m.Body, w.Text)
				want(t, m.Confirm, w.Question.ID)
				want(t, m.URL, w.Question.URL)
				want(t, deliverytest.Next(t, answers), answer{*w.Question, yes})
				check(t, send(t.Context(), s, chat(2))) // without a question
				want(t, deliverytest.Next(t, arrived).Confirm, "")
				want(t, len(answers), 0)
			})
		}
	}
}

// Whoever answers for somebody else, to another question, twice, or too late, answers nothing.
func TestOnlyTheRecipientsAnswerCounts(t *testing.T) {
	const yes = `<message from='%s' to='login@localhost/x' id='%s'%s><confirm xmlns='http://jabber.org/protocol/http-auth' id='%s' method='GET' url='x'/>%s</message>`
	const refused = `<error type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
	const away = `<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
	for name, c := range map[string]struct {
		said    string
		answers []bool
	}{
		"yes":             {fmt.Sprintf(yes, "ann@localhost/phone", "1", "", "QUEST1", ""), []bool{true}},
		"no":              {fmt.Sprintf(yes, "ann@localhost/phone", "1", " type='error'", "QUEST1", refused), []bool{false}},
		"somebody else":   {fmt.Sprintf(yes, "eve@localhost/phone", "1", "", "QUEST1", ""), nil},
		"a subdomain":     {fmt.Sprintf(yes, "ann@localhost.evil.example/phone", "1", "", "QUEST1", ""), nil},
		"another":         {fmt.Sprintf(yes, "ann@localhost/phone", "1", "", "QUEST2", ""), nil},
		"none":            {fmt.Sprintf(yes, "ann@localhost/phone", "1", "", "", ""), nil},
		"twice":           {fmt.Sprintf(yes, "ann@localhost/phone", "1", "", "QUEST1", "") + fmt.Sprintf(yes, "ann@localhost/phone", "1", "", "QUEST1", ""), []bool{true}},
		"a server's no":   {fmt.Sprintf(yes, "ann@localhost", "1", " type='error'", "QUEST1", refused), nil},
		"a bounce":        {fmt.Sprintf(yes, "ann@localhost/phone", "1", " type='error'", "QUEST1", away), nil},
		"without confirm": {`<message from='ann@localhost/phone' to='login@localhost/x'><body>yes QUEST1</body></message>`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, answers := answering(t, fakeComponent(t, c.said))
			check(t, send(t.Context(), s, asking(1)))
			check(t, send(t.Context(), s, chat(2))) // behind all that was said
			for _, yes := range c.answers {
				want(t, deliverytest.Next(t, answers), answer{*asking(1).Question, yes})
			}
			want(t, len(answers), 0)
		})
	}
}

// fakeComponent is a server that takes a component and says something behind its first
// message.
func fakeComponent(t *testing.T, says string) delivery.Jabber {
	t.Helper()
	id := regexp.MustCompile(`<iq[^>]* id="([^"]+)"`)
	f := openFake(t, func(c net.Conn, read func() string) {
		read()
		fmt.Fprint(c, `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='x1' from='login.localhost'>`)
		read()
		fmt.Fprint(c, `<handshake/>`)
		for said := false; ; {
			text := read()
			if text == "" {
				return
			}
			for _, ping := range id.FindAllStringSubmatch(text, -1) {
				if !said {
					fmt.Fprint(c, says)
				}
				said = true
				fmt.Fprintf(c, `<iq type='result' id='%s' from='codes@login.localhost' to='codes@login.localhost'/>`, ping[1])
			}
		}
	})
	return delivery.Jabber{ID: "login.localhost", Secret: deliverytest.Secret, Server: f.at}
}
