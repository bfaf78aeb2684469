package main

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
