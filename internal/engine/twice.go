package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"xtoo/layers"
	"xtoo/projects/schema"
)

// A node can be executed twice from the same state, to find out whether it makes the same layer. The first one counts; what is in the store of
// the second is for the next cleaning.

// maxDifferences is how many members in which two layers differ are named.
const maxDifferences = 20

// A DifferError says that nodes gave another layer when they were executed once more. Everything was built.
type DifferError struct{ nodes []differing }

// A differing is a node that gave two layers.
type differing struct {
	pos     schema.Position
	node    string // with its project
	members []layers.Difference
	more    int    // members that differ, too
	failed  string // what the second execution did instead of giving a layer
	log     string // of the second execution
}

func (e *DifferError) Error() string {
	var b strings.Builder
	for i, n := range e.nodes {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s, executed twice, ", n.pos, n.node)
		if n.failed != "" {
			fmt.Fprintf(&b, "did not end well the second time: its script %s (see %s)", n.failed, n.log)
			continue
		}
		count := len(n.members) + n.more
		fmt.Fprintf(&b, "gave two layers that differ in %d members:", count)
		for _, m := range n.members {
			b.WriteString("\n  " + m.String())
		}
		if n.more > 0 {
			fmt.Fprintf(&b, "\n  and %d more", n.more)
		}
	}
	return b.String()
}

// Hint says what to do.
func (e *DifferError) Hint() string {
	return "the first layer of each is in the cache; what a script takes from the time, from random numbers or from process numbers differs each time"
}

// again executes a node once more, as it was executed, and compares the layers.
func (b *build) again(ctx context.Context, st *nodeState) error {
	ev := st.about(EventStart)
	ev.Why = whyCompare
	b.o.Events(ev)
	d := differing{pos: st.node.Pos, node: fmt.Sprintf("%s of project %s", st.what(), st.project.Label())}
	out, log, err := b.perform(ctx, st, b.job(st), "-again")
	var script *ScriptError
	switch {
	case errors.As(err, &script):
		d.failed, d.log = script.what, script.log
	case err != nil:
		return err
	case out.DiffID == st.record.DiffID:
		return nil
	default:
		d.log = log
		if err := b.compare(ctx, &d, st.record.DiffID, out.DiffID); err != nil {
			return st.failed(err)
		}
	}
	ev = st.about(EventDiffers)
	ev.Digest, ev.Differences, ev.More, ev.Text = out.DiffID, d.members, d.more, d.failed
	b.o.Events(ev)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.differing = append(b.differing, d)
	return nil
}

// compare finds out in what two layers differ. One that is empty is none.
func (b *build) compare(ctx context.Context, d *differing, first, second digest.Digest) (err error) {
	var in [2]io.Reader
	for i, id := range []digest.Digest{first, second} {
		if in[i] = bytes.NewReader(nil); id == "" {
			continue
		}
		r, err := b.o.Store.OpenLayer(id)
		if err != nil {
			return fmt.Errorf("compare its layers: %w", err)
		}
		defer r.Close() // read only
		in[i] = r
	}
	err = layers.Compare(ctx, in[0], in[1], func(one layers.Difference) error {
		if len(d.members) < maxDifferences {
			d.members = append(d.members, one)
		} else {
			d.more++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("compare its layers: %w", err)
	}
	return nil
}

// differ is the error of nodes that gave two layers; nil if there is none.
func (b *build) differ() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.differing) == 0 {
		return nil
	}
	slices.SortFunc(b.differing, func(x, y differing) int { // side by side they end in any order
		return cmp.Or(strings.Compare(x.pos.File, y.pos.File), cmp.Compare(x.pos.Line, y.pos.Line), strings.Compare(x.node, y.node))
	})
	return &DifferError{b.differing}
}
