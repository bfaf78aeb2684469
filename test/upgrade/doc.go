// Package upgrade holds tests which bring the databases of earlier releases up to
// date and then use them as people, services and administrators do.
//
// testdata has a directory for each release: for each engine a database and a
// backup that the release's own binary wrote, and in a JSON file what people and
// services hold of it (cookies, codes, links, seeds). Everything is checked from
// outside, by HTTP and by commands; no test knows a table.
//
// What was saved has an age of its own: a code lives ten minutes, a session at most
// thirty days. So that codes and sessions of a release of years ago still count,
// most tests run a djauthy whose clock stands at the moment of saving (see clock).
// It is built from today's sources with one replaced: the line of internal/db that
// names its clock, the only one by which djauthy judges what has expired. No stored
// time is changed. One test runs the unchanged binary by the wall clock, and
// requires only what holds at any time.
package upgrade
