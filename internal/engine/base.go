package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/layers/store"
	"xtoo/projects"
	"xtoo/qemu"
)

// whyBase is why a base must be read.
const whyBase = "never read"

// A baseState is what is known of a root's base without reading it.
type baseState struct {
	base   *projects.Base
	source Source
	id     digest.Digest // names its records
	// chain is nil where the store has no layers of it; why says so.
	chain *chain
	why   string
	// arch is known after a look, too.
	arch qemu.Arch
}

// baseState says what the state of a base is. A base that was read before and has not changed since is not opened.
func (b *build) baseState(ctx context.Context, r *projects.Base) (*baseState, error) {
	st := &baseState{base: r, source: b.o.Sources[r.Kind], arch: r.Arch}
	if st.source == nil {
		return nil, fmt.Errorf("%s: from %s: nothing is known of %q here", r.Pos, r.Text, r.Kind)
	}
	var err error
	if st.id, err = st.source.Identify(ctx, r, func() { b.reading(r) }); err != nil {
		return nil, err
	}
	return st, b.recall(st)
}

// recall asks the store for the records of a base.
func (b *build) recall(st *baseState) error {
	var m Material
	switch {
	case st.id == "":
	case b.o.Store.Get(kindBase, st.id, &m) && b.haveLayers(m.Layers):
	default:
		m, st.why = Material{}, whyBase
		if b.o.Store.Get(kindLook, st.id, &m) {
			found, err := st.source.Found(st.base, m)
			st.arch = found.Arch
			return err
		}
		return nil
	}
	return b.found(st, m)
}

// found makes the chain of a base whose layers are in the store.
func (b *build) found(st *baseState, m Material) error {
	f, err := st.source.Found(st.base, m)
	if err != nil {
		return err
	}
	st.arch, st.why = f.Arch, ""
	st.chain, err = newChain(f, b.o.Epoch)
	return err
}

func (b *build) haveLayers(links []Link) bool {
	return !slices.ContainsFunc(links, func(l Link) bool {
		_, ok := b.o.Store.Layer(l.DiffID)
		return !ok
	})
}

// platformOf is what events say of a base: its platform, if its root has several and it is known yet.
func platformOf(r *projects.Base, a qemu.Arch) string {
	if !r.Several() || a.IsZero() {
		return ""
	}
	return a.String()
}

// reading tells the user that a base is being read, unless a build does so anyway when it comes to that.
func (b *build) reading(r *projects.Base) {
	if b.looking {
		b.o.Events(Event{Kind: EventImport, Project: r.Project.Tag, Platform: platformOf(r, r.Arch), Path: r.Text})
	}
}

// lookAt finds out the architecture of a base and remembers it. No layer of it comes into the store.
func (b *build) lookAt(ctx context.Context, st *baseState) error {
	release, err := b.o.Store.Use(ctx)
	if err != nil {
		return err
	}
	defer release()
	b.reading(st.base)
	m, err := st.source.Look(ctx, st.base)
	if err != nil {
		return err
	}
	if err := b.sameBase(ctx, st); err != nil {
		return err
	}
	m.Created = sane(m.Created)
	f, err := st.source.Found(st.base, m)
	if err != nil {
		return err
	}
	st.arch = f.Arch
	b.doubt(st, m)
	return b.o.Store.Put(kindLook, st.id, store.Refs{}, m)
}

// doubt warns where an architecture was found out and may be another.
func (b *build) doubt(st *baseState, m Material) {
	if doubt := st.arch.Doubt(); doubt != "" && st.base.Arch.IsZero() && len(m.Programs) > 0 {
		b.warn(fmt.Sprintf("%s: %s, taken for %s: declare its subarch if it is another", st.base.Pos, doubt, st.arch))
	}
}

// read brings a base into the store, if nobody else does so meanwhile, and makes its chain. unpack says that a node
// will be executed on it, so that it is worth unpacking while it is read.
func (b *build) read(ctx context.Context, st *baseState, unpack bool) error {
	r := st.base
	unlock, err := b.o.Store.Lock(ctx, "base "+st.id.String(), b.waiting(Event{Project: r.Project.Tag, Platform: platformOf(r, r.Arch)}))
	if err != nil {
		return err
	}
	err = b.recall(st)
	if err == nil && st.chain == nil {
		err = b.readLocked(ctx, st, unpack)
	}
	return errors.Join(err, unlock())
}

func (b *build) readLocked(ctx context.Context, st *baseState, unpack bool) error {
	r := st.base
	// Before a stage3 is read for nodes, see that they can be executed. Nodes that were executed before are left
	// alone: their layers may be there, and then nothing is executed.
	if unpack && !r.Arch.IsZero() && !b.builtBefore(r) {
		if err := b.o.Runner.Ready(ctx, r.Arch); err != nil {
			return fmt.Errorf("%s: %w", r.Pos, err)
		}
	}
	release, err := b.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := b.beginWriting(); err != nil {
		return err
	}
	begun := time.Now()
	b.o.Events(Event{Kind: EventImport, Project: r.Project.Tag, Platform: platformOf(r, r.Arch), Path: r.Text})
	m, err := st.source.Read(ctx, r, Reading{Unpack: unpack, Compression: b.o.Compression, Jobs: b.o.Jobs, Warn: b.warn})
	if err != nil {
		return err
	}
	if err := b.sameBase(ctx, st); err != nil {
		return err
	}
	m.Created = sane(m.Created)
	if err := b.found(st, m); err != nil {
		return err
	}
	refs := store.Refs{}
	ev := Event{Kind: EventBase, Project: r.Project.Tag, Platform: platformOf(r, st.arch), Path: r.Text, Entries: m.Entries, Bytes: m.Bytes}
	for _, l := range m.Layers {
		refs.Layers = append(refs.Layers, l.DiffID)
		ev.Digest = l.DiffID
	}
	if err := b.o.Store.Put(kindBase, st.id, refs, m); err != nil {
		return err
	}
	ev.Elapsed = time.Since(begun)
	b.o.Events(ev)
	b.doubt(st, m)
	return nil
}

// sameBase finds out whether a base that has been read is the one whose identity stands in its records.
func (b *build) sameBase(ctx context.Context, st *baseState) error {
	now, err := st.source.Identify(ctx, st.base, nil)
	if err == nil && now != st.id {
		err = fmt.Errorf("%s: %s changed while it was read: build again when it is complete", st.base.Pos, st.base.Text)
	}
	return err
}

// builtBefore says whether the store remembers an execution of a node on this base.
func (b *build) builtBefore(base *projects.Base) bool {
	for _, p := range b.plan.Projects {
		if p.Base != base {
			continue
		}
		for _, n := range p.Nodes {
			if b.o.Store.Get(kindLast, lastKey(n), new(lastRecord)) {
				return true
			}
		}
	}
	return false
}
