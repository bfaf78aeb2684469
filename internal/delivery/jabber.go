package delivery

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/component"
	"mellium.im/xmpp/dial"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"

	"github.com/djauthy/djauthy/internal/outbox"
)

const (
	// jabberTimeout is how long a message and the round trip behind it may take, and how
	// long opening a stream may.
	jabberTimeout = 30 * time.Second
	// pingAgain is when a ping without an answer is sent once more. Its answer may have gone
	// to another stream of the same component, such as that of a check.
	pingAgain = 2 * time.Second
	// A server that is away is dialled again after firstPause at the earliest, then after
	// twice as long, at most lastPause.
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// Jabber is how to reach the Jabber server.
type Jabber struct {
	// ID is login@example.org for a client, which signs in with STARTTLS and SCRAM; or the
	// domain of an external component (XEP-0114), login.example.org.
	ID     string
	Secret string // the password, or the component's secret
	Server string // host:port; "": found by SRV (RFC 6120 3.2)
	CA     []byte // PEM: the only authorities that count; empty: those of the system
	// Bounced is told that a message came back after Send had returned: the ID of the
	// Worded, and the condition (RFC 6120 8.3.3).
	Bounced func(id, condition string)
	// Answered is told that the recipient has answered the question of a message.
	Answered func(q Question, yes bool)
}

// jabberSender keeps one stream.
type jabberSender struct {
	Jabber
	address jid.JID
	tls     *tls.Config
	lock    chan struct{} // one dial at a time; held no longer than a context
	now     *jabberStream
	pause   time.Duration // after the last dial, which failed
	again   time.Time     // when to dial again
	failed  error         // why the last dial failed

	questions questions
}

// NewJabber returns the sender of the jabber channel. It dials at the first message. Its
// error begins with the key of the setting that is wrong.
func NewJabber(j Jabber) (Sender, error) {
	address, err := jid.Parse(j.ID)
	if err != nil || address.Resourcepart() != "" {
		return nil, errors.New("jid: login@example.org, or the domain of a component")
	}
	s := &jabberSender{
		Jabber: j, address: address, lock: make(chan struct{}, 1),
		tls: &tls.Config{ServerName: address.Domainpart(), MinVersion: tls.VersionTLS12},
	}
	if len(j.CA) > 0 {
		s.tls.RootCAs = x509.NewCertPool()
		if !s.tls.RootCAs.AppendCertsFromPEM(j.CA) {
			return nil, errors.New("ca: the file has no certificate in PEM")
		}
	}
	return s, nil
}

func (s *jabberSender) isComponent() bool { return s.address.Localpart() == "" }

// Send returns nil only when the server has answered a ping that came after the message on
// the same stream: a server reads a stream in order (RFC 6120 10.1).
func (s *jabberSender) Send(ctx context.Context, w Worded) (said string, err error) {
	to, err := jid.Parse(w.To)
	if err != nil {
		return "", &outbox.Error{Permanent: true, Reason: "this is not a Jabber id"}
	}
	ctx, cancel := context.WithTimeout(ctx, jabberTimeout)
	defer cancel()
	now, err := s.stream(ctx)
	if err != nil {
		return "", s.unreached(err)
	}
	id := s.stanzaID(w.ID, to)
	bounce := now.expect(id)
	if w.Question != nil {
		s.questions.keep(to, *w.Question, time.Now().Add(time.Duration(w.Minutes)*time.Minute))
	}
	m := jabberMessage{stanza.Message{ID: id, To: to, From: s.from(), Type: stanza.ChatMessage}, w.Subject, w.Text, w.Question.onWire()}
	err = now.within(ctx, func(ctx context.Context) error {
		if err := now.Encode(ctx, m); err != nil {
			return err
		}
		return s.ping(ctx, now)
	})
	now.forget(id) // what comes back from here on is told to Bounced
	if err != nil {
		return "", &outbox.Error{Down: true, Reason: "the stream to the Jabber server broke: " + outbox.Clean(err.Error(), w.To)}
	}
	select {
	case condition := <-bounce:
		return "", bounced(condition)
	default:
		return "", nil
	}
}

// bounced is a message that came back. A server that is away may be back in a moment.
func bounced(condition string) *outbox.Error {
	later := condition == "recipient-unavailable" || condition == "remote-server-timeout" || condition == "resource-constraint"
	return &outbox.Error{Permanent: !later, Reason: "the message came back", Said: condition}
}

// Check pings the server on the running stream, or else opens one of its own. For a component
// the handshake is enough: a server may hand out what comes back by turns among all streams
// of a component, so that a second one must not stay. One that refuses it as a conflict has
// found the secret right.
func (s *jabberSender) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, jabberTimeout)
	defer cancel()
	now, err := s.living(ctx)
	if err == nil && now == nil {
		now, err = s.dial(ctx)
		if err == nil {
			defer now.end()
		}
		if s.isComponent() && (err == nil || errors.Is(err, stream.Conflict)) {
			return nil
		}
	}
	if err == nil {
		err = now.within(ctx, func(ctx context.Context) error { return s.ping(ctx, now) })
	}
	if err != nil {
		return s.unreached(err)
	}
	return nil
}

