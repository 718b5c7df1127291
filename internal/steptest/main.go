// Command steptest executes the tests of steps: what stands in projects/library/steps/NAME/test.yaml.
//
//	test.yaml ──> a work directory: one root project for each kind of root, a project below it for each test
//	                 before ── step ── step again ── after       one node each
//	              ──> xtoo build --json, once for each root ──> what failed, with the end of what it printed
//
//	go run ./internal/steptest -xtoo bin/xtoo -mini FILE [-debian FILE] [-busybox FILE] [-steps users,groups]
//
// The second time, a step must change nothing. A test with `fails` is a work directory of its own, since what is wrong with it may be
// found before anything is built. Tests of a root that is not given are counted as left out. The store is that of
// $XTOO_STORE, else one that goes with the work directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

// options are the flags.
type options struct {
	xtoo  string
	roots map[string]string // kinds of roots, and their files
	steps []string          // nil: all
	work  string
	keep  bool
	all   bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	o := options{roots: map[string]string{}}
	f := flag.NewFlagSet("steptest", flag.ContinueOnError)
	f.StringVar(&o.xtoo, "xtoo", "bin/xtoo", "the `program`")
	files := map[string]*string{}
	for _, root := range rootKinds() {
		files[root] = f.String(root, "", "tarball of the root "+root)
	}
	steps := f.String("steps", "", "only these steps, with commas between them")
	f.StringVar(&o.work, "work", "", "work `directory`, which is kept (default: a new one)")
	f.BoolVar(&o.keep, "keep", false, "keep the work directory")
	f.BoolVar(&o.all, "all", false, "every root must be given")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	var err error
	if o.xtoo, err = filepath.Abs(o.xtoo); err != nil {
		return o, err
	}
	for root, file := range files {
		if *file == "" {
			continue
		}
		if o.roots[root], err = filepath.Abs(*file); err != nil {
			return o, err
		}
	}
	if *steps != "" {
		o.steps = strings.Split(*steps, ",")
	}
	if len(o.roots) == 0 {
		return o, errors.New("no root to test in: -mini FILE, -debian FILE or -busybox FILE")
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	tests, without, err := readTests(o.steps)
	if err != nil {
		return err
	}
	if o.keep = o.keep || o.work != ""; o.work == "" {
		if o.work, err = os.MkdirTemp("", "steptest-"); err != nil {
			return err
		}
	}
	if !o.keep {
		defer func() { err = errors.Join(err, removeWork(ctx, o)) }()
	}
	failed, left := len(without), 0
	for _, step := range without {
		fmt.Fprintf(out, "--- FAIL: %s has no tests\n", step)
	}
	report := func(t *test, problem string) {
		if problem == "" {
			fmt.Fprintf(out, "--- PASS: %s\n", t.title())
			return
		}
		failed++
		fmt.Fprintf(out, "--- FAIL: %s\n    %s\n", t.title(), strings.ReplaceAll(strings.TrimRight(problem, "\n"), "\n", "\n    "))
	}
	for _, root := range rootKinds() {
		var of []*test
		for _, t := range tests {
			if t.root == root {
				of = append(of, t)
			}
		}
		if o.roots[root] == "" {
			left += len(of)
			continue
		}
		if err := testRoot(ctx, o, root, of, report); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d tests executed, %d failed, %d left out for want of their root\n", len(tests)-left, failed, left)
	if o.keep {
		fmt.Fprintf(out, "the work directory is %s\n", o.work)
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%d failed", failed)
	case left > 0 && o.all:
		return fmt.Errorf("%d tests were left out", left)
	}
	return nil
}
