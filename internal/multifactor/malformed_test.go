package multifactor_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

// spoil returns copies of a response, each with something that it cannot be without changed
// into what it cannot be.
func spoil(t *testing.T, response []byte, needs ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range append(needs, "id", "rawId", "type", "response", "response.clientDataJSON") {
		for _, value := range []any{nil, 5, "", "!", "AAAA", "\u0000", []any{}, map[string]any{}, strings.Repeat("A", 10_000)} {
			var whole map[string]any
			check(t, json.Unmarshal(response, &whole))
			place, member := whole, name
			if inner, found := strings.CutPrefix(name, "response."); found {
				place, member = whole["response"].(map[string]any), inner
			}
			place[member] = value
			text, err := json.Marshal(whole)
			check(t, err)
			what, err := json.Marshal(value)
			check(t, err)
			all[name+" is "+string(what)[:min(len(what), 20)]] = string(text)
			delete(place, member)
			text, err = json.Marshal(whole)
			check(t, err)
			all["no "+name] = string(text)
		}
	}
	good := string(response)
	maps.Copy(all, map[string]string{
		"nothing": "", "null": "null", "an object": "{}", "a list": "[]", "a number": "1", "a text": `"x"`, "zero": "\x00", "no UTF-8": "\xff\xfe", "half": good[:len(good)/2],
		"all but the end": good[:len(good)-1], "twice": good + good, "in a list": "[" + good + "]", "as text": `"` + encoded(response) + `"`,
	})
	return all
}

// errUndo rolls back what a transaction has done.
var errUndo = errors.New("undo")

// refused checks that none of many responses proves or enrolls anything: not by answering a
// sign-in, if that is what they are, nor by enrolling.
func (h *house) refused(u accounts.User, c multifactor.Ceremony, enrolls bool, responses map[string]string) {
	h.t.Helper()
	before := h.rows()
	for name, text := range responses {
		err := h.db.Update(h.t.Context(), func(tx *db.Tx) (err error) {
			var a multifactor.Authenticator
			var used multifactor.Used
			var v multifactor.Verdict
			if enrolls {
				a, v, err = h.EnrollPasskey(tx, anns, u, c.Kept, []byte(text), "")
			} else {
				used, v, err = h.UsePasskey(tx, stranger, c.Kept, []byte(text))
			}
			if v != multifactor.Wrong || a.ID != 0 || used.Authenticator.ID != 0 || used.Verified || used.Copied {
				h.t.Errorf("%s: %v", name, v)
			}
			if err == nil && !enrolls {
				err = errUndo // or the ceremony would be over
			}
			return err
		})
		if !enrolls && !errors.Is(err, errUndo) || enrolls && err != nil {
			h.t.Errorf("%s: %v", name, err)
		}
	}
	if h.rows() != before {
		h.t.Error("something was stored")
	}
}

func TestAMalformedResponseProvesAndEnrollsNothing(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		enroll := h.beginPasskey(ann)
		response := k.Create(site.Origin, enroll.Options)
		h.refused(ann, enroll, true, spoil(t, response, "response.attestationObject"))
		_, v := h.enrollPasskey(anns, ann, enroll.Kept, response, "")
		want(t, v, multifactor.Right)
		enter := h.beginEntry()
		response = k.Get(site.Origin, enter.Options)
		h.refused(ann, enter, false, spoil(t, response, "response.authenticatorData", "response.signature", "response.userHandle"))
		_, v = h.use(stranger, enter.Kept, response)
		want(t, v, multifactor.Right)
	})
}

// huge returns copies of a good response that are longer than any browser makes them.
func huge(response []byte) map[string]string {
	const size = 1 << 20
	member := func(value string) string {
		return strings.Replace(string(response), `"response":{`, `"response":{"transports":`+value+`,`, 1)
	}
	return map[string]string{
		"blanks": string(response) + strings.Repeat(" ", size), "a text": member(`["` + strings.Repeat("x", size) + `"]`), "texts": member("[" + strings.Repeat(`"",`, size/3) + `""]`),
		"depth": member(strings.Repeat("[", size/2) + strings.Repeat("]", size/2)), "brackets": strings.Repeat("[", size),
	}
}

func TestAHugeResponseProvesAndEnrollsNothing(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		k := passkeytest.New(t)
		enroll := h.beginPasskey(ann)
		response := bytes.Replace(k.Create(site.Origin, enroll.Options), []byte(`,"transports":["usb"]`), nil, 1)
		h.refused(ann, enroll, true, huge(response))
		_, v := h.enrollPasskey(anns, ann, enroll.Kept, response, "")
		want(t, v, multifactor.Right)
		enter := h.beginEntry()
		response = k.Get(site.Origin, enter.Options)
		h.refused(ann, enter, false, huge(response))
		_, v = h.use(stranger, enter.Kept, append(response, strings.Repeat(" ", 16<<10)...)) // far more than they have
		want(t, v, multifactor.Right)
	})
}
