package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run of everything.
type bench struct {
	options
	dir      string   // everything that is made
	demo     bool     // the stage3s are the demo's
	stores   []string // to be cleaned by xtoo
	peak     int64    // largest resident set of xtoo, in bytes
	peakWhat string
}

// sample is what one process cost.
type sample struct {
	wall time.Duration
	rss  int64 // bytes
}

// command runs a program to its end and measures it. An error holds the end of what it printed.
func command(ctx context.Context, dir string, env []string, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		tail := out.Bytes()
		tail = tail[max(0, len(tail)-4000):]
		return sample{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, tail)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, fmt.Errorf("%s: the system tells no resource usage", args[0])
	}
	return sample{wall, int64(usage.Maxrss) * 1024}, nil //nolint:unconvert // int32 on 32-bit machines; Linux counts in KiB
}

// build runs `xtoo build` on a store and remembers its memory.
func (b *bench) build(ctx context.Context, what, store, workdir string, args ...string) (sample, error) {
	if !slices.Contains(b.stores, store) {
		b.stores = append(b.stores, store)
	}
	args = append([]string{b.xtoo, "build", "-q", "-C", workdir}, args...)
	s, err := command(ctx, b.dir, []string{"XTOO_STORE=" + store, "XTOO_SCRATCH="}, args...)
	if err == nil && s.rss > b.peak {
		b.peak, b.peakWhat = s.rss, what
	}
	return s, err
}

// drop empties a store that is not needed any more.
func (b *bench) drop(ctx context.Context, store string) error {
	if _, err := command(ctx, b.dir, []string{"XTOO_STORE=" + store}, b.xtoo, "clean", "--all"); err != nil {
		return err
	}
	b.stores = slices.DeleteFunc(b.stores, func(s string) bool { return s == store })
	return os.RemoveAll(store)
}

// cleanUp removes everything, also after an interrupt.
func (b *bench) cleanUp(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	for _, s := range slices.Clone(b.stores) {
		if err := b.drop(ctx, s); err != nil {
			return err
		}
	}
	return b.remove(ctx, b.dir)
}

// remove removes what a foreign tool unpacked, which may have directories without permissions.
func (b *bench) remove(ctx context.Context, dir string) error {
	_, err := command(ctx, "", nil, "sh", "-c", `chmod -R u+rwX "$1" && rm -rf "$1"`, "sh", dir)
	return err
}

// a pair of medians, measured in turn.
type pair struct{ ours, theirs sample }

// sideBySide measures ours and theirs in turn; each is given the number of its run. theirs may be nil.
func (b *bench) sideBySide(ours, theirs func(i int) (sample, error)) (pair, error) {
	var a, c []sample
	for i := range b.runs {
		s, err := ours(i)
		if err != nil {
			return pair{}, err
		}
		a = append(a, s)
		if theirs == nil {
			continue
		}
		if s, err = theirs(i); err != nil {
			return pair{}, err
		}
		c = append(c, s)
	}
	return pair{median(a), median(c)}, nil
}

// median is the sample with the median wall time, and the largest memory of all.
func median(all []sample) sample {
	if len(all) == 0 {
		return sample{}
	}
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b sample) int { return int(a.wall - b.wall) })
	m := all[len(all)/2]
	for _, s := range all {
		m.rss = max(m.rss, s.rss)
	}
	return m
}
