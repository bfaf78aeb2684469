package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// deliverCode gives a code to the browser that waits for it.
func (s *sink) deliverCode(to, code string) {
	s.mu.Lock()
	c := s.waiting[to]
	delete(s.waiting, to)
	s.mu.Unlock()
	if c != nil {
		c <- code
	}
}

// hookSink is a web service that takes messages and hands their codes to the sink.
type hookSink struct {
	*http.Server
	url string
}

func openHook(codes *sink) (*hookSink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &hookSink{url: "http://" + l.Addr().String() + "/", Server: &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct{ To, Code string }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		codes.deliverCode(m.To, m.Code)
	})}}
	go func() { _ = h.Serve(l) }()
	return h, nil
}

// jabberSink is as much of a Jabber server as an external component needs (XEP-0114). It
// hands the codes of messages to the sink.
type jabberSink struct {
	net.Listener
	codes *sink
	mute  bool // it does not answer pings, so that all messages stay under way
	taken atomic.Int64
}

func openJabber(codes *sink, mute bool) (*jabberSink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	j := &jabberSink{Listener: l, codes: codes, mute: mute}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = j.serve(c) // it ends with the server under measurement
				_ = c.Close()
			}()
		}
	}()
	return j, nil
}

// settings are those of djauthy that lead to it.
func (j *jabberSink) settings() []string {
	return []string{"DJAUTHY_JABBER_JID=login.localhost", "DJAUTHY_JABBER_PASSWORD=secret", "DJAUTHY_JABBER_SERVER=" + j.Addr().String()}
}

const jabberHead = `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='login.localhost'>`

func (j *jabberSink) serve(c net.Conn) error {
	d := xml.NewDecoder(c)
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "stream":
			_, err = c.Write([]byte(jabberHead))
		case "handshake":
			_, err = c.Write([]byte("<handshake/>"))
		case "message":
			err = j.message(d, start)
		case "iq":
			err = j.answer(c, start)
		}
		if err != nil {
			return err
		}
	}
}

func (j *jabberSink) message(d *xml.Decoder, start xml.StartElement) error {
	var m struct {
		To   string `xml:"to,attr"`
		Body string `xml:"body"`
	}
	if err := d.DecodeElement(&m, &start); err != nil {
		return err
	}
	j.taken.Add(1)
	code, _, _ := strings.Cut(m.Body, "\n")
	j.codes.deliverCode(m.To, code)
	return nil
}

func (j *jabberSink) answer(c net.Conn, start xml.StartElement) error {
	if j.mute {
		return nil
	}
	for _, a := range start.Attr {
		if a.Name.Local == "id" {
			_, err := fmt.Fprintf(c, "<iq type='result' id='%s' from='codes@login.localhost' to='codes@login.localhost'/>", a.Value)
			return err
		}
	}
	return errors.New("a question without an id")
}

// slowHost is a host that ids name. It knows nobody and says so after a while.
type slowHost struct {
	*http.Server
	id string // an id at it, but for what makes it unique
}

func openHost(after time.Duration) (*slowHost, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &slowHost{id: "http://127.0.0.1:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port) + "/", Server: &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(after):
		case <-r.Context().Done():
		}
		http.NotFound(w, r)
	})}}
	go func() { _ = h.Serve(l) }()
	return h, nil
}
