package main

import (
	"bufio"
	"crypto/sha1" // what seeds are made of here: any bytes will do
	"encoding/base32"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/djauthy/djauthy/internal/totp"
)

// Limits of this project for a micro service's verification.
const (
	verifyAtMost     = 1.8  // times the stand-in's CPU
	verifyFlatAtMost = 1.2  // CPU with a million entries, times that with ten
	verifySlowAtMost = 10.0 // ms, p99 at 70% of the highest rate

	fewServices      = 10
	someServices     = 10_000
	manyServices     = million
	verifyRequests   = 8192 // by turns, so that not one row alone is warm
	half             = 0.5  // of the highest rate
	callersInEntries = 10   // every tenth entry may verify others
)

// benchService is entry i of a bench's database.
type benchService struct {
	name, realm string
	seed        []byte
}

func service(i int) benchService {
	seed := sha1.Sum(fmt.Appendf(nil, "seed of entry %d", i))
	s := benchService{fmt.Sprintf("service-%07d", i), "office", seed[:]}
	if i%callersInEntries == 0 {
		s.realm = "ungleich-auth"
	}
	return s
}

func (s benchService) text() string { return base32.StdEncoding.EncodeToString(s.seed) }

func (s benchService) token() string { return totp.Code(s.seed, totp.Step(time.Now())) }

// verifyRow is POST /ungleichotp/verify/ over kept connections, with so many
// entries.
func verifyRow(entries int) func(*bench) (*result, error) {
	return func(b *bench) (*result, error) {
		p, err := b.verifyPair(entries)
		if err != nil {
			return nil, err
		}
		r, err := b.verifications(p, entries)
		return r, errors.Join(err, p.djauthy.stop(), p.standin.stop())
	}
}

// verifyPair starts both with the same entries.
func (b *bench) verifyPair(entries int) (p *pair, err error) {
	dirs := [2]string{}
	for i := range dirs {
		if dirs[i], err = b.subdir(); err != nil {
			return nil, err
		}
	}
	if err := b.importServices(entries, dirs[0]); err != nil {
		return nil, err
	}
	if err := seedStandinServices(b.ctx, filepath.Join(dirs[1], "standin.db"), entries); err != nil {
		return nil, err
	}
	p = &pair{}
	if p.djauthy, err = b.start(b.djauthy(), dirs[0]); err != nil {
		return nil, err
	}
	if p.standin, err = b.start(b.standin(), dirs[1]); err != nil {
		return nil, errors.Join(err, p.djauthy.stop())
	}
	return p, nil
}

// importServices fills a database by djauthy's own import.
func (b *bench) importServices(entries int, dir string, extra ...string) error {
	b.say("  importing %s entries", count(entries))
	file := filepath.Join(dir, "entries.csv")
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "name,realm,seed")
	for i := range entries {
		s := service(i)
		fmt.Fprintf(w, "%s,%s,%s\n", s.name, s.realm, s.text())
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return err
	}
	return b.commands(dir, extra, []string{"migrate"}, []string{"services", "import", file})
}

func (b *bench) verifications(p *pair, entries int) (*result, error) {
	for _, s := range []*server{p.djauthy, p.standin} { // warm up
		if _, err := sampleOf(s, b.verifies(entries)); err != nil {
			return nil, err
		}
	}
	w, err := b.compare("a service's token verified, "+count(entries)+" entries (stand-in: one JSON body, two indexed reads, two TOTP checks)", p, b.verifies(entries))
	if err != nil {
		return nil, err
	}
	w.AtMost = verifyAtMost
	r := &result{Works: []work{w}}
	if entries != someServices {
		return r, nil
	}
	for _, share := range []float64{seventyPercent, half} {
		at := fmt.Sprintf("at %.0f%% of ", 100*share)
		rates := map[*server]float64{p.djauthy: share * w.Djauthy.Rate, p.standin: share * w.Standin.Rate}
		slow, err := b.compare("the same, arrivals "+at+"that rate", p, func(s *server) (*outcome, error) {
			return openLoop(b.ctx, checkers, rates[s], b.part, nil, asker(s, verifyTexts(s, entries)))
		})
		if err != nil {
			return nil, err
		}
		f := figure{Name: "verify p99 " + at + "the highest rate", Unit: "ms", Djauthy: slow.Djauthy.P99, Beside: slow.Standin.P99}
		if share == seventyPercent {
			f.AtMost = verifySlowAtMost
		}
		r.Works, r.Figures = append(r.Works, slow), append(r.Figures, f)
	}
	return r, nil
}

