package engine

import (
	"log/slog"
	"runtime"
	"time"

	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/projects"
)

// Options say how to build. Store, Sources and Runner are required.
type Options struct {
	Store *store.Store
	// Sources by the kinds of bases that they are for.
	Sources map[projects.BaseKind]Source
	Runner  Runner
	// Outputs are written in this order. One that may be refused stands before those that change something.
	Outputs []Output
	// Log takes what is for developers. Default: nothing is logged.
	Log *slog.Logger
	// Events takes what is for users. Default: nobody is told.
	Events Sink
	// Jobs is how many nodes execute at a time, and how many cores compress. Default: the number of cores.
	Jobs int
	// Compression of the layers' blobs. Default: gzip.
	Compression layers.Compression
	// NoCache executes every node, whatever the cache has.
	NoCache bool
	// Twice executes each node that is executed once more from the same state, and compares the layers: see [DifferError].
	Twice bool
	// RequireExact makes a node fail whose layer may differ from the one that root would make. What the cache has of such nodes is not used.
	RequireExact bool
	// Epoch, if not nil, is SOURCE_DATE_EPOCH as the user set it.
	Epoch *time.Time
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
	return o
}
