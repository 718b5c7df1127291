package engine

import (
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/unpack"
)

// A NodeRecord is what the cache knows of a node that was executed.
type NodeRecord struct {
	// DiffID of its layer; empty if it changed nothing.
	DiffID digest.Digest `json:"diff_id,omitempty"`
	// Script is the digest of its script.
	Script digest.Digest `json:"script"`
	// Entries and Bytes of the layer.
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

// A baseRecord is what the cache knows of a root's base.
type baseRecord struct {
	// DiffIDs of its layers, bottom first. A stage3 has one.
	DiffIDs []digest.Digest `json:"diff_ids"`
	// Summary of a stage3.
	Summary *unpack.Summary `json:"summary,omitempty"`
	// Config of an image from elsewhere.
	Config *v1.Image `json:"config,omitempty"`
}

// A lastRecord is what a node was made from when it was last executed or found. It only serves to tell the
// user why the node must be executed now.
type lastRecord struct {
	Below  digest.Digest `json:"below"`
	Inputs []Input       `json:"inputs"`
}
