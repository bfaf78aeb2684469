// Package crash holds tests which kill djauthy at random moments under load
// and then look for what it had promised, and tests which hold what hostile requests
// cost it.
package crash
