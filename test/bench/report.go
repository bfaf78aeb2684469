package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report prints what was measured and, when all rows were asked for, writes
// docs/performance.md.
func (b *bench) report(results []*result) error {
	var out bytes.Buffer
	writeWorks(&out, results)
	writeFigures(&out, results)
	b.writeNotes(&out, results)
	if _, err := os.Stdout.Write(out.Bytes()); err != nil || b.only != nil {
		return err
	}
	docs := filepath.Join(b.root, "docs")
	if err := os.MkdirAll(docs, 0o755); err != nil {
		return err
	}
	head := "# Performance\n\nMade by `make bench`; not edited by hand.\n\n"
	return os.WriteFile(filepath.Join(docs, "performance.md"), append([]byte(head), out.Bytes()...), 0o644)
}

func writeWorks(out *bytes.Buffer, results []*result) {
	fmt.Fprint(out, "## Work\n\n"+
		"| work | x the stand-in's CPU | at most | | djauthy: ms CPU | per second | p50 ms | p99 ms | stand-in: ms CPU | per second | p50 ms | p99 ms | failed |\n"+
		"|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		for _, w := range r.Works {
			failed := w.Djauthy.Failed
			if w.Standin != nil {
				failed += w.Standin.Failed
			}
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %d |\n",
				w.Name, times(w.Ratio), times(w.AtMost), verdict(w.Ratio, w.AtMost), w.Djauthy.cells(), w.Standin.cells(), failed)
		}
	}
}

func (s *sample) cells() string {
	if s == nil {
		return "– | – | – | –"
	}
	return strings.Join([]string{digits(s.CPU), count(int(math.Round(s.Rate))), digits(s.P50), digits(s.P99)}, " | ")
}

func writeFigures(out *bytes.Buffer, results []*result) {
	fmt.Fprint(out, "\n## Other figures\n\n| figure | djauthy | stand-in, or what it is held against | at most | |\n|---|--:|--:|--:|---|\n")
	for _, r := range results {
		for _, f := range r.Figures {
			beside := f.amount(f.Beside)
			if f.Against != "" {
				beside += " " + f.Against
			}
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", f.Name, f.amount(f.Djauthy), beside, f.amount(f.AtMost), verdict(f.Djauthy, f.AtMost))
		}
	}
}

func (f figure) amount(v float64) string {
	if v == 0 {
		return "–"
	}
	return strings.TrimSpace(digits(v) + " " + f.Unit)
}

// verdict marks what misses its limit.
func verdict(v, atMost float64) string {
	switch {
	case atMost == 0 || v == 0:
		return ""
	case v <= atMost:
		return "ok"
	default:
		return "**over**"
	}
}

func times(ratio float64) string {
	if ratio == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", ratio)
}

// digits writes three figures that count.
func digits(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v >= 1000:
		return count(int(math.Round(v)))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.4f", v)
	}
}

func (b *bench) writeNotes(out *bytes.Buffer, results []*result) {
	fmt.Fprintf(out, "\n## How it was taken\n\n%s\n\n", strings.TrimSpace(howTaken))
	fmt.Fprintf(out, "Machine: %s, %d CPUs, %s, Linux %s, %s; databases on %s. %s of %s; build %s of djauthy, %s.\n",
		processor(), cpuCount(), memoryTotal(), kernel(), runtime.Version(), fileSystem(b.dir), many(b.rounds, "round"), b.part, b.build, time.Now().UTC().Format(time.DateOnly))
	if b.oneCPU {
		fmt.Fprint(out, "\n**This machine has one CPU: driver and servers disturbed each other.**\n")
	}
	var others []string // with another build, each with its rows
	rows := map[string][]string{}
	for _, r := range results {
		if r.Build == b.build {
			continue
		}
		with := fmt.Sprintf("on %s with build %s", r.Taken.Format(time.DateOnly), r.Build)
		if rows[with] == nil {
			others = append(others, with)
		}
		rows[with] = append(rows[with], r.Row)
	}
	for _, with := range others {
		fmt.Fprintf(out, "\nTaken %s: %s.\n", with, strings.Join(rows[with], ", "))
	}
	if len(others) > 0 {
		fmt.Fprint(out, "\nRows of different builds may come from machines of different speed: their multiples compare, their milliseconds do not.\n")
	}
	if missing := missingRows(results); b.only == nil && len(missing) > 0 {
		hint := "`make bench-full`"
		if slices.Contains(missing, "postgres") {
			hint += "; postgres needs Debian's package or DJAUTHY_TEST_POSTGRES"
		}
		fmt.Fprintf(out, "\nNot measured here: %s (%s).\n", strings.Join(missing, ", "), hint)
	}
	fmt.Fprintf(out, "\n## What bounds a sign-in\n\n%s\n", strings.TrimSpace(bounds))
}