// ping waits for an answer behind all that was sent on a stream. One that does not come soon
// is asked for again, beside the first: any answer counts, for a stream is read in order.
func (s *jabberSender) ping(ctx context.Context, now *jabberStream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan error, jabberTimeout/pingAgain+2)
	ask := func() { answers <- s.ask(ctx, now) }
	go ask()
	again := time.NewTicker(pingAgain)
	defer again.Stop()
	for {
		select {
		case err := <-answers:
			if refused := (stanza.Error{}); errors.As(err, &refused) {
				return nil // "no such thing" is an answer, too
			}
			return err
		case <-again.C:
			go ask()
		}
	}
}

// ask sends one ping and waits for its answer. A client asks its server, a component itself:
// its server sends the question back down the same stream.
func (s *jabberSender) ask(ctx context.Context, now *jabberStream) error {
	if !s.isComponent() {
		return now.UnmarshalIQ(ctx, ping.IQ{IQ: stanza.IQ{Type: stanza.GetIQ, To: s.address.Domain()}}.TokenReader(), nil)
	}
	id := "ping-" + rand.Text()
	back := now.expect(id)
	defer now.forget(id)
	if err := now.Encode(ctx, selfPing{Type: "get", ID: id, To: s.from().String(), From: s.from().String()}); err != nil {
		return err
	}
	select {
	case <-back:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// selfPing is a ping (XEP-0199) to oneself.
type selfPing struct {
	XMLName xml.Name `xml:"iq"`
	Type    string   `xml:"type,attr"`
	ID      string   `xml:"id,attr"`
	To      string   `xml:"to,attr"`
	From    string   `xml:"from,attr"`
	Ping    struct{} `xml:"urn:xmpp:ping ping"`
}

// from is needed by components alone: they have no address that the server would fill in.
func (s *jabberSender) from() jid.JID {
	if !s.isComponent() {
		return jid.JID{}
	}
	from, _ := s.address.WithLocal("codes")
	return from
}

// hold takes the lock, under which streams are opened one at a time.
func (s *jabberSender) hold(ctx context.Context) (release func(), err error) {
	select {
	case s.lock <- struct{}{}:
		return func() { <-s.lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// living is the stream that lives, or nil.
func (s *jabberSender) living(ctx context.Context) (*jabberStream, error) {
	release, err := s.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if !s.now.lives() {
		return nil, nil
	}
	return s.now, nil
}

// stream is the stream that lives, or a new one.
func (s *jabberSender) stream(ctx context.Context) (*jabberStream, error) {
	release, err := s.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if s.now.lives() {
		return s.now, nil
	}
	if time.Now().Before(s.again) {
		return nil, s.failed
	}
	now, err := s.dial(ctx)
	if err != nil {
		s.pause = min(max(firstPause, 2*s.pause), lastPause)
		s.again, s.failed = time.Now().Add(s.pause), err
		return nil, err
	}
	s.now, s.pause = now, 0
	return now, nil
}

func (s *jabberSender) dial(ctx context.Context) (*jabberStream, error) {
	dialled, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	conn := &boundedConn{Conn: dialled}
	conn.left.Store(openingLimit)
	// The library sets a deadline and takes it back at once, so that its contexts never end
	// a read: the connection is closed instead.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var session *xmpp.Session
	if s.isComponent() {
		session, err = component.NewSession(ctx, s.address, []byte(s.Secret), conn)
	} else {
		// Bare: with a resource the library asks for an empty one. Without -PLUS, which
		// ejabberd before 24.02 gets wrong.
		session, err = xmpp.NewClientSession(ctx, s.address.Bare(), conn,
			requiredTLS(s.tls), xmpp.SASL("", s.Secret, sasl.ScramSha256, sasl.ScramSha1), xmpp.BindResource())
	}
	// The library is content with a stream whose server lets both be left out.
	if err == nil && !s.isComponent() && session.State()&(xmpp.Secure|xmpp.Authn) != xmpp.Secure|xmpp.Authn {
		err = errNotSecure
	}
	if err != nil {
		_ = conn.Close()
		return nil, errors.Join(context.Cause(ctx), err)
	}
	return s.serve(session, conn), nil
}

var errNotSecure = errors.New("the server offers no TLS, or no log-in that is safe")

// requiredTLS is STARTTLS without which no stream goes on, whatever the server says of it.
func requiredTLS(c *tls.Config) xmpp.StreamFeature {
	f := xmpp.StartTLS(c)
	parse := f.Parse
	f.Parse = func(ctx context.Context, d *xml.Decoder, start *xml.StartElement) (bool, interface{}, error) {
		_, data, err := parse(ctx, d, start)
		return true, data, err
	}
	return f
}

func (s *jabberSender) connect(ctx context.Context) (net.Conn, error) {
	if s.Server != "" {
		return new(net.Dialer).DialContext(ctx, "tcp", s.Server)
	}
	return (&dial.Dialer{NoTLS: true}).Dial(ctx, "tcp", s.address)
}

// serve reads a stream until its connection ends.
func (s *jabberSender) serve(session *xmpp.Session, conn *boundedConn) *jabberStream {
	conn.left.Store(stanzaLimit)
	over, end := context.WithCancelCause(context.Background())
	now := &jabberStream{Session: session, conn: conn, over: over, closed: make(chan struct{}), waiting: map[string]chan string{}}
	go func() {
		err := session.Serve(xmpp.HandlerFunc(func(r xmlstream.TokenReadEncoder, e *xml.StartElement) error {
			conn.left.Store(stanzaLimit)
			return s.arrived(now, r, e)
		}))
		if err == nil {
			err = io.EOF
		}
		end(err)
		now.drain()
	}()
	return now
}

// unreached says what to do about a server to which no stream can be opened.
func (s *jabberSender) unreached(err error) *outbox.Error {
	e := &outbox.Error{Down: true}
	var untrusted *tls.CertificateVerificationError
	var dns *net.DNSError
	switch text := err.Error(); {
	case errors.As(err, &untrusted):
		e.Lasting, e.Reason = true, "the Jabber server's certificate is not trusted: "+untrusted.Err.Error()+"; its authority belongs into the file that jabber.ca names"
	case refusedLogIn(err), errors.Is(err, stream.NotAuthorized):
		e.Lasting, e.Reason = true, "the Jabber server refuses the log-in: check jabber.jid and jabber.password"
	case errors.Is(err, stream.Conflict):
		e.Occupied, e.Reason = true, "the component is connected already, as by a server that runs: its settings are right, and only that server can send"
	case errors.As(err, &dns):
		e.Reason = fmt.Sprintf("the name service knows no Jabber server of %s: set jabber.server", s.address.Domainpart())
	case timeout(err), errors.Is(err, context.DeadlineExceeded):
		e.Reason = "the Jabber server does not answer in time: check jabber.server"
	default:
		e.Reason = "cannot reach the Jabber server: " + outbox.Clean(text, "", s.Secret)
	}
	return e
}

// refusedLogIn reports a failure of SASL that does not pass by itself (RFC 6120 6.5). The
// library keeps the type of these errors to itself, but not how they are written.
func refusedLogIn(err error) bool {
	var failure interface {
		error
		TokenReader() xml.TokenReader
	}
	if !errors.As(err, &failure) {
		return false
	}
	written := failure.TokenReader()
	token, _ := written.Token()
	start, ok := token.(xml.StartElement)
	if !ok || start.Name.Space != "urn:ietf:params:xml:ns:xmpp-sasl" {
		return false
	}
	token, _ = written.Token()
	condition, ok := token.(xml.StartElement)
	return ok && condition.Name.Local != "temporary-auth-failure"
}

// jabberMessage is a chat message.
type jabberMessage struct {
	stanza.Message
	Subject string `xml:"subject,omitempty"`
	Body    string `xml:"body"`
	Confirm *confirm
}
