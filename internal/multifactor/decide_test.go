package multifactor_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
)

type (
	factor = multifactor.Factor
	held   = multifactor.Held
	level  = multifactor.Level
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// kinds are the ways that tests use, by a letter each.
var kinds = map[byte]multifactor.Way{
	'e': {Factors: []factor{"email", multifactor.AnyCode}, Key: multifactor.Key{Account: 1}},
	'f': {Factors: []factor{"email", multifactor.AnyCode}, Key: multifactor.Key{Account: 2}},
	'j': {Factors: []factor{"jabber", multifactor.AnyCode}, Key: multifactor.Key{Account: 3}},
	't': {Factors: []factor{multifactor.TOTP}, Key: multifactor.Key{Authenticator: 4}},
	'p': {Factors: []factor{multifactor.Passkey}, Key: multifactor.Key{Authenticator: 5}},
	'v': {Factors: []factor{multifactor.Passkey, multifactor.VerifiedPasskey}, Key: multifactor.Key{Authenticator: 6}},
	'r': {Factors: []factor{multifactor.Recovery}, Key: multifactor.Key{Authenticator: 7}},
	's': {Factors: []factor{multifactor.Recovery}, Key: multifactor.Key{Authenticator: 8}},
	'b': {Factors: []factor{multifactor.Bound}},
}

// ways are ways by their letters.
func ways(letters string) (all []multifactor.Way) {
	for i := range len(letters) {
		all = append(all, kinds[letters[i]])
	}
	return all
}

// proved are proofs by their letters, made a minute ago, that live for a day.
func proved(letters string) (all []held) {
	for _, w := range ways(letters) {
		all = append(all, held{Way: w, Verified: now.Add(-time.Minute), Expires: now.Add(24 * time.Hour)})
	}
	return all
}

// needing is a level with sets such as "email+totp".
func needing(name string, rank int, sets ...string) *level {
	l := &level{Name: name, Rank: rank}
	for _, text := range sets {
		n, err := multifactor.ParseNeed(text)
		if err != nil {
			panic(err)
		}
		l.Need = append(l.Need, n)
	}
	return l
}

func rules(all ...*level) (r []multifactor.Rule) {
	for _, l := range all {
		r = append(r, multifactor.Rule{Level: l, Because: multifactor.Thing{Kind: multifactor.Action, Name: multifactor.DeleteAccount}})
	}
	return r
}

func TestALevelIsHeldByAnyOneOfItsSets(t *testing.T) {
	for _, x := range []struct {
		need  []string
		held  string
		holds bool
	}{
		{[]string{"email"}, "e", true},
		{[]string{"email"}, "j", false},
		{[]string{"code"}, "j", true},
		{[]string{"email"}, "", false},
		{[]string{"email+totp"}, "e", false},
		{[]string{"email+totp"}, "t", false},
		{[]string{"email+totp"}, "et", true},
		{[]string{"email+totp", "passkey:uv"}, "v", true},
		{[]string{"email+totp", "passkey:uv"}, "p", false},
		{[]string{"passkey"}, "v", true},
		{[]string{"email+code"}, "e", false},             // a proof counts once in a set
		{[]string{"email+code"}, "ej", true},             //
		{[]string{"code+email"}, "ej", true},             // in whatever order
		{[]string{"code+email"}, "je", true},             //
		{[]string{"code+code"}, "e", false},              // two of one kind need two accounts
		{[]string{"code+code"}, "ee", false},             //
		{[]string{"code+code"}, "ef", true},              //
		{[]string{"passkey+passkey"}, "v", false},        //
		{[]string{"passkey+passkey:uv"}, "vp", true},     //
		{[]string{"passkey:uv+passkey"}, "pv", true},     //
		{[]string{"code+code+email"}, "ejf", true},       //
		{[]string{"email+totp"}, "er", true},             // a recovery code stands for any one
		{[]string{"email+totp"}, "tr", true},             //
		{[]string{"email+totp"}, "r", false},             // but not for two
		{[]string{"email+totp+passkey"}, "er", false},    //
		{[]string{"email+totp+passkey"}, "err", false},   //
		{[]string{"email+totp+passkey"}, "ers", false},   // nor do two of them
		{[]string{"email+totp+passkey"}, "ert", true},    //
		{[]string{"totp"}, "er", true},                   // nor without anything else
		{[]string{"totp"}, "r", false},                   //
		{[]string{"totp"}, "br", false},                  //
		{[]string{"passkey:uv"}, "er", false},            // which alone is two factors in one
		{[]string{"email"}, "jr", false},                 //
		{[]string{"code+recovery"}, "er", true},          //
		{[]string{"code+recovery"}, "et", false},         //
		{[]string{"email+bound"}, "eb", true},            //
		{[]string{"email+bound"}, "er", false},           // no code stands for a bound session
		{[]string{"nothing-like-it"}, "efjtpvrb", false}, //
	} {
		l := needing("l", 1, x.need...)
		if got := l.HeldBy(dedupe(proved(x.held)), now); got != x.holds {
			t.Errorf("%v with %q: held %v", x.need, x.held, got)
		}
	}
}

// dedupe leaves one proof of each key, as the table does.
func dedupe(all []held) (out []held) {
	for _, h := range all {
		if !slices.ContainsFunc(out, func(o held) bool { return o.Key == h.Key }) {
			out = append(out, h)
		}
	}
	return out
}

func TestWhatIsMissingIsTheLeastTroubleForThisPerson(t *testing.T) {
	for _, x := range []struct {
		need            []string
		ways, held      string
		missing, enroll string
	}{
		{[]string{"email+totp"}, "et", "e", "totp", ""},
		{[]string{"email+totp"}, "et", "", "totp+email", ""},
		{[]string{"email+totp"}, "e", "e", "totp", "totp"},
		{[]string{"email+totp", "passkey"}, "etv", "e", "passkey", ""},
		{[]string{"email+totp", "passkey"}, "et", "e", "totp", ""},          // what has to be set up comes last
		{[]string{"totp", "code+code"}, "ef", "e", "code", ""},              //
		{[]string{"code+code"}, "e", "e", "code", "code"},                   // the only address is used
		{[]string{"code+email"}, "ej", "e", "code", ""},                     // jabber will do
		{[]string{"code+email"}, "ef", "e", "email", ""},                    // email is named: it costs no more
		{[]string{"email+totp"}, "er", "e", "totp", "totp"},                 // the pages offer the recovery code
		{[]string{"passkey:uv+totp"}, "vt", "v", "totp", ""},                //
		{[]string{"passkey+passkey"}, "vp", "v", "passkey", ""},             //
		{[]string{"passkey+passkey"}, "v", "v", "passkey", "passkey"},       //
		{[]string{"bound+email"}, "e", "e", "bound", "bound"},               //
		{[]string{"jabber", "totp+passkey"}, "et", "e", "jabber", "jabber"}, // one to set up is less than two
	} {
		d := multifactor.Decide(rules(needing("l", 1, x.need...)), ways(x.ways), proved(x.held), now)
		if got := multifactor.Need(d.Missing).String(); d.Allowed || !sameFactors(got, x.missing) {
			t.Errorf("%v of %q with %q: missing %s, want %s", x.need, x.ways, x.held, got, x.missing)
		}
		if got := multifactor.Need(d.Enroll).String(); got != x.enroll {
			t.Errorf("%v of %q with %q: to set up %q, want %q", x.need, x.ways, x.held, got, x.enroll)
		}
	}
}

// sameFactors: where two factors are the same trouble, either may be named.
func sameFactors(got, wanted string) bool {
	return got == wanted || got == "email" && wanted == "code" || got == "code" && wanted == "email"
}

func TestSeveralRulesAllHaveToBeMet(t *testing.T) {
	r := rules(needing("a", 1, "email+totp"), needing("b", 5, "passkey"), needing("c", 3, "email"))
	d := multifactor.Decide(r, ways("etv"), proved("e"), now)
	want(t, d.Allowed, false)
	want(t, multifactor.Need(d.Missing).String(), "passkey+totp")
	want(t, d.Rules[0].Level.Name+d.Rules[1].Level.Name+d.Rules[2].Level.Name, "bca")
	asks, ok := d.Asks(proved("e"), now)
	want(t, ok, true)
	want(t, asks.Level.Name, "b")
	want(t, multifactor.Decide(r, ways("etv"), proved("et"), now).Allowed, false)
	want(t, multifactor.Decide(r, ways("etv"), proved("ev"), now).Allowed, false)
	d = multifactor.Decide(r, ways("etv"), proved("etv"), now)
	want(t, d.Allowed, true)
	want(t, len(d.Missing), 0)
	_, ok = d.Asks(proved("etv"), now)
	want(t, ok, false)
	want(t, multifactor.Decide(nil, nil, nil, now).Allowed, true)
	want(t, multifactor.Decide(nil, nil, nil, now).Until.IsZero(), true)
}

func TestAProofCountsAsLongAsTheLevelSays(t *testing.T) {
	l := needing("l", 1, "email+totp", "passkey")
	l.Valid = map[factor]multifactor.Span{"totp": {Duration: time.Hour}}
	h := proved("et")
	d := multifactor.Decide(rules(l), nil, h, now)
	want(t, d.Allowed, true)
	want(t, d.Until, now.Add(time.Hour-time.Minute)) // from when it was verified
	want(t, l.HeldBy(h, d.Until.Add(-time.Millisecond)), true)
	want(t, l.HeldBy(h, d.Until), false)

	l.Valid["totp"] = multifactor.Span{Duration: 48 * time.Hour} // at most as long as the proof lives
	want(t, multifactor.Decide(rules(l), nil, h, now).Until, now.Add(24*time.Hour))

	l.Valid["totp"] = multifactor.Span{Duration: time.Hour} // the recovery code stands for it no longer
	want(t, multifactor.Decide(rules(&level{Name: "m", Need: l.Need[:1], Valid: l.Valid}), nil, proved("er"), now).Until, now.Add(time.Hour-time.Minute))
	l.Valid["code"] = multifactor.Span{Duration: time.Minute * 5} // an email's code is a code
	want(t, multifactor.Decide(rules(l), nil, h, now).Until, now.Add(4*time.Minute))

	want(t, multifactor.Decide(rules(l), nil, proved("etp"), now).Until, now.Add(24*time.Hour)) // the set that lasts longest
}

func TestAProofFromTheFutureDoesNotCount(t *testing.T) {
	h := proved("e")
	h[0].Verified = now.Add(time.Hour)
	want(t, needing("l", 1, "email").HeldBy(h, now), false)
	h[0].Verified = now.Add(time.Second)
	want(t, needing("l", 1, "email").HeldBy(h, now), true)
}

// TestDecideAgreesWithEveryAssignment compares Decide with an oracle that tries every way to
// give each factor of each set a proof, over all levels of up to three factors from four,
// one to three levels, and all sets of proofs.
func TestDecideAgreesWithEveryAssignment(t *testing.T) {
	universe := []factor{"email", multifactor.AnyCode, multifactor.TOTP, multifactor.Passkey}
	var sets []multifactor.Need
	for a := range universe {
		sets = append(sets, multifactor.Need{universe[a]})
		for b := a; b < len(universe); b++ {
			sets = append(sets, multifactor.Need{universe[a], universe[b]})
			for c := b; c < len(universe); c++ {
				sets = append(sets, multifactor.Need{universe[c], universe[a], universe[b]})
			}
		}
	}
	const letters = "efjtpv"
	var held []string
	for mask := range 1 << len(letters) {
		text := ""
		for i := range len(letters) {
			if mask>>i&1 == 1 {
				text += letters[i : i+1]
			}
		}
		held = append(held, text)
	}
	checked := 0
	for i, s := range sets {
		one := &level{Name: "one", Rank: 1, Need: []multifactor.Need{s}}
		two := &level{Name: "two", Rank: 2, Need: []multifactor.Need{sets[(i*7+3)%len(sets)], sets[(i*5+1)%len(sets)]}}
		three := &level{Name: "three", Rank: 3, Need: []multifactor.Need{sets[(i*11+5)%len(sets)], s, sets[(i*3)%len(sets)]}}
		for _, levels := range [][]*level{{one}, {two}, {three}, {one, two}, {three, one}, {two, three}, {one, two, three}} {
			for _, h := range held {
				allowed := true
				for _, l := range levels {
					allowed = allowed && slices.ContainsFunc(l.Need, func(n multifactor.Need) bool { return fits(n, proved(h)) })
				}
				if d := multifactor.Decide(rules(levels...), ways(letters), proved(h), now); d.Allowed != allowed {
					t.Fatalf("%v with %q: allowed %v", levels, h, d.Allowed)
				} else if d.Allowed == (len(d.Missing) > 0) {
					t.Fatalf("%v with %q: allowed %v, missing %v", levels, h, d.Allowed, d.Missing)
				}
				checked++
			}
		}
	}
	if checked < 10000 {
		t.Fatalf("only %d combinations", checked)
	}
}

// fits tries every way to give each factor a proof of its own.
func fits(n multifactor.Need, all []held) bool {
	if len(n) == 0 {
		return true
	}
	for i, h := range all {
		if slices.Contains(h.Factors, n[0]) && fits(n[1:], slices.Delete(slices.Clone(all), i, i+1)) {
			return true
		}
	}
	return false
}

// random draws levels, proofs and ways.
func random(r *rand.Rand) (levels []*level, h []held, w []multifactor.Way) {
	const letters = "efjtpvrb"
	factors := []factor{"email", "jabber", multifactor.AnyCode, multifactor.TOTP, multifactor.Passkey, multifactor.VerifiedPasskey, multifactor.Recovery, multifactor.Bound}
	for range 1 + r.IntN(3) {
		l := &level{Name: string(rune('a' + r.IntN(26))), Rank: r.IntN(4), Valid: map[factor]multifactor.Span{}}
		for range 1 + r.IntN(3) {
			n := multifactor.Need{}
			for range 1 + r.IntN(3) {
				n = append(n, factors[r.IntN(len(factors))])
			}
			l.Need = append(l.Need, n)
		}
		for range r.IntN(3) {
			l.Valid[factors[r.IntN(len(factors))]] = multifactor.Span{Duration: time.Duration(1+r.IntN(90)) * time.Minute}
		}
		levels = append(levels, l)
	}
	for i := range len(letters) {
		if r.IntN(2) == 0 {
			w = append(w, kinds[letters[i]])
		}
		if r.IntN(2) == 0 {
			at := now.Add(-time.Duration(r.IntN(60)) * time.Minute)
			h = append(h, held{Way: kinds[letters[i]], Verified: at, Expires: at.Add(time.Duration(r.IntN(120)) * time.Minute)})
		}
	}
	return levels, h, w
}

func TestPropertiesOfDeciding(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	for range 20_000 {
		levels, h, w := random(r)
		all := rules(levels...)
		d := multifactor.Decide(all, w, h, now)
		fail := func(what string) { t.Fatalf("seed %d: %s: %+v with %+v", seed, what, levels, h) }
		// A rule more never lets more in.
		if multifactor.Decide(all, w, h, now).Allowed && !multifactor.Decide(all[1:], w, h, now).Allowed {
			fail("a rule less let less in")
		}
		// The order of rules, ways and proofs does not matter.
		slices.Reverse(all)
		back, forth := slices.Clone(h), slices.Clone(w)
		slices.Reverse(back)
		slices.Reverse(forth)
		e := multifactor.Decide(all, forth, back, now)
		if e.Allowed != d.Allowed || e.Until != d.Until || !slices.Equal(e.Missing, d.Missing) || len(e.Enroll) != len(d.Enroll) {
			fail("order matters")
		}
		// A proof less never raises, and an answer lasts no longer without it.
		if len(h) > 0 {
			i := r.IntN(len(h))
			less := slices.Delete(slices.Clone(h), i, i+1)
			x := multifactor.Decide(all, w, less, now)
			if x.Allowed && (!d.Allowed || x.Until.After(d.Until)) {
				fail("a proof less raised")
			}
			was, is := multifactor.Highest(levels, h, now), multifactor.Highest(levels, less, now)
			if is != nil && (was == nil || is.Rank > was.Rank) {
				fail("a proof less raised the level")
			}
		}
		// Time only lowers, and the answer ends when it says.
		later := now.Add(time.Duration(r.IntN(180)) * time.Minute)
		if multifactor.Decide(all, w, h, later).Allowed && !d.Allowed {
			fail("time raised")
		}
		if d.Allowed && len(levels) > 0 {
			if !multifactor.Decide(all, w, h, d.Until.Add(-time.Nanosecond)).Allowed || multifactor.Decide(all, w, h, d.Until).Allowed {
				fail("it ends at another time than it says")
			}
		}
		// What is missing is enough.
		if !d.Allowed && !slices.Contains(d.Missing, multifactor.Recovery) {
			more := slices.Clone(h)
			for i, f := range d.Missing {
				more = append(more, held{Way: multifactor.Way{Factors: []factor{f}, Key: multifactor.Key{Authenticator: db.ID(100 + i)}}, Verified: now, Expires: now.Add(time.Hour)})
			}
			if !multifactor.Decide(all, w, more, now).Allowed {
				fail("what is missing is not enough")
			}
		}
	}
}
