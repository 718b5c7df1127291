package engine

import (
	"log/slog"
	"runtime"
	"time"

	"xtoo/chroot"
	"xtoo/layers"
	"xtoo/layers/store"
)

// Options say how to build. Store is required; Host is, as soon as anything has to be executed or unpacked.
type Options struct {
	Store *store.Store
	// Host finds out what this user may do. It is asked only when something must be executed or unpacked.
	Host func() (*chroot.Host, error)
	// Emulators are qemu's user mode emulators, or directories of them, that go before those of the PATH.
	Emulators []string
	// Log takes what is for developers. Default: nothing is logged.
	Log *slog.Logger
	// Events takes what is for users. Default: nobody is told.
	Events Sink
	// Jobs is how many nodes execute at a time, and how many cores compress. Default: the number of cores.
	Jobs int
	// Compression of the layers' blobs. Default: gzip.
	Compression layers.Compression
	// SIFCompression of SIF files: gzip (default), zstd or xz.
	SIFCompression string
	// NoCache executes every node, whatever the cache has.
	NoCache bool
	// Offline gives no node a network.
	Offline bool
	// Force overwrites SIF files that have other bytes.
	Force bool
	// Epoch, if not nil, is SOURCE_DATE_EPOCH as the user set it.
	Epoch *time.Time
	// OCILayout is the directory of the layout to write to; empty: none.
	OCILayout string
	// SIF is the file or (with a slash at its end) the directory to write SIF files to; empty: none.
	SIF string
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	if o.Jobs <= 0 {
		o.Jobs = runtime.NumCPU()
	}
	if o.Compression == "" {
		o.Compression = layers.Gzip
	}
	if o.SIFCompression == "" {
		o.SIFCompression = "gzip"
	}
	return o
}
