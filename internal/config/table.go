package config

// table lists the keys that a table of the document may hold, without the path of the table.
type table struct {
	settings []setting
}
