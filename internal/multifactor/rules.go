package multifactor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/djauthy/djauthy/internal/db"
)

// Levels returns all levels, by name.
func Levels(tx *db.Tx) ([]Level, error) {
	all, err := db.All(tx, func(l *Level, scan db.Scan) error {
		var need, valid string
		if err := scan(&l.Name, &l.Rank, &need, &valid); err != nil {
			return err
		}
		return errors.Join(json.Unmarshal([]byte(need), &l.Need), json.Unmarshal([]byte(valid), &l.Valid))
	}, `SELECT name, rank, need, valid FROM levels ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read levels: %w", err)
	}
	byName := map[string]*Level{}
	for i := range all {
		byName[all[i].Name] = &all[i]
	}
	err = tx.Each(func(scan func(...any) error) error {
		var name string
		var thing Thing
		if err := scan(&name, &thing.Kind, &thing.Name); err != nil {
			return err
		}
		byName[name].For.Add(thing)
		return nil
	}, `SELECT level, kind, name FROM level_guards ORDER BY level, kind, name`)
	for i := range all {
		all[i] = all[i].Normal()
	}
	return all, err
}

// SetLevel stores a level, in place of one of its name. The caller has checked it.
func SetLevel(tx *db.Tx, l Level) error {
	l = l.Normal()
	need, err := json.Marshal(l.Need)
	if err != nil {
		return err
	}
	valid, err := json.Marshal(l.Valid)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO levels (name, rank, need, valid) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET rank = excluded.rank, need = excluded.need, valid = excluded.valid`, l.Name, l.Rank, string(need), string(valid)); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM level_guards WHERE level = $1`, l.Name); err != nil {
		return err
	}
	for _, thing := range l.For.Things() {
		if _, err := tx.Exec(`INSERT INTO level_guards (level, kind, name) VALUES ($1, $2, $3)`, l.Name, thing.Kind, thing.Name); err != nil {
			return err
		}
	}
	return bump(tx)
}

// DeleteLevel removes a level, or returns db.ErrNotFound.
func DeleteLevel(tx *db.Tx, name string) error {
	n, err := tx.Exec(`DELETE FROM levels WHERE name = $1`, name)
	if err == nil && n == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return err
	}
	return bump(tx)
}

// Guarding returns the names of the levels that guard a thing.
func Guarding(tx *db.Tx, thing Thing) ([]string, error) {
	return db.All(tx, db.One[string], `SELECT level FROM level_guards WHERE kind = $1 AND name = $2 ORDER BY level`, thing.Kind, thing.Name)
}

// generationKey is the fact under which the generation of all levels is stored.
const generationKey = "levels"

// GenerationColumn is a column of a query of another package that brings the generation of
// all levels along, "" before the first; see Book.
var GenerationColumn = db.MetaColumn(generationKey)

// bump begins another generation, so that every process reads the levels again. A generation
// that was rolled back never comes again: another process may have read it.
func bump(tx *db.Tx) error {
	return tx.SetMeta(generationKey, strconv.FormatInt(int64(tx.NewID()), 10))
}

// Rules are all levels, made ready to be asked. They do not change.
type Rules struct {
	generation string
	levels     []*Level
	byName     map[string]*Level
	guards     map[Thing][]*Level
}

// NewRules makes levels ready to be asked.
func NewRules(levels []Level) *Rules {
	r := &Rules{byName: map[string]*Level{}, guards: map[Thing][]*Level{}}
	for i := range levels {
		l := &levels[i]
		r.levels = append(r.levels, l)
		r.byName[l.Name] = l
		for _, thing := range l.For.Things() {
			r.guards[thing] = append(r.guards[thing], l)
		}
	}
	return r
}

// Level returns a level by its name, or nil.
func (r *Rules) Level(name string) *Level { return r.byName[name] }

// Levels returns all levels.
func (r *Rules) Levels() []*Level { return r.levels }

// For returns the rules of everything that somebody wants at once. A thing of the kind
// ByName asks for that level; known is false if there is none of the name.
func (r *Rules) For(things ...Thing) (rules []Rule, known bool) {
	known = true
	for _, thing := range things {
		guards := r.guards[thing]
		if thing.Kind == ByName {
			l := r.byName[thing.Name]
			if l == nil {
				known = false
				continue
			}
			guards = []*Level{l}
		}
		for _, l := range guards {
			rules = append(rules, Rule{l, thing})
		}
	}
	return rules, known
}

// Changed lists what other rules guard in another way.
func (r *Rules) Changed(other *Rules) (things []Thing) {
	for thing, mine := range r.guards {
		theirs := other.guards[thing]
		same := len(mine) == len(theirs) && !slices.ContainsFunc(mine, func(l *Level) bool {
			o := other.byName[l.Name]
			return o == nil || !slices.Contains(theirs, o) || !l.asksAs(*o)
		})
		if !same {
			things = append(things, thing)
		}
	}
	for thing := range other.guards {
		if _, both := r.guards[thing]; !both {
			things = append(things, thing)
		}
	}
	return things
}

// Book keeps the rules in memory, and reads them again when their generation in the database
// is another. So a change holds in every process from its commit on.
type Book struct{ rules atomic.Pointer[Rules] }

// Rules returns the rules of a generation, which the caller has read in this transaction.
func (b *Book) Rules(tx *db.Tx, generation string) (*Rules, error) {
	if r := b.rules.Load(); r != nil && r.generation == generation {
		return r, nil
	}
	levels, err := Levels(tx)
	if err != nil {
		return nil, err
	}
	r := NewRules(levels)
	r.generation = generation
	b.rules.Store(r)
	return r, nil
}

// Current returns the rules as this transaction sees them.
func (b *Book) Current(tx *db.Tx) (*Rules, error) {
	generation, err := tx.Meta(generationKey)
	if err != nil {
		return nil, err
	}
	return b.Rules(tx, generation)
}
