// Package local executes jobs on this machine: it fills the socket [engine.Runner] with an overlay of layer directories, which
// package chroot executes the script on and package layers/tree captures. It must not know what a plan is, or why a job
// is to be executed.
//
// What it writes, in the store: layer directories (layers/HEX, from work in progress in tmp/), the layers themselves,
// and records of the kind emulations/2:
//
//	{"Arch":…, "How":"own", "Emulator":"/usr/bin/qemu-…", "Flags":…}    a chroot.Emulation, good for this boot and that emulator
//
// Whatever needs the user's range of ids runs in a stage: the program calls [RegisterStages] at the start of main.
package local

import (
	"context"
	"log/slog"
	"sync"

	"xtoo/chroot"
	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/qemu"
)

// Options of a [Runner]. Store and Host are required.
type Options struct {
	Store *store.Store
	// Host finds out what this user may do. It is asked when something must be executed, unpacked or removed.
	Host func() (*chroot.Host, error)
	// Emulators are qemu's user mode emulators, or directories of them, that go before those of the PATH.
	Emulators []string
	// Log takes what is for developers. Default: nothing is logged.
	Log *slog.Logger
	// Events is told how nodes of other architectures are executed. Default: nobody is told.
	Events engine.Sink
}

// A Runner executes jobs on this machine. It may be used by any number of goroutines.
type Runner struct {
	o    Options
	dirs sync.Map // names of layer directories that are there

	emulating  sync.Mutex
	emulations map[qemu.Arch]emulationResult
}

// New makes a runner. It holds nothing open.
func New(o Options) *Runner {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Events == nil {
		o.Events = func(engine.Event) {}
	}
	return &Runner{o: o, emulations: map[qemu.Arch]emulationResult{}}
}

// Ready implements [engine.Runner]. It finds out how programs of the architecture are executed.
func (r *Runner) Ready(ctx context.Context, a qemu.Arch) error {
	_, err := r.emulation(ctx, a)
	return err
}
