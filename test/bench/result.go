package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// result is what one row found.
type result struct {
	Row     string
	Build   string // of djauthy
	Taken   time.Time
	Rounds  int
	Part    time.Duration // how long each measured part took
	Works   []work
	Figures []figure
}

// work is an operation that was done many times. Standin is nil where the
// stand-in has nothing like it.
type work struct {
	Name    string
	Djauthy sample
	Standin *sample
	Ratio   float64 // CPU as a multiple of the stand-in's
	AtMost  float64 // limit of Ratio; 0: none is set
}

// sample is what one server did under one load.
type sample struct {
	CPU      float64 // ms for an operation
	Rate     float64 // operations a second
	P50, P99 float64 // ms
	Failed   int
	Error    string // of the first that failed
}

// figure is any other number. Beside is what it is held against: the
// stand-in's, or what Against says.
type figure struct {
	Name    string
	Unit    string
	Djauthy float64
	Beside  float64 // 0: nothing
	Against string  // "" is the stand-in
	AtMost  float64 // 0: no limit is set
}

// failure reports operations that failed: the load must be served whole.
func (r *result) failure() error {
	var err error
	for _, w := range r.Works {
		for name, s := range map[string]*sample{"djauthy": &w.Djauthy, "stand-in": w.Standin} {
			if s != nil && s.Failed > 0 {
				err = errors.Join(err, fmt.Errorf("%s, %s: %d failed, the first: %s", w.Name, name, s.Failed, s.Error))
			}
		}
	}
	return err
}

// median takes each column's median by itself; failures add up.
func median(samples []sample) sample {
	var m sample
	column := func(get func(*sample) *float64) {
		values := make([]float64, len(samples))
		for i := range samples {
			values[i] = *get(&samples[i])
		}
		*get(&m) = middle(values)
	}
	column(func(s *sample) *float64 { return &s.CPU })
	column(func(s *sample) *float64 { return &s.Rate })
	column(func(s *sample) *float64 { return &s.P50 })
	column(func(s *sample) *float64 { return &s.P99 })
	for _, s := range samples {
		m.Failed += s.Failed
		if m.Error == "" {
			m.Error = s.Error
		}
	}
	return m
}

func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[n/2] + values[(n-1)/2]) / 2
}

// kept is the file of finished rows.
type kept struct {
	path    string
	Results map[string]*result
}

func openKept(path string) (*kept, error) {
	k := &kept{path: path, Results: map[string]*result{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &k.Results); err != nil {
		return nil, fmt.Errorf("read %s: %w (delete it to begin anew)", path, err)
	}
	return k, nil
}

// put keeps a result at once: a long run may be interrupted after any row.
func (k *kept) put(r *result) error {
	k.Results[r.Row] = r
	text, err := json.MarshalIndent(k.Results, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(k.path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(k.path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(k.path+".new", k.path)
}
