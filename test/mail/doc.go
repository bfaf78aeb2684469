// Package mail holds tests of djauthy against real mail servers: Debian's
// Postfix, started by the tests from files of their own, and servers that ask
// for TLS and a password.
package mail
