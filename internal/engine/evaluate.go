package engine

import (
	"context"
	"strings"

	"github.com/opencontainers/go-digest"

	"xtoo/projects"
)

// The evaluation says what the state of each node is and why. A build acts on it, the tree that is shown prints it.

// A nodeState is what is known of a node, or of a check, when its turn comes.
type nodeState struct {
	project *projects.PlannedProject
	node    *projects.Node
	check   *projects.Check // of which node is; nil: it is a node
	inputs  inputs
	// below is what it is executed on; nil where that is not known: a node below would have to be executed first.
	below *chain
	// key is over the key of below and what the node declares. Nothing of the host or of the tier is in it. It is known where below is.
	key digest.Digest
	// image is what a check is executed on: the layers and the image's settings.
	image digest.Digest
	// cached: the store has record, and its layer.
	cached bool
	record nodeRecord
	// refused says why what the cache has is not used.
	refused string
}

// content is the key that the cache knows the node by. It is over the layers below instead of their keys: when a node below was
// executed again and gave the same layer as before, everything above it is still good; when it gave another, nothing is.
func (st *nodeState) content() digest.Digest {
	return nodeKey(st.below.content.digest(), st.inputs.list)
}

// The reasons for an execution that are not about an input of the node itself.
const (
	whyNever   = "never built"
	whyParent  = "parent changed"
	whyGone    = "its layer is gone from the store"
	whyInexact = "what the cache has may not be what root would make"
	whyFewer   = "it was executed with fewer user and group ids than there are now"
	whyAsked   = "the cache is not to be used"
	whyCompare = "once more, to compare"
)

// evaluate says what the state of a node is. below is nil if it is not known.
func (b *build) evaluate(p *projects.PlannedProject, n *projects.Node, in inputs, below *chain) *nodeState {
	st := &nodeState{project: p, node: n, inputs: in, below: below}
	if below != nil {
		st.key = nodeKey(below.key, in.list)
		b.ask(st)
	}
	return st
}

// ask asks the cache for a node by its content key. Its key does not say which layers are below: one that was executed
// again, because it was to be or because its layer was gone, may have given another.
func (b *build) ask(st *nodeState) {
	if b.o.NoCache {
		return
	}
	var rec nodeRecord
	if !b.o.Store.Get(kindNode, st.content(), &rec) {
		return
	}
	if st.refused = b.refuses(&rec); st.refused != "" {
		return
	}
	if rec.DiffID != "" {
		if _, ok := b.o.Store.Layer(rec.DiffID); !ok {
			return
		}
	}
	st.cached, st.record = true, rec
}

// refuses says why a record is not good here; empty: it is.
func (b *build) refuses(rec *nodeRecord) string {
	switch {
	case rec.IDs < b.ids():
		return whyFewer
	case b.o.RequireExact && len(rec.Inexact) > 0:
		return whyInexact
	}
	return ""
}

// after is the chain after a node that the cache has; nil after another.
func (st *nodeState) after() (*chain, error) {
	if !st.cached {
		return nil, nil
	}
	return st.below.after(st, st.record)
}

// why says why a node must be executed.
func (b *build) why(st *nodeState) string {
	if b.o.NoCache {
		return whyAsked
	}
	if st.refused != "" {
		return st.refused
	}
	never, below, key := whyNever, whyParent, lastKey(st.node)
	if st.check != nil {
		never, below, key = whyNeverChecked, whyImage, lastCheckKey(st.node)
	}
	var last lastRecord
	if !b.o.Store.Get(kindLast, key, &last) {
		return never
	}
	changed := changedInputs(last.Inputs, st.inputs.list)
	if st.below == nil || st.lies() != last.Below {
		changed = append(changed, below)
	}
	if len(changed) == 0 {
		return whyGone
	}
	return strings.Join(changed, ", ")
}

// lies is what it is executed on, in a record.
func (st *nodeState) lies() digest.Digest {
	if st.check != nil {
		return st.image
	}
	return st.below.content.digest()
}

// changedInputs names what is not as it was, as "script changed", "value hostname changed".
func changedInputs(old, now []input) []string {
	before := map[string]digest.Digest{}
	for _, c := range old {
		before[c.Name] = c.Digest
	}
	var out []string
	for _, c := range now {
		was, ok := before[c.Name]
		delete(before, c.Name)
		switch {
		case !ok:
			out = append(out, c.Name+" added")
		case was != c.Digest:
			out = append(out, c.Name+" changed")
		}
	}
	for _, c := range old {
		if _, left := before[c.Name]; left {
			out = append(out, c.Name+" removed")
		}
	}
	return out
}

// lastKey names a node of a directory on an architecture, whatever it is made from.
func lastKey(n *projects.Node) digest.Digest {
	return Key("last", n.Project.Project.Dir, n.Path, n.Project.Arch.String())
}

// project goes through the nodes of a project in the order of execution: for each it finds out the state and calls act,
// which returns the chain after it, or nil if that is not known. It returns the chain after the last one, with the
// project's own settings; nil if that is not known. below is what the first node builds on, nil if that is not known.
func (b *build) project(ctx context.Context, p *projects.PlannedProject, below *chain, act func(*nodeState) (*chain, error)) (*chain, error) {
	r, err := b.recallRuns(ctx, p, below)
	if err != nil {
		return nil, err
	}
	c := below
	var done []nodeRecord
	for i, n := range p.Nodes {
		var st *nodeState
		if r.known != nil {
			st = &nodeState{project: p, node: n, inputs: r.inputs[i], below: c, key: r.keys[i], cached: true, record: r.known[i].Record}
		} else {
			st = b.evaluate(p, n, r.inputs[i], c)
		}
		if c, err = act(st); err != nil {
			return nil, err
		}
		done = append(done, st.record)
	}
	if c == nil {
		return nil, nil
	}
	if err := b.rememberRuns(r, c, done); err != nil {
		return nil, err
	}
	return c.finished(p, r.key)
}