// bounds explains the figures that are over their limits. It was written by hand
// from profiles of both programs; a new profile belongs to every new text.
const bounds = `
CPU profiles of both programs under 64 browsers (8 s each, 2026-11-29), in ms for one sign-in:

| part | djauthy | stand-in |
|---|--:|--:|
| mail: the message is made and sent over a kept connection | 0.05 | 0.09 |
| HTTP: four requests, read, handled and written | 0.12 | 0.06 |
| reading the attempt for the code page | 0.01 | – |
| writer: WAL frames and fsync | 0.05 | 0.02 |
| writer: statements, the driver around them, and our code between them | 0.14 | 0.04 |
| garbage collection | 0.02 | 0.01 |
| scheduler and the rest | 0.02 | 0.02 |

The stand-in writes three rows and changes one. djauthy writes twelve: four budgets on the way in and one for the try, which a success gives back; user
and account; the attempt with its code; the sealed message; the session; its proof; and one line of history, which the success completes. These are what no telling, no lock-out and no
lost message are made of. HTTP costs more for nine security headers, the checks around every request, the browser's sealed cookie and the discovery of the id.
Mail costs less: djauthy fills the values into a header that go-mail has made once, and sends the envelope of a message in one write to servers that offer PIPELINING
(RFC 2920), as this bench's does; go-mail, and so the stand-in, does not.

Before 2026-11-29 it was 0.54 ms and 1.96 times the stand-in, in turns with this build on one machine. What brought it down: codes in the row of their attempt, history in one
line, budgets of two rates in a row, SQLite's own functions in place of database/sql, the header of messages made once, and a writer that lets handlers which are ready add their Update to the next commit.

The 99th percentile at 70% of the highest rate is that of a queue: because one at a time costs more than many at once, either server is then 90 to 95% busy, and every
sign-in waits for others that cost as much as itself. So it follows the multiple of the CPU, and what comes in bursts adds to it: a collection of garbage, and every 4,000 pages a checkpoint of SQLite's WAL, for which the writer
stops. Without checkpoints it was 23 to 30 ms beside 25 to 42 (three turns each); a checkpoint by another goroutine would gain that, and is not built.

A lone browser costs both programs about three times the CPU that each of 64 does: with nothing else to do, every hand-over between goroutines and every
fsync sleeps and wakes a thread. Its time follows the machine's neighbours: from 1.5 ms (stand-in 1.1) to 3.5 ms (stand-in 1.6) in runs of two days.

Memory is the pages of the program itself (19 to 21 MiB), SQLite's caches and what the collector lets grow. A page in a cache of SQLite takes 8 KB, twice its size. With 4 MB for the writer and
1 MB for a reader a server held 54.9 MiB at the end of a minute of sign-ins by 64 connections, with 2 MB and 500 KB, as it is, 47.1; CPU and latencies did not differ. The row of 64 connections
above is of some seconds, before caches and heap have grown.

The stand-in is leaner than the one by which the limit of 1.6 was set: that one cost 33 times as much as its own session check, this one 10 to 14 times.

## What bounds a verification

CPU profile of djauthy with 10,000 entries and 64 connections (6 s, 2026-11-27), 0.058 ms for one:

| part | share |
|---|--:|
| reading both rows: SQLite's two searches and its lock | 19% |
| the driver around them: columns, bindings, copies | 10% |
| comparing twice seven tokens | 8% |
| opening the sealed seeds, watching guesses, noting the use | 9% |
| writing the answer to the socket, by the kernel | 21% |
| the rest of HTTP: fasthttp, Fiber, headers, the door's checks, the body | 28% |
| garbage collection | 5% |

A million entries cost 12 to 17 microseconds more than ten. They are 140 MB of rows in 34,000 pages, so that both searches end in pages that are in no cache of a CPU nor of SQLite and are
read by a system call each; of ten, everything is at hand. A mapped file in place of reads was tried and did not help. A cheaper verification makes the multiple larger:
the difference is that of two reads from memory that is not at hand, whatever the rest costs.

Under random arrivals at 70% of the highest rate a server on one CPU is 80 to 90% busy, its threads take turns of milliseconds, and each collection of garbage leaves
a queue: so with the stand-in, too. At half of the rate the 99th percentile is within 10 ms; with both CPUs for both and 8,000 a second it was 3 to 4 ms.

## What bounds a visit of a site

CPU profile of djauthy at a site on its own host, with 1,000 rules and 64 connections (8 s on a busy machine, 2026-11-30), 1.5 times the stand-in:

| part | share |
|---|--:|
| the look whether anybody has committed, which takes the lock of readers and gives it back | 13% |
| the session, its groups and its proofs, as they are kept | 4% |
| deciding: the rules are looked up, and proofs held against them | 6% |
| which site and path it is, and the cookie | 8% |
| headers that say who it is, of which the signed one is a third | 5% |
| writing the answer to the socket and reading the request from it, by the kernel | 24% |
| the rest of HTTP: fasthttp, Fiber, headers, the door's checks | 37% |
| garbage collection | 3% |

The stand-in reads once, decides nothing and answers with three lines. Rows are kept while nobody commits ([why](decisions/kept-reads.md)); where another process commits all the time they are read anew for nearly each request, and reading is a third of the whole.

## A million people moved

By ` + "`go test ./cmd/djauthy -run '^$' -bench MillionAccounts -benchtime 1x -timeout 30m`" + ` on 2026-11-29, with other work on both CPUs; the commands held at most 47 MiB:

| work | seconds |
|---|--:|
| backup of SQLite, read back and compared (a file of 25.9 MB) | 31.5 |
| restore into SQLite | 45.4 |
| copy from SQLite to PostgreSQL | 79.0 |
| copy from PostgreSQL to SQLite | 38.8 |
`

