package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

func TestSeedsFitTheSchema(t *testing.T) {
	file := filepath.Join(t.TempDir(), "djauthy.db")
	d, err := db.Open(t.Context(), "sqlite:"+file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	seed, err := openSeed(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = seed.Close() }()
	if left, err := expiredLeft(t.Context(), seed); err != nil || left {
		t.Fatalf("before: expired rows left %v, %v", left, err)
	}
	if err := seedAccounts(t.Context(), seed, 1001); err != nil {
		t.Fatal(err)
	}
	if err := seedExpired(t.Context(), seed, 5*1001); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"users", "accounts", "attempts", "sessions", "proofs", "outbox", "budgets"} {
		var n int
		if err := seed.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 1001 {
			t.Errorf("%s holds %d rows, %v", table, n, err)
		}
	}
	if left, err := expiredLeft(t.Context(), seed); err != nil || !left {
		t.Fatalf("after: expired rows left %v, %v", left, err)
	}
}

func TestAMailedCodeMeetsTheRules(t *testing.T) {
	for _, same := range []bool{false, true} {
		err := withRules(filepath.Join(t.TempDir(), "rules.db"), 20, same, func(tx *db.Tx) error {
			_, err := decisionTime(tx, 1, time.Millisecond) // fails if a decision refuses
			return err
		})
		if err != nil {
			t.Errorf("all of the same site: %v: %v", same, err)
		}
	}
	if problem := rule(manyRules-1, fewRules).Problem(); problem != "" {
		t.Error(problem)
	}
}

func TestTheSinkFindsTheCode(t *testing.T) {
	for name, message := range map[string]string{
		"plain":     "To: a@b\nContent-Type: text/plain; charset=utf-8\nSubject: x\n\n123456\nhello\n",
		"two parts": "Content-Type: multipart/alternative; boundary=z\n\n--z\nContent-Transfer-Encoding: quoted-printable\nContent-Type: text/plain\n\n123456\nhello\n--z\nContent-Type: text/html\n\n<b>123456</b>\n--z--\n",
		"base64":    "Content-Type: multipart/alternative; boundary=z\n\n--z\nContent-Transfer-Encoding: base64\nContent-Type: text/plain\n\nMTIzNDU2CmhlbGxvIGhlbGxv\n--z--\n",
	} {
		code, err := firstLine([]byte(strings.ReplaceAll(message, "\n", "\r\n")))
		if err != nil || code != "123456" {
			t.Errorf("%s: %q, %v", name, code, err)
		}
	}
}

func TestPercentiles(t *testing.T) {
	o := outcome{elapsed: time.Second}
	for i := 100; i > 0; i-- {
		o.latencies = append(o.latencies, time.Duration(i)*time.Millisecond)
	}
	if p50, p99 := o.percentile(50), o.percentile(99); p50 != 50 || p99 != 99 {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
	if m := middle([]float64{3, 1, 2, 10}); m != 2.5 {
		t.Errorf("median %v", m)
	}
	if c := count(10_000_000); c != "10,000,000" {
		t.Errorf("count %q", c)
	}
}
