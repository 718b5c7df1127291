package engine

import (
	"context"

	"github.com/opencontainers/go-digest"

	"xtoo/layers/store"
	"xtoo/projects"
)

// runs are what the store remembers of all nodes of a project together: with nothing to do, one record and a look at each
// layer's blob and record take the place of reading two records for each node.
type runs struct {
	inputs []inputs
	keys   []digest.Digest // of the nodes; known where what is below is
	key    digest.Digest   // of the record; empty where there is none to be had
	known  []run           // one for each node; nil: the nodes are asked for one by one
}

// recallRuns reads what the nodes are made from, and asks the store for all of them together.
func (b *build) recallRuns(ctx context.Context, p *projects.PlannedProject, below *chain) (*runs, error) {
	r := &runs{inputs: make([]inputs, len(p.Nodes))}
	for i, n := range p.Nodes {
		var err error
		if r.inputs[i], err = b.readInputs(ctx, n, false); err != nil {
			return nil, err
		}
	}
	if below == nil || len(p.Nodes) == 0 {
		return r, nil
	}
	last := below.key
	for _, in := range r.inputs {
		last = nodeKey(last, in.list)
		r.keys = append(r.keys, last)
	}
	// The key of the last node is over all that is in the others'; the layers below are not.
	r.key = Key("runs", below.content.digest().String(), last.String())
	var rec runsRecord
	if b.o.NoCache || b.oneByOne || !b.o.Store.Get(kindRuns, r.key, &rec) || len(rec.Runs) != len(p.Nodes) {
		return r, nil
	}
	for _, run := range rec.Runs {
		if run.Record.IDs < b.ids() || b.o.RequireExact && len(run.Record.Inexact) > 0 {
			return r, nil
		}
		// Who works with a layer asks for its record, which can be lost while this one is not.
		if d := run.Record.DiffID; d != "" && !(b.haveBlob(run.Blob) && b.o.Store.KnowsLayer(d)) {
			return r, nil
		}
	}
	r.known = rec.Runs
	return r, nil
}

// rememberRuns writes down what was found of the nodes of a project one by one. c is the chain after them: if a file has
// changed meanwhile, they are not what was asked for.
func (b *build) rememberRuns(r *runs, c *chain, done []nodeRecord) error {
	if b.looking || r.known != nil || r.key == "" || c.key != r.keys[len(r.keys)-1] {
		return nil
	}
	var rec runsRecord
	refs := store.Refs{Held: true}
	for _, d := range done {
		one := run{Record: d}
		if d.DiffID != "" {
			l, ok := b.o.Store.Layer(d.DiffID)
			if !ok {
				return nil
			}
			for _, blob := range l.Blobs {
				one.Blob = blob // any of them
			}
			refs.Layers = append(refs.Layers, d.DiffID)
		}
		rec.Runs = append(rec.Runs, one)
	}
	return b.o.Store.Put(kindRuns, r.key, refs, rec)
}
