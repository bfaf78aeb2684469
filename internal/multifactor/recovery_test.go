package multifactor_test

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// recovery makes recovery codes.
func (h *house) recovery(u accounts.User) (codes []string, a, replaced multifactor.Authenticator) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		codes, a, replaced, err = h.MakeRecovery(tx, u.ID)
		return err
	})
	return codes, a, replaced
}

// recovers is the verdict on a recovery code.
func (h *house) recovers(u accounts.User, typed string) multifactor.Verdict {
	h.t.Helper()
	_, v := h.checked(u, multifactor.Recovery, typed)
	return v
}

func TestTenRecoveryCodesAreGoodOnceEach(t *testing.T) {
	form := regexp.MustCompile(`^[abcdefghjkmnpqrstuvwxyz]{5}-[abcdefghjkmnpqrstuvwxyz]{5}$`)
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		codes, set, _ := h.recovery(ann)
		want(t, len(codes), 10)
		want(t, set.Counter, 10)
		seen := map[string]bool{}
		for i := range codes {
			code := codes[(i+7)%10] // in another order than they were made
			if !form.MatchString(code) || seen[code] {
				t.Fatalf("%s after %v", code, seen)
			}
			seen[code] = true
			a, v := h.checked(ann, multifactor.Recovery, code)
			want(t, v, multifactor.Right)
			want(t, a.ID, set.ID)
			want(t, a.Counter, int64(9-i))
			want(t, h.one(ann).Counter, int64(9-i))
			want(t, h.one(ann).LastUsed, h.clock.Now())
			for used := range seen {
				want(t, h.recovers(ann, used), multifactor.Wrong)
			}
		}
	})
}

func TestARecoveryCodeIsFoundInEveryTyping(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		codes, _, _ := h.recovery(ann)
		whole := strings.ReplaceAll(codes[0], "-", "")
		for _, text := range []string{"", "-", whole[:9], whole + "a", codes[0][:5], codes[0] + " " + codes[1], strings.Repeat(codes[0]+" ", 500)} {
			if v := h.recovers(ann, text); v != multifactor.Wrong {
				t.Errorf("%.40q: %v", text, v)
			}
		}
		for i, typing := range []func(code string) string{
			strings.ToUpper,
			func(code string) string { return strings.ReplaceAll(code, "-", "") },
			func(code string) string { return strings.ReplaceAll(code, "-", " ") },
			func(code string) string { return "\t" + strings.ReplaceAll(code, "-", " – ") + "\r\n" },
			func(code string) string { return strings.Join(strings.Split(code, ""), " ") },
			func(code string) string {
				return strings.Map(func(r rune) rune { return r + 'ａ' - 'a' }, strings.ReplaceAll(code, "-", ""))
			},
			func(code string) string { return "3. " + code + "," },
		} {
			if text := typing(codes[i]); h.recovers(ann, text) != multifactor.Right {
				t.Errorf("%q is not right", text)
			}
		}
		want(t, h.one(ann).Counter, 3)
	})
}

func TestNewRecoveryCodesVoidTheOldOnes(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		old, first, none := h.recovery(ann)
		want(t, none.ID, 0)
		bobs, _, none := h.recovery(bob)
		want(t, none.ID, 0)
		want(t, h.recovers(ann, old[0]), multifactor.Right)
		codes, second, replaced := h.recovery(ann)
		want(t, replaced.ID, first.ID)
		want(t, replaced.Counter, 9)
		want(t, h.one(ann).ID, second.ID)
		for _, code := range append(old, bobs...) {
			want(t, h.recovers(ann, code), multifactor.Wrong)
		}
		want(t, h.recovers(ann, codes[9]), multifactor.Right)
		want(t, h.recovers(bob, codes[8]), multifactor.Wrong)
		want(t, h.recovers(bob, bobs[0]), multifactor.Right)
	})
}

func TestRecoveryCodesComeBackOnlyWhileThereAreNoNewer(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		old, first, _ := h.recovery(ann)
		h.remove(ann, first.ID)
		want(t, len(h.all(ann)), 0)
		want(t, h.recovers(ann, old[0]), multifactor.Wrong)
		h.restore(ann, first.ID)
		want(t, h.recovers(ann, old[0]), multifactor.Right)
		want(t, h.recovers(ann, old[0]), multifactor.Wrong)

		codes, second, _ := h.recovery(ann)
		h.restore(ann, first.ID)
		want(t, h.one(ann).ID, second.ID)
		want(t, h.recovers(ann, old[1]), multifactor.Wrong)
		want(t, h.recovers(ann, codes[1]), multifactor.Right)

		h.remove(ann, second.ID)
		h.restore(ann, first.ID)
		want(t, h.one(ann).ID, first.ID)
		want(t, h.recovers(ann, old[1]), multifactor.Right)
		want(t, h.recovers(ann, codes[2]), multifactor.Wrong)
		h.restore(ann, second.ID) // the older one has come back
		want(t, h.one(ann).ID, first.ID)
	})
}

func TestRecoveryCodesInAnotherRowProveNothing(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		codes, a, _ := h.recovery(ann)
		_, b, _ := h.recovery(bob)
		h.moveSeal(a, b)
		for _, code := range codes {
			want(t, h.recovers(bob, code), multifactor.Wrong)
		}
		want(t, h.recovers(ann, codes[0]), multifactor.Right)
	})
}

func TestNoRecoveryCodeAndNoSeedIsStoredInTheClear(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		codes, _, _ := h.recovery(ann)
		begun, _ := h.app(ann)
		want(t, h.recovers(ann, codes[0]), multifactor.Right)
		var all strings.Builder
		for table, rows := range dbtest.Dump(t, h.db) {
			all.WriteString(table + "\n" + strings.Join(rows, "\n"))
		}
		dump := strings.ToLower(all.String())
		for _, secret := range append(codes, begun.Seed) {
			for _, text := range []string{secret, strings.ReplaceAll(secret, "-", "")} {
				for form, stored := range map[string]string{"it is": text, "hexadecimal": hex.EncodeToString([]byte(text)), "base64": base64.RawStdEncoding.EncodeToString([]byte(text))} {
					if strings.Contains(dump, strings.ToLower(stored)) {
						t.Errorf("%s is stored as %s", secret, form)
					}
				}
			}
		}
		if !strings.Contains(dump, "name=phone\n") {
			t.Error("what is stored was not looked at")
		}
	})
}
