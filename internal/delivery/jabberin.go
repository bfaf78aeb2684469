package delivery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"slices"
	"strings"

	"mellium.im/xmlstream"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// arrived handles answers to questions and messages that come back. It must not use the
// session, which is locked meanwhile.
func (s *jabberSender) arrived(now *jabberStream, r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	if start.Name.Local == "iq" {
		return s.handleIQ(now, r, start)
	}
	m, err := stanza.NewMessage(*start)
	if err != nil || start.Name.Local != "message" {
		return nil
	}
	var said struct {
		Confirm *confirm
		Error   stanza.Error `xml:"error"`
	}
	if err := xml.NewTokenDecoder(xmlstream.Wrap(xmlstream.Inner(r), *start)).Decode(&said); err != nil {
		return nil //nolint:nilerr // it is nothing of ours
	}
	if s.handleAnswer(m, said.Confirm, said.Error.Condition) || m.Type != stanza.ErrorMessage {
		return nil
	}
	id, _, _ := strings.Cut(m.ID, ".")
	if m.ID != s.stanzaID(id, m.From) { // somebody else made it up
		return nil
	}
	condition := known(string(said.Error.Condition))
	if !now.tell(m.ID, condition) && s.Bounced != nil {
		s.Bounced(id, condition)
	}
	return nil
}

// handleIQ takes a component's ping to itself, as it was sent or refused, and refuses all other
// questions of a client. The library would do that, too, but ends the stream over an address
// that it does not take and some servers do.
func (s *jabberSender) handleIQ(now *jabberStream, r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	id := attribute(start, "id")
	if kind := attribute(start, "type"); s.isComponent() || kind != "get" && kind != "set" {
		now.tell(id, "")
		return nil
	}
	refused := iqRefused{Type: "error", ID: id, To: attribute(start, "from")}
	refused.Error.Type = "cancel"
	return r.Encode(refused)
}

// iqRefused is the answer to a question that nobody here takes (RFC 6120 8.2.3).
type iqRefused struct {
	XMLName xml.Name `xml:"iq"`
	Type    string   `xml:"type,attr"`
	ID      string   `xml:"id,attr"`
	To      string   `xml:"to,attr,omitempty"`
	Error   struct {
		Type               string   `xml:"type,attr"`
		ServiceUnavailable struct{} `xml:"urn:ietf:params:xml:ns:xmpp-stanzas service-unavailable"`
	} `xml:"error"`
}

func attribute(start *xml.StartElement, name string) string {
	for _, a := range start.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// known is a condition of RFC 6120 8.3.3, for others can be as long as a server likes.
func known(condition string) string {
	if slices.Contains(conditions, condition) {
		return condition
	}
	return "undefined-condition"
}

var conditions = []string{
	"bad-request", "conflict", "feature-not-implemented", "forbidden", "gone", "internal-server-error", "item-not-found", "jid-malformed", "not-acceptable", "not-allowed",
	"not-authorized", "policy-violation", "recipient-unavailable", "redirect", "registration-required", "remote-server-not-found", "remote-server-timeout", "resource-constraint",
	"service-unavailable", "subscription-required", "undefined-condition", "unexpected-request",
}

// stanzaID is the id of a message on the wire: the message's, a dot, and a MAC of it and of
// the recipient, so that only what the recipient's own server returns counts as returned.
func (s *jabberSender) stanzaID(id string, to jid.JID) string {
	mac := hmac.New(sha256.New, []byte(s.Secret))
	mac.Write([]byte("djauthy bounce " + id + " " + to.Bare().String()))
	return id + "." + hex.EncodeToString(mac.Sum(nil)[:12])
}
