package engine

import (
	"github.com/opencontainers/go-digest"

	"xtoo/layers/store"
)

// The kinds of the engine's records. The number is raised when what is in them changes.
const (
	kindNode  store.Kind = "nodes/4"  // content key of a node → nodeRecord
	kindBase  store.Kind = "bases/3"  // identity of a base → Material, with its layers
	kindLook  store.Kind = "looks/2"  // identity of a base → Material, without
	kindLast  store.Kind = "last/3"   // project and node, or check → lastRecord
	kindRuns  store.Kind = "runs/3"   // keys of all nodes of a project, and the layers below → runsRecord
	kindImage store.Kind = "images/2" // what an image is put together from → imageRecord
	kindCheck store.Kind = "checks/1" // layers, settings of the image, inputs of a check → checkRecord
)

// A nodeRecord is what the cache knows of a node that was executed.
type nodeRecord struct {
	// DiffID of its layer; empty if it changed nothing.
	DiffID digest.Digest `json:"diff_id,omitempty"`
	// Script is the digest of its script.
	Script digest.Digest `json:"script"`
	// IDs is how many ids its script had. What it saw of others' owners, and whom it could give files to, depends on
	// them: the record is good for those who have no more. With more, the truth is to be had.
	IDs int64 `json:"ids"`
	// Inexact says in what the layer may differ from the one that root would make. Empty: in nothing that is known.
	Inexact []string `json:"inexact,omitempty"`
	// Entries and Bytes of the layer.
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

// A checkRecord says that a check has succeeded.
type checkRecord struct {
	// IDs is how many ids its script had: see nodeRecord.
	IDs int64 `json:"ids"`
}

// A lastRecord is what a node was made from when it was last executed, or a check when it last succeeded. It only serves to tell the
// user why the node must be executed now.
type lastRecord struct {
	Below  digest.Digest `json:"below"`
	Inputs []input       `json:"inputs"`
}

// A runsRecord is what the cache knows of all nodes of a project, so that it need not be asked for each.
type runsRecord struct {
	Runs []run `json:"runs"`
}

// A run is one node that was executed.
type run struct {
	Record nodeRecord `json:"record"`
	// Blob holds its layer.
	Blob store.Blob `json:"blob"`
}

// An imageRecord is what was put together. What kind of document or layer each blob is does not stand in it: that
// is in its key.
type imageRecord struct {
	Manifest store.Blob   `json:"manifest"`
	Config   store.Blob   `json:"config"`
	Layers   []store.Blob `json:"layers"`
}
