// Package local executes jobs on this machine: it fills the socket [engine.Runner] with an overlay of layer directories, which
// package chroot executes the script on and package layers/tree captures. Where no overlay can be mounted a job has a copy of its
// root instead (roots.go). It must not know what a plan is, or why a job
// is to be executed.
//
// What it writes, in the store: layer directories (layers/IDS/HEX, from work in progress in tmp/), the layers themselves,
// and records of the kind emulations/2:
//
//	{"Arch":…, "How":"own", "Emulator":"/usr/bin/qemu-…", "Flags":…}    a chroot.Emulation, good for this boot and that emulator
//
// Whatever needs the user's range of ids runs in a stage: the program calls [RegisterStages] at the start of main.
package local

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"xtoo/chroot"
	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/qemu"
)

// Options of a [Runner]. Store is required.
type Options struct {
	Store *store.Store
	// Emulators are qemu's user mode emulators, or directories of them, that go before those of the PATH.
	Emulators []string
	// Log takes what is for developers. Default: nothing is logged.
	Log *slog.Logger
	// Events is told how nodes of other architectures are executed, and which layer directories are not as they were made.
	// Default: nobody is told.
	Events engine.Sink
}

// A Runner executes jobs on this machine. It may be used by any number of goroutines.
type Runner struct {
	o     Options
	host  func() (*chroot.Host, error) // finds out once what this user may do, when that is first needed
	found *chroot.Host                 // by host; nil: nothing was asked for
	dirs  sync.Map                     // paths of layer directories that are there
	roots roots

	emulating  sync.Mutex
	emulations map[qemu.Arch]emulationResult
}

// New makes a runner. It starts nothing; the caller closes it.
func New(o Options) *Runner {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Events == nil {
		o.Events = func(engine.Event) {}
	}
	r := &Runner{o: o, emulations: map[qemu.Arch]emulationResult{}}
	r.host = sync.OnceValues(func() (*chroot.Host, error) {
		h, err := chroot.Probe()
		if err != nil {
			return nil, fmt.Errorf("find out what this user may do: %w", err)
		}
		if r.roots.wanted, err = chroot.WantedRoots(); err != nil {
			return nil, err
		}
		r.roots.copied.Store(r.roots.wanted == chroot.RootsCopy)
		r.found = h
		return h, nil
	})
	return r
}

// Close ends the process in the namespaces that serves the runner, if one was started. Nothing of the runner may be at
// work any more.
func (r *Runner) Close() {
	if r.found != nil {
		r.found.Close()
	}
}

// Ready implements [engine.Runner]. It finds out how programs of the architecture are executed.
func (r *Runner) Ready(ctx context.Context, a qemu.Arch) error {
	_, err := r.emulation(ctx, a)
	return err
}