// verifies is the load of many connections. Tokens are made anew for each part.
func (b *bench) verifies(entries int) load {
	return func(s *server) (*outcome, error) {
		return closedLoop(b.ctx, checkers, b.part, asker(s, verifyTexts(s, entries)))
	}
}

// verifyTexts are requests of random callers about random entries, good now and
// for a minute and a half.
func verifyTexts(s *server, entries int) []string {
	texts := make([]string, verifyRequests)
	for i := range texts {
		by, of := service(rand.N((entries+callersInEntries-1)/callersInEntries)*callersInEntries), service(rand.N(entries))
		body := fmt.Sprintf(`{"auth_name":%q,"auth_realm":%q,"auth_token":%q,"name":%q,"realm":%q,"token":%q}`, by.name, by.realm, by.token(), of.name, of.realm, of.token())
		texts[i] = fmt.Sprintf("POST /ungleichotp/verify/ HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", s.addr, len(body), body)
	}
	return texts
}

// verifyFlatRow holds a million entries against ten.
func verifyFlatRow(b *bench) (*result, error) {
	var servers []*server
	entries := map[*server]int{}
	for _, n := range []int{fewServices, manyServices} {
		dir, err := b.subdir()
		if err == nil {
			err = b.importServices(n, dir)
		}
		var s *server
		if err == nil {
			s, err = b.start(b.djauthy(), dir)
		}
		if err != nil {
			return nil, errors.Join(err, stopAll(servers))
		}
		servers, entries[s] = append(servers, s), n
	}
	verify := func(s *server) (*outcome, error) { return b.verifies(entries[s])(s) }
	samples, err := b.takeTurns(servers, verify)
	if err = errors.Join(err, stopAll(servers)); err != nil {
		return nil, err
	}
	r := &result{}
	for i, s := range servers {
		r.Works = append(r.Works, work{Name: "a service's token verified, " + count(entries[s]) + " entries", Djauthy: median(samples[i])})
	}
	few, many := r.Works[0].Djauthy, r.Works[1].Djauthy
	r.Figures = []figure{{
		Name: "CPU of a verification with " + count(manyServices) + " entries", Unit: "ms", Djauthy: many.CPU, Beside: few.CPU,
		Against: "with " + count(fewServices), AtMost: verifyFlatAtMost * few.CPU,
	}}
	return r, nil
}

// verifyPostgresRow is verification on PostgreSQL, its CPU included.
func verifyPostgresRow(b *bench) (*result, error) {
	c, err := b.openCluster()
	if err != nil || c == nil {
		return nil, err
	}
	extra := []string{"DJAUTHY_DATABASE=" + c.url, "DJAUTHY_SECRET_KEY=" + benchKey}
	dir, err := b.subdir()
	if err == nil {
		err = b.importServices(someServices, dir, extra...)
	}
	var s *server
	if err == nil {
		s, err = b.start(b.djauthy(), dir, extra...)
	}
	if err != nil {
		return nil, errors.Join(err, c.clean())
	}
	s.others = c.cpu
	m, err := b.takeTurns([]*server{s}, b.verifies(someServices))
	if err = errors.Join(err, s.stop(), c.clean()); err != nil {
		return nil, err
	}
	return &result{Works: []work{{Name: "a service's token verified on PostgreSQL, " + count(someServices) + " entries, its CPU included", Djauthy: median(m[0])}}}, nil
}
