package ungleichotp

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/services"
)

// text returns a field without white space around it, or what is wrong with it in the
// wire's words.
func (f fields) text(name string) (text string, wrong []string) {
	v, given := f.get(name)
	switch {
	case !given:
		return "", []string{"This field is required."}
	case v.kind == isNull:
		return "", []string{"This field may not be null."}
	case v.kind == isOther:
		return "", []string{"Not a valid string."}
	}
	text = services.Trim(v.text)
	if text == "" {
		return "", []string{"This field may not be blank."}
	}
	if len(text) > services.MaxText && utf8.RuneCountInString(text) > services.MaxText {
		wrong = append(wrong, "Ensure this field has no more than 128 characters.")
	}
	if strings.ContainsRune(text, 0) {
		wrong = append(wrong, "Null characters are not allowed.")
	}
	return text, wrong
}

// has reports whether a field was sent.
func (f fields) has(name string) bool {
	_, given := f.get(name)
	return given
}

// wrongFields are what is wrong with fields, by name.
type wrongFields map[string][]string

// err is the refusal of wrong fields, nil if there are none.
func (w wrongFields) err() error {
	if len(w) == 0 {
		return nil
	}
	return &refusal{http.StatusBadRequest, w}
}

// take returns a field, and adds what is wrong with it to wrong.
func (f fields) take(name string, wrong *wrongFields) string {
	text, all := f.text(name)
	if len(all) > 0 {
		if *wrong == nil {
			*wrong = wrongFields{}
		}
		(*wrong)[name] = all
	}
	return text
}

// triple reads the three fields under these names.
func (f fields) triple(name, realm, token string) (t services.Triple, wrong wrongFields) {
	t = services.Triple{Name: f.take(name, &wrong), Realm: f.take(realm, &wrong), Token: f.take(token, &wrong)}
	return t, wrong
}

// isG4 reports whether the body is of the wire of 2021 (G4), where the caller's fields
// begin with auth_. In that of 0.6 (G2) they are name, realm and token.
func (f fields) isG4() bool {
	return f.has("auth_name") || f.has("auth_realm") || f.has("auth_token")
}

// caller reads the caller's triple.
func (f fields) caller() (services.Triple, wrongFields) {
	if f.isG4() {
		return f.triple("auth_name", "auth_realm", "auth_token")
	}
	return f.triple("name", "realm", "token")
}

// claim reads the triple to verify.
func (f fields) claim() (services.Triple, wrongFields) {
	if f.isG4() {
		return f.triple("name", "realm", "token")
	}
	return f.triple("verifyname", "verifyrealm", "verifytoken")
}
