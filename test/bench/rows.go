package main

// row is one measurement. Long rows are left to -full.
type row struct {
	name string
	long bool
	run  func(*bench) (*result, error)
}

// rows lists all measurements in the order of the report. Long ones come last:
// a run that is interrupted has the others by then.
func rows() []row {
	return []row{
		{"signin-64", false, signInRow(64)},
		{"signin-1", false, signInRow(1)},
		{"signin-16", false, signInRow(16)},
		{"signin-256", false, signInRow(256)},
		{"session", false, sessionRow},
		{"session-rules", false, sessionRulesRow},
		{"session-site", false, siteRow},
		{"passkey", false, passkeyRow},
		{"smallest", false, smallestRow},
		{"decisions", false, decisionsRow},
		{"postgres", false, postgresRow},
		{"verify-10k", false, verifyRow(someServices)},
		{"verify-10", false, verifyRow(fewServices)},
		{"verify-flat", false, verifyFlatRow},
		{"verify-postgres", false, verifyPostgresRow},
		{"bus", false, busRow},
		{"channels", false, channelsRow},
		{"discover", false, discoverRow},
		{"memory-jabber", false, jabberMemoryRow},
		{"commits", false, commitRow},
		{"memory", false, memoryRow},
		{"start", false, startRow},
		{"binary", false, binaryRow},
		{"sweep", false, sweepRow},
		{"grow-1m", false, growthRow(million)},
		{"memory-million", true, millionRow},
		{"grow-10m", true, growthRow(10 * million)},
	}
}
