package boundkey

import "encoding/json"

// Instructions say what a browser does for a session (draft 9.6). They are the response to a
// registration, together with the cookie; the response to a proof may repeat them, and an
// empty one changes nothing.
type Instructions struct {
	Session string // its name; unique on the site
	Refresh string // where proofs go: a path of this origin
	// Cookie is the name of the short-lived cookie, and Attributes how it is set apart from
	// Max-Age, such as "Path=/; Secure; HttpOnly; SameSite=Lax". If a request would carry this
	// cookie and it is not there, the browser holds the request back and refreshes first. A
	// cookie that was set with other attributes does not count.
	Cookie, Attributes string
	// Except are paths, with all below them, whose requests never wait: static files.
	Except []string
	// Initiators are hosts of other sites that may cause a refresh by leading here; "*" is
	// every one. From all others a request with an expired cookie comes without it.
	Initiators []string
}

// JSON is the body of a response, of the type application/json.
func (i Instructions) JSON() []byte {
	type rule struct {
		Type   string `json:"type"`
		Domain string `json:"domain"`
		Path   string `json:"path"`
	}
	type scope struct {
		Site  bool   `json:"include_site"` // false: this origin alone
		Rules []rule `json:"scope_specification,omitempty"`
	}
	type credential struct {
		Type       string `json:"type"`
		Name       string `json:"name"`
		Attributes string `json:"attributes"`
	}
	var rules []rule
	for _, path := range i.Except {
		rules = append(rules, rule{"exclude", "*", path})
	}
	return encode(struct {
		Session     string       `json:"session_identifier"`
		Refresh     string       `json:"refresh_url"`
		Scope       scope        `json:"scope"`
		Credentials []credential `json:"credentials"`
		Initiators  []string     `json:"allowed_refresh_initiators,omitempty"`
	}{i.Session, i.Refresh, scope{Rules: rules}, []credential{{"cookie", i.Cookie, i.Attributes}}, i.Initiators})
}

// End is the body of a response after which the browser forgets a session and its key.
func End(session string) []byte {
	return encode(struct {
		Session  string `json:"session_identifier"`
		Continue bool   `json:"continue"`
	}{session, false})
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and booleans always have a form
	}
	return text
}
