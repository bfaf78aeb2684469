package ungleichotp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
)

// secrets are what nobody may find in a log.
func secrets(all ...who) (texts []string) {
	for _, w := range all {
		texts = append(texts, w.Seed, w.token(0), w.wrong(), w.token(1))
	}
	return texts
}

// logHolds demands that the log holds none of these.
func (h *house) logHolds(t *testing.T, none []string) {
	t.Helper()
	text := h.log.text()
	if text == "" {
		t.Fatal("nothing was logged, so nothing is shown")
	}
	for _, secret := range none {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("the log holds %s: ...%s...", secret, text[max(0, i-200):min(len(text), i+200)])
		}
	}
}

// everything is a request of each kind, good and bad.
func (c cast) everything() (all []request) {
	for _, s := range shapes() {
		good := s.verify(c.admin, c.shop)
		for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath, "/ungleichotp/verify"} {
			for _, method := range []string{"GET", "POST", "PUT", "OPTIONS"} {
				q := ask(method, path, good)
				broken := q
				broken.body += "}"
				all = append(all, q, broken, ask(method, path, good.with(fields{s.ours + "token": c.admin.wrong(), s.theirs + "token": c.shop.token(1)})),
					ask(method, path, good.with(fields{s.theirs + "token": c.shop.wrong()})), ask(method, path+"?token="+c.admin.token(0)+"&seed="+c.admin.Seed, good),
					q.header("Authorization: Token "+c.admin.token(0), "User-Agent: "+c.admin.token(0)), request{method: method, path: path, media: "text/" + c.admin.token(0), body: q.body})
			}
		}
	}
	return all
}

func TestLogAndHistoryHoldNoTokenAndNoSeed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		for _, q := range c.everything() {
			h.send(t, q)
		}
		none := secrets(c.admin, c.auth, c.shop)
		h.logHolds(t, none)
		h.historyHolds(t, none)
	})
}

func (h *house) historyHolds(t *testing.T, none []string) {
	t.Helper()
	if h.count(t, `SELECT COUNT(*) FROM audit WHERE event = $1`, audit.ServiceRefused) == 0 {
		t.Error("no wrong token was written down, so nothing is shown")
	}
	for _, secret := range none {
		if n := h.count(t, `SELECT COUNT(*) FROM audit WHERE detail LIKE $1 OR agent LIKE $2`, "%"+secret+"%", "%"+secret+"%"); n > 0 {
			t.Errorf("%d lines of history hold %s", n, secret)
		}
	}
}

// An error of the database is told to nobody, and the log has it without what
// the statement was about.
func TestWhatGoesWrongIsLoggedWithoutTokenAndSeedAndToldToNobody(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.log.troubled = true
		c := h.cast(t)
		breakTable(t, h, "counters")
		h.goesWrong(t, ask("POST", collectionPath, c.admin.g4().with(fields{"name": "new", "realm": "shop", "token": c.admin.token(1)})))
		breakTable(t, h, "budgets")
		h.goesWrong(t, c.auth.checks(c.shop, c.shop.wrong(), home))
		h.goesWrong(t, c.admin.logsIn(c.admin.wrong(), home))
		breakTable(t, h, "services")
		for _, s := range shapes() {
			h.goesWrong(t, ask("POST", verifyPath, s.verify(c.auth, c.shop)))
			h.goesWrong(t, ask("GET", collectionPath, s.caller(c.admin)))
			h.goesWrong(t, ask("DELETE", c.shop.path(), s.caller(c.admin)))
		}
		h.logHolds(t, secrets(c.admin, c.auth, c.shop))
	})
}

func breakTable(t *testing.T, h *house, name string) {
	t.Helper()
	h.update(t, func(tx *db.Tx) error {
		_, err := tx.Exec(`ALTER TABLE ` + name + ` RENAME TO ` + name + `_gone`)
		return err
	})
}

// goesWrong demands an answer that says that we are at fault, and no more.
func (h *house) goesWrong(t *testing.T, q request) {
	t.Helper()
	before := strings.Count(h.log.text(), `"level":"ERROR"`)
	h.send(t, q).is(t, http.StatusInternalServerError, `{"detail":"Internal Server Error."}`)
	if strings.Count(h.log.text(), `"level":"ERROR"`) == before {
		t.Errorf("%s: nothing was logged", q)
	}
}
