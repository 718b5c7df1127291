package engine

import (
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/layers"
)

// EventKind says what happened.
type EventKind string

// The kinds of events. Stable: `--json` prints them.
const (
	EventImport  EventKind = "import"  // the base of a root is being read
	EventBase    EventKind = "base"    // the base of a root is there
	EventStart   EventKind = "start"   // a node, or a check, begins to execute
	EventOutput  EventKind = "output"  // a line that it printed
	EventNode    EventKind = "node"    // a node is done; State says how
	EventCheck   EventKind = "check"   // a check of an image is done, and the image has passed it; State says how
	EventDiffers EventKind = "differs" // a node, executed once more, gave another layer; or failed, as Text says
	EventImage   EventKind = "image"   // a project's image is complete; State says if it is the index of several
	EventWaiting EventKind = "waiting" // another build, or another project of this one, is doing what is needed
	EventWritten EventKind = "written" // an output was written, or found up to date
	EventWarning EventKind = "warning" // something the user should know
	// EventEmulation: nodes of an architecture that is not this machine's own are executed, and how.
	EventEmulation EventKind = "emulation"
)

// The states of a node or a check that is done.
const (
	StateCached  = "cached"  // the cache had it
	stateBuilt   = "built"   // executed, and its layer committed
	StateNothing = "nothing" // executed, and it changed nothing: no layer
	statePassed  = "passed"  // a check was executed
)

// StateIndex is the state of an image that is the index of a project's images for several platforms.
const StateIndex = "index"

// An Event is one thing that happened. Fields that do not apply are empty.
type Event struct {
	Kind    EventKind `json:"event"`
	Project string    `json:"project,omitempty"` // tag
	// Platform, as "arm-64bit/raspi4", where the tag has several and it is about one of them; and of an emulation.
	Platform string        `json:"platform,omitempty"`
	Node     string        `json:"node,omitempty"`  // path in the tree of scripts
	Check    string        `json:"check,omitempty"` // name of a check, in place of a node
	State    string        `json:"state,omitempty"`
	Text     string        `json:"text,omitempty"`
	Why      string        `json:"why,omitempty"`
	Digest   digest.Digest `json:"digest,omitempty"`
	Path     string        `json:"path,omitempty"`
	// Entries of the layer (members of its tar stream).
	Entries int64 `json:"entries,omitempty"`
	// Bytes of the layer's tar stream, or of the output file.
	Bytes int64 `json:"bytes,omitempty"`
	// Differences of the layers, the first ones, and how many there are beside them.
	Differences []layers.Difference `json:"differences,omitempty"`
	More        int                 `json:"more,omitempty"`
	// Elapsed is how long it took, in nanoseconds.
	Elapsed time.Duration `json:"elapsed_ns,omitempty"`
}

// A Sink takes events. It is called from several goroutines and must be safe for that; it must not block for long.
type Sink func(Event)
