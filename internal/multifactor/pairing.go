package multifactor

// pairing gives each factor of a set something that counts as it, nothing twice.
type pairing struct {
	of []int // of each factor what it was given, -1 for nothing
	by []int // of each thing the factor that has it, -1 for none
}

// pair gives as many factors as possible one of things each. Factors that stand first
// come first: one is left without only if otherwise an earlier one would be.
func pair(n Need, things int, counts func(f Factor, thing int) bool) pairing {
	p := pairing{make([]int, len(n)), make([]int, things)}
	for i := range p.of {
		p.of[i] = -1
	}
	for i := range p.by {
		p.by[i] = -1
	}
	for i := range n {
		p.give(n, i, counts, make([]bool, things))
	}
	return p
}

// give finds something for a factor, taking it from another factor that can have something
// else (augmenting paths of bipartite matching).
func (p pairing) give(n Need, i int, counts func(Factor, int) bool, tried []bool) bool {
	for thing := range p.by {
		if tried[thing] || !counts(n[i], thing) {
			continue
		}
		tried[thing] = true
		if p.by[thing] < 0 || p.give(n, p.by[thing], counts, tried) {
			p.by[thing], p.of[i] = i, thing
			return true
		}
	}
	return false
}

// complete reports whether each factor was given something.
func (p pairing) complete() bool {
	for _, thing := range p.of {
		if thing < 0 {
			return false
		}
	}
	return true
}
