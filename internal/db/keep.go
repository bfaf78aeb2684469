package db

// Key names something that Keep keeps.
type Key struct {
	What string // "session"
	ID   ID     // of the row it is about
	More string // what tells it from others of that row, or ""
}

// kept is what a reader of SQLite has read, for as long as nobody has changed the database.
type kept struct {
	state int64 // of the database, by its counter of changes
	all   map[Key]any
}

// maxKept bounds what one reader keeps. A session with its user takes half a kilobyte.
const maxKept = 4096

// at drops what was read in another state of the database.
func (k *kept) at(state int64) {
	if state != k.state {
		k.state = state
		clear(k.all)
	}
}

// Keep returns what read returned the last time for this key, if nobody has changed the
// database since, and else calls it. Whoever gets the value must not change what it refers to,
// and read may depend on nothing but the key and the database: not on the time.
//
// It keeps nothing in an Update, nothing on PostgreSQL, and no errors.
//
// A value is as good as one that is read: a view of SQLite begins with a look at the counter of
// changes in the memory that all its processes share, by which it also knows whether the pages
// in its own memory are still those of the file (https://sqlite.org/pragma.html#pragma_data_version).
func Keep[T any](tx *Tx, key Key, read func() (T, error)) (T, error) {
	l, ok := tx.conn.(*liteConn)
	if !ok || l.kept == nil {
		return read()
	}
	if known, ok := l.kept.all[key]; ok && tx.failed == nil {
		return known.(T), nil //nolint:forcetypeassert // what a key names has one type
	}
	value, err := read()
	if err != nil {
		return value, err
	}
	if len(l.kept.all) >= maxKept {
		clear(l.kept.all)
	}
	l.kept.all[key] = value
	return value, nil
}
