package main

import "fmt"

// Limits of this project for sign-ins, on a quiet machine.
const (
	signInAtMost   = 1.6  // times the stand-in's CPU
	loneAtMost     = 3.0  // ms, mail included
	seventyAtMost  = 25.0 // ms, p99 at 70% of the highest rate
	seventyPercent = 0.7
)

// signInRow is whole sign-ins by code: page, address, message, code, and two
// durable commits, each by somebody new in a browser without cookies.
func signInRow(browsers int) func(*bench) (*result, error) {
	return func(b *bench) (*result, error) {
		return b.withPair(func(p *pair) (*result, error) {
			w, err := b.compare("whole sign-in by code, "+many(browsers, "browser"), p, b.signIns(browsers, b.part))
			if err != nil {
				return nil, err
			}
			r := &result{Works: []work{w}}
			switch browsers {
			case 1:
				r.Figures = []figure{{Name: "lone browser, whole sign-in with its mail, p50", Unit: "ms", Djauthy: w.Djauthy.P50, Beside: w.Standin.P50, AtMost: loneAtMost}}
			case 64:
				r.Works[0].AtMost = signInAtMost
				err = b.atSeventy(p, r)
			}
			return r, err
		})
	}
}

// atSeventy adds how long people wait when they come at random at 70% of the
// rate that each server has just reached.
func (b *bench) atSeventy(p *pair, r *result) error {
	most := r.Works[0]
	rates := map[*server]float64{p.djauthy: seventyPercent * most.Djauthy.Rate, p.standin: seventyPercent * most.Standin.Rate}
	w, err := b.compare("whole sign-in, arrivals at 70% of that rate", p, func(s *server) (*outcome, error) {
		return openLoop(b.ctx, checkers, rates[s], b.part, nil, b.signInWorker(s, freshAddress, nil))
	})
	if err != nil {
		return err
	}
	r.Works = append(r.Works, w)
	r.Figures = append(r.Figures, figure{Name: "sign-in p99 at 70% of the highest rate", Unit: "ms", Djauthy: w.Djauthy.P99, Beside: w.Standin.P99, AtMost: seventyAtMost})
	return nil
}

// many is a number with its noun.
func many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// count writes a number as people read it: 10,000,000.
func count(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return count(n/1000) + fmt.Sprintf(",%03d", n%1000)
}
