package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/layers/store"
)

// buildNode returns the chain after a node, executing the node if the cache does not have it.
func (b *build) buildNode(ctx context.Context, st *nodeState) (*chain, error) {
	if st.cached {
		b.tellCached(st)
		return st.after()
	}
	// What will be executed is what is kept now: it is what the key is made of.
	in, err := b.readInputs(ctx, st.node, true)
	if err != nil {
		return nil, err
	}
	st.inputs, st.key = in, nodeKey(st.below.key, in.list)
	unlock, err := b.o.Store.Lock(ctx, "node "+st.key.String(), b.waiting(st.about(EventWaiting)))
	if err != nil {
		return nil, err
	}
	next, err := b.nodeLocked(ctx, st)
	return next, errors.Join(err, unlock())
}

// about is the beginning of an event: which node or check of which project it is about.
func (st *nodeState) about(kind EventKind) Event {
	ev := Event{Kind: kind, Project: st.project.Project.Tag, Platform: st.project.Platform(), Node: st.node.Path}
	if st.check != nil {
		ev.Node, ev.Check = "", st.node.Path
	}
	return ev
}

func (b *build) tellCached(st *nodeState) {
	b.count(false)
	ev := st.about(EventNode)
	ev.State, ev.Digest = StateCached, st.record.DiffID
	b.o.Events(ev)
}

func (b *build) nodeLocked(ctx context.Context, st *nodeState) (*chain, error) {
	if b.ask(st); st.cached { // another build did it while this one waited
		b.tellCached(st)
		return st.after()
	}
	release, err := b.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := b.beginWriting(); err != nil {
		return nil, err
	}
	if err := b.o.Runner.Ready(ctx, st.below.arch); err != nil {
		return nil, st.failed(err)
	}
	begun := time.Now()
	ev := st.about(EventStart)
	ev.Why = b.why(st)
	b.o.Events(ev)
	log, err := b.execute(ctx, st)
	if err != nil {
		return nil, err
	}
	if err := b.remember(st, log); err != nil {
		return nil, err
	}
	b.count(true)
	ev = st.about(EventNode)
	ev.State, ev.Digest = stateBuilt, st.record.DiffID
	if st.record.DiffID == "" {
		ev.State = StateNothing
	}
	ev.Entries, ev.Bytes, ev.Elapsed = st.record.Entries, st.record.Bytes, time.Since(begun)
	b.o.Events(ev)
	if b.o.Twice {
		if err := b.again(ctx, st); err != nil {
			return nil, err
		}
	}
	return st.below.after(st, st.record)
}

// what it is, for messages.
func (st *nodeState) what() string {
	if st.check != nil {
		return "check " + st.node.Path
	}
	return "node " + st.node.Path
}

// failed says which node or check an error is about.
func (st *nodeState) failed(err error) error {
	return fmt.Errorf("%s: %s of project %s: %w", st.node.Pos, st.what(), st.project.Label(), err)
}

// execute runs a node's job and sets the record. It returns the path of the log.
func (b *build) execute(ctx context.Context, st *nodeState) (logPath string, err error) {
	out, logPath, err := b.perform(ctx, st, b.job(st), "")
	if err != nil {
		return "", err
	}
	if err := b.judgeExact(st, out.Inexact); err != nil {
		return "", err
	}
	st.record = nodeRecord{
		DiffID: out.DiffID, Script: st.inputs.script.Digest, IDs: out.IDs, Inexact: out.Inexact, Entries: out.Entries, Bytes: out.Bytes,
	}
	return logPath, nil
}

// judgeExact says once for each reason that a layer may not be what root would make, or makes it an error.
func (b *build) judgeExact(st *nodeState, why []string) error {
	if len(why) > 0 && b.o.RequireExact {
		return st.failed(fmt.Errorf("%w: %s", errInexact, strings.Join(why, "; ")))
	}
	for _, text := range why {
		if _, said := b.inexact.LoadOrStore(text, true); !said {
			b.warn(st.node.Path + ": its layer may not be what root would make: " + text + " (the image gets the label " + inexactLabel + ")")
		}
	}
	return nil
}

// errInexact says that a node's layer may not be what root would make, where that is required.
var errInexact = errors.New("its layer may not be what root would make")

// remember records a node that was executed, and what it was made from.
func (b *build) remember(st *nodeState, log string) error {
	refs := store.Refs{Logs: []string{filepath.Base(log)}, Held: true}
	if st.record.DiffID != "" {
		refs.Layers = []digest.Digest{st.record.DiffID}
	}
	if err := b.o.Store.Put(kindNode, st.content(), refs, st.record); err != nil {
		return err
	}
	return b.o.Store.Put(kindLast, lastKey(st.node), store.Refs{Held: true}, lastRecord{Below: st.below.content.digest(), Inputs: st.inputs.list})
}
