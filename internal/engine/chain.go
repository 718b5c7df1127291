package engine

import (
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/oci"
	"xtoo/projects"
	"xtoo/qemu"
)

// A chain is what an image has become so far: a base, and the layers of the nodes that are done.
// Chains are never changed: a node makes a new one.
type chain struct {
	key     digest.Digest
	links   []link // bottom first
	history []v1.History
	arch    qemu.Arch
	epoch   time.Time
	config  v1.ImageConfig
}

// A link is one layer of a chain.
type link struct {
	diffID digest.Digest
	// dir names its directory in the store. For layers that xtoo captured and for stage3s it is the diff id. A layer
	// from elsewhere need not say what its parent directories look like; then its directory depends on what lies
	// below, and is named by the chain id.
	dir digest.Digest
}

// with returns the chain with one more link. A nil l adds none: the node changed nothing.
func (c *chain) with(key digest.Digest, l *link, h v1.History) *chain {
	n := *c
	n.key = key
	n.history = append(slices.Clone(c.history), h)
	if l != nil {
		n.links = append(slices.Clone(c.links), *l)
	}
	return &n
}

// diffIDs lists the layers, bottom first.
func (c *chain) diffIDs() []digest.Digest {
	ids := make([]digest.Digest, len(c.links))
	for i, l := range c.links {
		ids[i] = l.diffID
	}
	return ids
}

// after is the chain after a node.
func (c *chain) after(key digest.Digest, n *projects.Node, rec NodeRecord) *chain {
	h := oci.NodeHistory(n.Path, rec.Script, c.epoch, rec.DiffID == "")
	if rec.DiffID == "" {
		return c.with(key, nil, h)
	}
	return c.with(key, &link{diffID: rec.DiffID, dir: rec.DiffID}, h)
}
