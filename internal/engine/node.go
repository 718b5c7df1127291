package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/chroot"
	"xtoo/layers/store"
	"xtoo/projects"
)

// node returns the chain after a node, executing the node if the cache does not have it.
func (b *build) node(ctx context.Context, p *projects.PlannedProject, n *projects.Node, c *chain) (*chain, error) {
	in, err := b.inputs(ctx, n)
	if err != nil {
		return nil, err
	}
	k := keysOf(c, in)
	if next, ok := b.cached(p, n, c, k); ok {
		return next, nil
	}
	unlock, err := b.o.Store.Lock(ctx, "node "+k.key.String(), b.waiting(about(p, n)))
	if err != nil {
		return nil, err
	}
	next, err := b.nodeLocked(ctx, p, n, c, k, in)
	return next, errors.Join(err, unlock())
}

// about is the beginning of an event: which node of which project it is about.
func about(p *projects.PlannedProject, n *projects.Node) Event {
	return Event{Project: p.Project.Tag, Platform: p.Platform(), Node: n.Path}
}

func (b *build) nodeLocked(ctx context.Context, p *projects.PlannedProject, n *projects.Node, c *chain, k keys, in []Input) (*chain, error) {
	if next, ok := b.cached(p, n, c, k); ok { // another build did it while this one waited
		return next, nil
	}
	release, err := b.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	emulation, err := b.emulation(ctx, c.arch)
	if err != nil {
		return nil, fmt.Errorf("%s: node %s of project %s: %w", n.Pos, n.Path, p.Label(), err)
	}
	begun := time.Now()
	ev := about(p, n)
	ev.Kind, ev.Why = EventStart, b.why(n, c, in)
	b.o.Events(ev)
	rec, err := b.execute(ctx, p, n, c, k.key, emulation)
	if errors.Is(err, chroot.ErrNoEmulation) {
		rec, err = b.executeAnew(ctx, p, n, c, k.key, emulation, err)
	}
	if err != nil {
		return nil, err
	}
	if err := b.remember(p, n, c, k, in, rec); err != nil {
		return nil, err
	}
	b.count(true)
	ev = about(p, n)
	ev.Kind, ev.State, ev.Digest = EventNode, StateBuilt, rec.DiffID
	if rec.DiffID == "" {
		ev.State = StateNothing
	}
	ev.Entries, ev.Bytes, ev.Elapsed = rec.Entries, rec.Bytes, time.Since(begun)
	b.o.Events(ev)
	return c.after(k.key, n, rec), nil
}

// cached returns the chain after a node if the cache has it and may be used.
func (b *build) cached(p *projects.PlannedProject, n *projects.Node, c *chain, k keys) (*chain, bool) {
	if b.o.NoCache {
		return nil, false
	}
	rec, ok := b.lookup(k)
	if !ok {
		return nil, false
	}
	b.count(false)
	ev := about(p, n)
	ev.Kind, ev.State, ev.Digest = EventNode, StateCached, rec.DiffID
	b.o.Events(ev)
	return c.after(k.key, n, rec), true
}

// lookup asks the cache for a node: by its key, and then by its content key.
func (b *build) lookup(k keys) (NodeRecord, bool) {
	for _, key := range []digest.Digest{k.key, k.content} {
		var rec NodeRecord
		if !b.o.Store.Get(store.KindNode, key, &rec) {
			continue
		}
		if rec.DiffID == "" {
			return rec, true
		}
		if _, ok := b.o.Store.Layer(rec.DiffID); ok {
			return rec, true
		}
	}
	return NodeRecord{}, false
}

// remember records a node that was executed, under both its keys, and what it was made from.
func (b *build) remember(p *projects.PlannedProject, n *projects.Node, c *chain, k keys, in []Input, rec NodeRecord) error {
	for _, key := range []digest.Digest{k.key, k.content} {
		if err := b.o.Store.Put(store.KindNode, key, rec); err != nil {
			return err
		}
	}
	return b.o.Store.Put(store.KindLast, b.lastKey(n), lastRecord{Below: c.key, Inputs: in})
}

// execute runs a node on its chain and commits what it changed.
func (b *build) execute(ctx context.Context, p *projects.PlannedProject, n *projects.Node, c *chain, key digest.Digest, e chroot.Emulation) (rec NodeRecord, err error) {
	lowers, err := b.lowerDirs(ctx, c)
	if err != nil {
		return rec, err
	}
	holder, err := b.o.Store.MakeTemp("node")
	if err != nil {
		return rec, err
	}
	defer b.discard(ctx, holder)
	st := nodeState{upper: store.DirIn(holder), work: holder + ".work", lowers: lowers, emulation: e}
	for _, d := range []string{st.upper, st.work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return rec, err
		}
	}
	defer b.discard(ctx, st.work)
	if err := b.runScript(ctx, p, n, c, key, &st); err != nil {
		return rec, err
	}
	rec, err = b.commit(ctx, c, holder, st)
	if err != nil {
		return rec, fmt.Errorf("node %s of project %s: commit its layer: %w", n.Path, p.Label(), err)
	}
	rec.Script = n.ScriptDigest()
	return rec, nil
}

// executeAnew executes a node once more if what was remembered of its architecture has turned out to be wrong.
func (b *build) executeAnew(
	ctx context.Context, p *projects.PlannedProject, n *projects.Node, c *chain, key digest.Digest, used chroot.Emulation, failed error,
) (NodeRecord, error) {
	again, err := b.forgetEmulation(used)
	if !again || err != nil {
		return NodeRecord{}, errors.Join(failed, err)
	}
	emulation, err := b.emulation(ctx, c.arch)
	if err != nil {
		return NodeRecord{}, fmt.Errorf("%s: node %s of project %s: %w", n.Pos, n.Path, p.Label(), err)
	}
	return b.execute(ctx, p, n, c, key, emulation)
}

// A nodeState is what a node is executed on.
type nodeState struct {
	upper, work string
	lowers      []string // top first
	emulation   chroot.Emulation
}
