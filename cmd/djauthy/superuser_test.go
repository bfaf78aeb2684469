package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

func TestTheLastSuperuserIsKeptUnlessForced(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		id := anID()
		s.must(t, "createsuperuser", "--name", "root", "--email", id)
		for _, verb := range []string{"demote", "deactivate", "delete"} {
			out, errs, code := s.command("users", verb, id)
			if code != exitFailed || out != "" || !strings.Contains(errs, "root is the last superuser") || !strings.Contains(errs, "users promote") || !strings.Contains(errs, "--force") {
				t.Errorf("users %s: exit %d, %s%s", verb, code, out, errs)
			}
		}
		b := s.browser(t)
		b.signIn(id)
		if page := b.get("/account"); !strings.Contains(page.body, "Administrator") {
			t.Error("the last superuser is none any more")
		}
		page := b.post("/account/delete").want(t, http.StatusConflict, "")
		if !strings.Contains(page.body, "only administrator") || !strings.Contains(page.body, "users promote") || !b.in() {
			t.Errorf("deleting oneself: %s", seen(page.body))
		}
		other := anID()
		s.must(t, "users", "add", other)
		s.must(t, "users", "promote", other)
		s.must(t, "users", "demote", id)
		s.must(t, "users", "demote", other, "--force")
		s.must(t, "users", "promote", other)
		s.must(t, "users", "delete", other, "--force")
	})
}

func TestWhatIsAlreadySoSaysSoAndWritesNoHistory(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := anID()
	lines := func() int64 { return s.count(t, `SELECT count(*) FROM audit`) }
	again := func(words string, args ...string) {
		t.Helper()
		first := s.must(t, args...)
		before := lines()
		out, errs, code := s.command(args...)
		if code != exitOK || !strings.Contains(errs, words) || out != first {
			t.Errorf("%v again: exit %d\n%s%s", args, code, out, errs)
		}
		if lines() != before {
			t.Errorf("%v again writes history", args)
		}
	}
	again("is invited already", "users", "add", id)
	again("can sign in already", "users", "activate", id)
	again("is a superuser already", "users", "promote", id)
	again("is no superuser", "users", "demote", id, "--force")
	again("is deactivated already", "users", "deactivate", id)
	if _, errs, code := s.command("users", "add", id); code != exitOK || !strings.Contains(errs, "users activate") {
		t.Errorf("inviting who is deactivated: exit %d, %s", code, errs)
	}
	s.must(t, "users", "activate", id)
	again("is a superuser already", "createsuperuser", "--name", "root")
	s.must(t, "services", "add", "--name", "a", "--realm", "b")
	again("the same already", "services", "expire", "--name", "a", "--realm", "b", "--at", "2099-01-31")
}

// A command that reads must not wait for the writer: another process may hold it.
func TestCommandsThatReadWaitForNoWriter(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := anIDOf(t, s)
	s.must(t, "services", "add", "--name", "a", "--realm", "b")
	if err := s.house.db.Update(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Exec(`UPDATE users SET language = 'de'`); err != nil {
			return err
		}
		for _, args := range [][]string{
			{"users", "list"},
			{"users", "show", id},
			{"users", "export", id},
			{"services", "list"},
			{"services", "show", "--name", "a", "--realm", "b"},
			{"services", "export"},
			{"services", "apps"},
			{"services", "realms", "list"},
		} {
			begun := time.Now()
			if out, errs, code := s.command(args...); code != exitOK {
				return fmt.Errorf("%v: exit %d after %s: %s%s", args, code, time.Since(begun), out, errs)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
