package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bench is one run of everything.
type bench struct {
	options
	dir      string            // everything that is made
	demoFile string            // the demo's stage3, once it is made
	demo     bool              // the stage3s are the demo's
	stores   map[string]string // to be cleaned, by which program
	peak     int64             // largest resident set of xtoo, in bytes
	peakWhat string
}

// sample is what one process cost, with all that it waited for.
type sample struct {
	wall, cpu time.Duration // cpu: user and system
	rss       int64         // bytes: the largest resident set of any one of the processes
}

// A kind is which of a sample's figures a row is about, as the table calls it.
type kind string

const (
	wall   kind = "wall"
	cpu    kind = "CPU"
	memory kind = "memory"
	size   kind = "size" // of a file: not in a sample
)

// figure is one of a sample's figures, in seconds or MB (10^6 bytes).
func (s sample) figure(k kind) float64 {
	switch k {
	case cpu:
		return s.cpu.Seconds()
	case memory:
		return float64(s.rss) / 1e6
	}
	return s.wall.Seconds()
}

// text is that figure as the table has it.
func (s sample) text(k kind) string {
	if s == (sample{}) {
		return "–"
	}
	if k == memory {
		return megabytes(s.rss)
	}
	return fmt.Sprintf("%.3f s", s.figure(k))
}

// command runs a program to its end and measures it. An error holds the end of what it printed.
//
// The CPU time is what the kernel adds up when a process is waited for: its own, and that of all children it waited for
// itself, set-uid helpers and namespaces included. A process that nobody waits for would be missing.
func command(ctx context.Context, dir string, env []string, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		tail := out.Bytes()
		tail = tail[max(0, len(tail)-4000):]
		return sample{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, tail)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, fmt.Errorf("%s: the system tells no resource usage", args[0])
	}
	s := sample{wall: took, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	s.rss = int64(usage.Maxrss) * 1024 //nolint:unconvert // int32 on 32-bit machines; Linux counts in KiB
	return s, nil
}

// A call is one start of xtoo.
type call struct {
	what   string // the row that it is for
	before bool   // the program of -base, not ours
	verb   string // "build" unless something else is said
	store  string
	work   string // the work directory
	args   []string
}

// start runs xtoo on a store and remembers our program's memory.
func (b *bench) start(ctx context.Context, c call) (sample, error) {
	program := b.xtoo
	if c.before {
		program = b.base
	}
	if b.stores == nil {
		b.stores = map[string]string{}
	}
	b.stores[c.store] = program
	if c.verb == "" {
		c.verb = "build"
	}
	args := append([]string{program, c.verb, "-q", "-C", c.work}, c.args...)
	s, err := command(ctx, b.dir, []string{"XTOO_STORE=" + c.store, "XTOO_SCRATCH="}, args...)
	if err == nil && !c.before && s.rss > b.peak {
		b.peak, b.peakWhat = s.rss, c.what
	}
	return s, err
}

// drop empties a store that is not needed any more, by the program that made it.
func (b *bench) drop(ctx context.Context, store string) error {
	program, ok := b.stores[store]
	if !ok {
		return nil
	}
	if _, err := command(ctx, b.dir, []string{"XTOO_STORE=" + store}, program, "clean", "--all"); err != nil {
		return err
	}
	delete(b.stores, store)
	return os.RemoveAll(store)
}

// cleanUp removes everything, also after an interrupt.
func (b *bench) cleanUp(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	for _, s := range slices.Sorted(maps.Keys(b.stores)) {
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

// A measurer does what is measured once; it is given the number of the run.
type measurer func(i int) (sample, error)

// a pair of medians, measured in turn.
type pair struct{ ours, theirs sample }

// sideBySide measures ours and theirs in turn. theirs may be nil.
func (b *bench) sideBySide(ours, theirs measurer) (pair, error) {
	all, err := b.inTurn(ours, theirs)
	if err != nil {
		return pair{}, err
	}
	return pair{all[0], all[1]}, nil
}

// inTurn measures one after the other, as often as there are runs, and returns the medians of each. One that is nil has
// an empty sample.
func (b *bench) inTurn(each ...measurer) ([]sample, error) {
	samples := make([][]sample, len(each))
	for i := range b.runs {
		for n, measure := range each {
			if measure == nil {
				continue
			}
			unix.Sync() // what the one before has left to be written is not for this one to wait for
			s, err := measure(i)
			if err != nil {
				return nil, err
			}
			samples[n] = append(samples[n], s)
		}
	}
	medians := make([]sample, len(each))
	for n, s := range samples {
		medians[n] = median(s)
	}
	return medians, nil
}

// median has the median of the wall times, the median of the CPU times, and the largest memory of all.
func median(all []sample) sample {
	if len(all) == 0 {
		return sample{}
	}
	var m sample
	var walls, cpus []time.Duration
	for _, s := range all {
		walls, cpus = append(walls, s.wall), append(cpus, s.cpu)
		m.rss = max(m.rss, s.rss)
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	m.wall, m.cpu = walls[len(walls)/2], cpus[len(cpus)/2]
	return m
}
