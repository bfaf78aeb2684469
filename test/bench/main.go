// Command bench measures djauthy and writes docs/performance.md.
//
// The figure that counts is the server's CPU time for an operation as a
// multiple of what a bare stand-in needs for the same: that ratio travels
// between machines, operations per second do not. So djauthy and the stand-in
// run by turns on one CPU, and this program drives them from another, where
// the SMTP server that takes their mail runs, too.
//
// It changes nothing outside a temporary directory, docs/performance.md and
// .cache/bench. It does not judge: figures that miss their limit are marked,
// and only failed operations are an error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the bench itself, or one of the parts of it that are processes under
// measurement.
func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "standin":
			return runStandin(args[1:])
		case "commits":
			return runCommits(args[1:])
		case "decisions":
			return runDecisions(args[1:])
		case "ecdsa":
			return runECDSA(args[1:])
		}
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := openBench(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(b.measure(), b.close())
}

type options struct {
	binary string // djauthy; "": build it
	only   *regexp.Regexp
	rounds int
	part   time.Duration
	full   bool
	fresh  bool
	report bool
}

func parseOptions(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("run", "", "measure only the rows whose name matches this `regexp`, and write no document")
	binary := flags.String("djauthy", "", "measure this `program` instead of building one, with its symbols for a profiler, say")
	rounds := flags.Int("rounds", 5, "how often the two take turns; medians are shown")
	seconds := flags.Float64("seconds", 2, "how long each measured part takes")
	full := flags.Bool("full", false, "measure the long rows too; rows that this build has finished are skipped")
	report := flags.Bool("report", false, "measure nothing: write the document from the rows that are kept, with the build of each")
	fresh := flags.Bool("fresh", false, "with -full: measure finished rows again")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o = options{binary: *binary, rounds: *rounds, part: time.Duration(*seconds * float64(time.Second)), full: *full, fresh: *fresh, report: *report}
	if *rounds < 1 || *seconds <= 0 || flags.NArg() > 0 {
		return o, errors.New("-rounds and -seconds must be positive, and there are no other arguments")
	}
	if o.binary != "" {
		if o.binary, err = filepath.Abs(o.binary); err != nil {
			return o, err
		}
	}
	if *only != "" {
		o.only, err = regexp.Compile(*only)
	}
	return o, err
}

// driverProcs is one: more would only take turns on the driver's one CPU.
const driverProcs = 1

// pinDriver chooses a CPU for servers and one for the driver, and moves there.
func pinDriver() (serverCPU int, shared bool, err error) {
	cpus, err := allowedCPUs()
	if err != nil {
		return 0, false, err
	}
	runtime.GOMAXPROCS(driverProcs)
	return cpus[0], len(cpus) == 1, pinSelf(cpus[min(1, len(cpus)-1)])
}
