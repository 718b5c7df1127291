// Command bench measures what a build costs against what the same work costs with the tools everyone has, or with another
// build of this program, and prints a Markdown table with the ratios and the limits that the project sets itself.
//
//	go run ./internal/bench -stage3-full FILE -stage3-mini FILE [-stage3-arm FILE] [-base PROGRAM]
//	                        [-rows PATTERN] [-runs 5] [-strict]
//
// Each comparison is measured side by side in one run: ours, theirs, ours, theirs …, and the median of each counts.
// The table says which figure of whole processes a row is about: wall time, CPU time (user and system, with everything that was
// waited for), or memory, the largest resident set of any one process. Without stage3s of your own it uses
// the demo's, which is far too small to judge by: the table says so.
//
// -base names the program as it was before a change; rows about the cost of many nodes compare with it, or say that it is
// missing. -rows picks rows by the names of what is measured together:
//
//	decode     the tar stream of a full stage3, and nothing done with it
//	cold       a full stage3 and three nodes into an OCI layout
//	sif        a SIF from built layers; its size
//	nothing    nothing to do, 20 nodes
//	forest     nothing to do, 1,000 nodes in 200 projects below 20 roots: build and tree, time and memory
//	change     one node that changes one file
//	chain      200 such nodes, one after the other, on a small root and on a full one
//	layers     a project with 200 layers against one with 100
//	files      a node that changes 100,000 files against one that changes 10,000
//	emulation  what xtoo adds to the cost of qemu
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.xtoo, "xtoo", "bin/xtoo", "the `PROGRAM` to measure")
	flag.StringVar(&o.base, "base", "", "another build of it, the `PROGRAM` as it was, to compare with")
	flag.StringVar(&o.full, "stage3-full", "", "a full stage3 `FILE` (.tar.xz)")
	flag.StringVar(&o.mini, "stage3-mini", "", "a small stage3 `FILE`")
	flag.StringVar(&o.arm, "stage3-arm", "", "a small stage3 `FILE` for arm-64bit: measures emulation, too, by qemu-aarch64-static")
	flag.StringVar(&o.rows, "rows", "", "measure only what has a name that matches the regular expression `PATTERN`")
	flag.IntVar(&o.runs, "runs", 5, "how often each is measured; the median counts")
	flag.BoolVar(&o.strict, "strict", false, "exit with 1 when a limit is missed")
	flag.StringVar(&o.tmp, "tmp", "", "work below this `DIR`, on a disk with room for several unpacked stage3s (default: the system's)")
	flag.Parse()
	decodes := flag.NArg() == 2 && flag.Arg(0) == decodeVerb
	if flag.NArg() > 0 && !decodes || o.runs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	var err error
	if decodes {
		err = decodeFile(ctx, flag.Arg(1))
	} else {
		err = run(ctx, o)
	}
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	stop()
	os.Exit(1)
}

type options struct {
	xtoo, base, full, mini, arm, rows, tmp string
	runs                                   int
	strict                                 bool
}

// errMissed is what -strict makes of a missed limit.
var errMissed = errors.New("a limit is missed")

// run measures what was picked below a temporary directory of its own, which is removed at the end.
func run(ctx context.Context, o options) (err error) {
	b := &bench{options: o}
	groups, err := pick(b.groups(), o.rows)
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(o.tmp, "xtoo-bench-"); err != nil {
		return err
	}
	// A store may hold files of other ids: xtoo itself can remove them.
	defer func() { err = errors.Join(err, b.cleanUp(ctx)) }()
	if err := b.findPrograms(); err != nil {
		return err
	}
	if err := b.findStages(ctx); err != nil {
		return err
	}
	var rows []row
	for _, g := range groups {
		more, err := g.rows(ctx)
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

// findPrograms checks that what is to be measured can be executed.
func (b *bench) findPrograms() error {
	for _, p := range []*string{&b.xtoo, &b.base} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		if *p, err = exec.LookPath(abs); err != nil {
			return err
		}
	}
	return nil
}
