// Package crash holds tests which kill djauthy at random moments under load
// and then look for what it had promised.
package crash
