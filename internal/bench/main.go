// Command bench measures what a build costs against what the same work costs with the tools everyone has, and
// prints a Markdown table with the ratios and the limits that the project sets itself.
//
//	go run ./internal/bench -stage3-full FILE -stage3-mini FILE [-stage3-arm FILE] [-runs 5] [-strict]
//
// Each comparison is measured side by side in one run: ours, theirs, ours, theirs …, and the median of each counts.
// Times are wall times of whole processes; memory is the largest resident set of any one process (rusage of the child
// and of what it waited for). Without stage3s of your own it uses the demo's, which is far too small to judge by: the
// table says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.xtoo, "xtoo", "bin/xtoo", "the `PROGRAM` to measure")
	flag.StringVar(&o.full, "stage3-full", "", "a full stage3 `FILE` (.tar.xz)")
	flag.StringVar(&o.mini, "stage3-mini", "", "a small stage3 `FILE`")
	flag.StringVar(&o.arm, "stage3-arm", "", "a small stage3 `FILE` for arm-64bit: measures emulation, too, by qemu-aarch64-static")
	flag.IntVar(&o.runs, "runs", 5, "how often each is measured; the median counts")
	flag.BoolVar(&o.strict, "strict", false, "exit with 1 when a limit is missed")
	flag.StringVar(&o.tmp, "tmp", "", "work below this `DIR`, on a disk with room for several unpacked stage3s (default: the system's)")
	flag.Parse()
	if flag.NArg() > 0 || o.runs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	err := run(ctx, o)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	stop()
	os.Exit(1)
}

type options struct {
	xtoo, full, mini, arm, tmp string
	runs                       int
	strict                     bool
}

// errMissed is what -strict makes of a missed limit.
var errMissed = errors.New("a limit is missed")

// run measures everything below a temporary directory of its own, which is removed at the end.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp(o.tmp, "xtoo-bench-")
	if err != nil {
		return err
	}
	b := &bench{options: o, dir: dir}
	// A store may hold files of other ids: xtoo itself can remove them.
	defer func() { err = errors.Join(err, b.cleanUp(ctx)) }()
	if b.xtoo, err = filepath.Abs(o.xtoo); err != nil {
		return err
	}
	if err := b.findStages(ctx); err != nil {
		return err
	}
	var rows []row
	for _, measure := range []func(context.Context) ([]row, error){b.cold, b.sif, b.nothing, b.change, b.emulation} {
		more, err := measure(ctx)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	rows = append(rows, b.memory())
	if err := b.print(os.Stdout, rows); err != nil {
		return err
	}
	for _, r := range rows {
		if o.strict && r.missed() {
			return errMissed
		}
	}
	return nil
}