const howTaken = `
The figure that travels between machines is the server's CPU time for an operation as a multiple of the stand-in's; operations per second and
percentiles suffer from neighbours. The stand-in is a bare, correct program on the same libraries (Fiber, SQLite with WAL, synchronous=FULL and group
commit, go-mail with kept connections): it answers the same requests with static pages, makes the same two commits durable and sends a mail of the same size, and does nothing
else. Its session check is one indexed read and join, its smallest answer is bare Fiber.

djauthy and the stand-in run by turns, each alone on one CPU; the load driver and the SMTP server that takes the mails run on another. Each
column is the median of its rounds, and the multiple the median of the rounds' multiples. CPU is the process's own clock, user and kernel, from the first request to the last answer. A whole sign-in is GET
/login, POST /login, GET /login/code, the arrival of the mail, and POST /login/code, over a kept connection, without cookies, by an address that was never seen. Latencies under random arrivals count
from the moment a request was due; whoever finds all 64 connections busy waits for one, and that counts, too. One at a time costs a server more than many at once, so 70% of the highest
rate is 80 to 95% of its CPU. All limits per address are lifted, because all browsers come from one. Servers have two Go processors. PostgreSQL has fsync on, and the CPU of all its processes counts.

Sign-ins by Jabber and by a web hook take turns with mailed ones at one server; their receivers are in the driver's process, as the mail's is, so that they are not held against the stand-in. During discovery ten ids a second of one host are typed
by one network, which has four requests to a domain at once; whoever finds them taken is told to wait. Of the 200 messages by Jabber most wait in the outbox: 14 are at the server, which takes messages and answers nothing.

A rule is a factor level that guards a permission, a group and a site. A decision alone is what the server does in memory for each request: the rules of what is asked are looked up, and the proofs of a session are held against them. Its CPU is that of
a process that does nothing else; the same with ten rules is its limit. Session checks with rules are made by turns at three servers, of which two were given a file of 1,000 rules by levels apply; where one of them is asked for by its name, the proofs of the
session are read, too. A site on its own host has a cookie of its own, four rules by path and one level for all of it; its visitors have one session each, whose signed header is made twice a minute. The stand-in gets the same headers, and answers as it does to a session check. The process that commits changes one number that nobody reads; each such commit has a server drop the pages and rows that it keeps.

A sign-in by passkey is GET /login, GET /login/passkey for the challenge, and POST /login/passkey, in a browser without cookies, by a key in the driver (ES256, with user verification and a counter). The stand-in reads the key, checks the one signature, the origin, the
Relying Party and its own MAC of the challenge, and makes durable that the challenge is used up, the counter and the session. The bare check of a signature is taken by a process of its own in the same run.
`

// missingRows are the rows that the report should have and does not.
func missingRows(results []*result) (missing []string) {
	have := map[string]bool{}
	for _, r := range results {
		have[r.Row] = true
	}
	for _, r := range rows() {
		if !have[r.name] {
			missing = append(missing, r.name)
		}
	}
	return missing
}

func processor() string { return procLine("/proc/cpuinfo", "model name") }

func memoryTotal() string {
	var kib float64
	if _, err := fmt.Sscanf(procLine("/proc/meminfo", "MemTotal"), "%g kB", &kib); err != nil {
		return "memory unknown"
	}
	return fmt.Sprintf("%.0f GiB of memory", kib/(1<<20))
}

func cpuCount() int { return runtime.NumCPU() }

// procLine is the value of the first line that begins with key.
func procLine(file, key string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown"
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
