package main

import "errors"

// rulesAtMost is this project's limit for a session check where rules are loaded of which none
// guards what is asked: times the CPU of one without rules.
const rulesAtMost = 1.15

// sessionRulesRow holds session checks with rules against those without, at the same program.
func sessionRulesRow(b *bench) (*result, error) {
	kinds := []struct {
		name  string
		rules int
		query string
	}{
		{"session check, no rules", 0, ""},
		{"session check, " + count(manyRules) + " rules that guard other things", manyRules, ""},
		{"session check, " + count(manyRules) + " rules, of which one is asked for by its name", manyRules, "?level=" + ruleName(manyRules/2)},
	}
	var servers []*server
	requests := map[*server][]string{}
	for _, k := range kinds {
		s, err := b.startWithRules(k.rules)
		if err != nil {
			return nil, errors.Join(err, stopAll(servers))
		}
		servers = append(servers, s)
		cookies, err := b.sessions(s, sessionsPerServer, freshAddress)
		if err != nil {
			return nil, errors.Join(err, stopAll(servers))
		}
		requests[s] = checks(s, k.query, cookies)
	}
	samples, err := b.takeTurns(servers, b.asks(requests))
	if err = errors.Join(err, stopAll(servers)); err != nil {
		return nil, err
	}
	r := &result{}
	for i, k := range kinds {
		r.Works = append(r.Works, work{Name: k.name, Djauthy: median(samples[i])})
	}
	for i, atMost := range []float64{rulesAtMost, 0} {
		ratio := versus("", [][]sample{samples[i+1], samples[0]}).Ratio
		r.Figures = append(r.Figures, figure{Name: "CPU of a " + kinds[i+1].name, Unit: "times", Djauthy: ratio, Beside: 1, Against: "that without", AtMost: atMost})
	}
	return r, nil
}

// decisionsRow is the decision alone, through the rules that a server keeps in memory: what it
// costs with many rules, beside the same with few.
func decisionsRow(b *bench) (*result, error) {
	var few, many, all []float64
	for range b.rounds {
		var t decisionTimes
		if err := b.alone("decisions", &t); err != nil {
			return nil, err
		}
		few, many, all = append(few, t.Few), append(many, t.Many), append(all, t.All)
	}
	rate := func(ns float64) float64 { return 1e9 / ns }
	with := "with " + count(fewRules)
	return &result{Figures: []figure{
		{
			Name: "a decision with " + count(manyRules) + " rules, of which three guard what is asked", Unit: "ns", Djauthy: middle(many), Beside: middle(few), Against: with,
		},
		{Name: "decisions a second of CPU with " + count(manyRules) + " rules", Djauthy: rate(middle(many)), Beside: rate(middle(few)), Against: with},
		{Name: "a decision by " + count(manyRules) + " rules that all guard what is asked", Unit: "ns", Djauthy: middle(all), Beside: middle(few), Against: with + ", by three"},
	}}, nil
}
