package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers/store"
	"xtoo/projects"
	"xtoo/qemu"
)

// A base is what a root starts from, before it is known whether the store has it.
type base struct {
	// key of its record in the store.
	key digest.Digest
	// path of the stage3, empty for images from elsewhere.
	path string
}

// platformOf is what events say of a base: its platform, if its root has several and it is known yet.
func platformOf(r *projects.Base, a qemu.Arch) string {
	if !r.Several() || a.IsZero() {
		return ""
	}
	return a.String()
}

// identifyBase says what a root starts from, reading as little as possible: a stage3 that was read before and has not
// changed since is not opened.
func (b *build) identifyBase(ctx context.Context, r *projects.Base) (base, error) {
	switch {
	case r.Kind == projects.BaseStage3:
		d, _, err := b.o.Store.FileDigest(ctx, r.Path)
		if err != nil {
			return base{}, fmt.Errorf("%s: stage3: %w", r.Pos, err)
		}
		parts := append([]string{d.String()}, r.Project.Exclude...)
		return base{key: keyOf("stage3", parts...), path: r.Path}, nil
	case r.Kind == projects.BaseScratch:
		return base{key: keyOf("scratch")}, nil
	default:
		return b.identifyImage(ctx, r)
	}
}

// lookupBase returns the chain of a root's base, if the store has it.
func (b *build) lookupBase(r *projects.Base, id base) (*chain, bool, error) {
	if r.Kind == projects.BaseScratch {
		c, err := b.scratchChain(r)
		return c, true, err
	}
	var rec baseRecord
	if !b.o.Store.Get(store.KindBase, id.key, &rec) || len(rec.DiffIDs) == 0 && rec.Config == nil {
		return nil, false, nil
	}
	for _, d := range rec.DiffIDs {
		if _, ok := b.o.Store.Layer(d); !ok {
			return nil, false, nil
		}
	}
	c, err := b.baseChain(r, rec)
	return c, err == nil, err
}

// base returns the chain of a root's base, reading the stage3 or importing the image if the store does not have it.
// unpacked says that a node will be executed on it, so that it is worth unpacking while it is read.
func (b *build) base(ctx context.Context, r *projects.Base, unpacked bool) (*chain, error) {
	id, err := b.identifyBase(ctx, r)
	if err != nil {
		return nil, err
	}
	if c, ok, err := b.lookupBase(r, id); ok || err != nil {
		return c, err
	}
	unlock, err := b.o.Store.Lock(ctx, "base "+id.key.String(), b.waiting(Event{Project: r.Project.Tag, Platform: platformOf(r, r.Arch)}))
	if err != nil {
		return nil, err
	}
	c, err := b.baseLocked(ctx, r, id, unpacked)
	return c, errors.Join(err, unlock())
}

func (b *build) baseLocked(ctx context.Context, r *projects.Base, id base, unpacked bool) (*chain, error) {
	if c, ok, err := b.lookupBase(r, id); ok || err != nil {
		return c, err
	}
	if unpacked {
		if err := b.checkEmulation(ctx, r); err != nil {
			return nil, err
		}
	}
	release, err := b.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	begun := time.Now()
	b.o.Events(Event{Kind: EventImport, Project: r.Project.Tag, Platform: platformOf(r, r.Arch), Path: r.Text})
	var rec baseRecord
	if id.path != "" {
		rec, err = b.importStage3(ctx, r, id, unpacked)
	} else {
		rec, err = b.importImage(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	c, err := b.baseChain(r, rec)
	if err != nil {
		return nil, err
	}
	if err := b.o.Store.Put(store.KindBase, id.key, rec); err != nil {
		return nil, err
	}
	ev := Event{
		Kind: EventBase, Project: r.Project.Tag, Platform: platformOf(r, c.arch), Path: r.Text, Elapsed: time.Since(begun),
	}
	if n := len(rec.DiffIDs); n > 0 {
		ev.Digest = rec.DiffIDs[n-1]
	}
	if rec.Summary != nil {
		ev.Entries, ev.Bytes = rec.Summary.Entries, rec.Summary.Bytes
	}
	b.o.Events(ev)
	if doubt := c.arch.Doubt(); doubt != "" && r.Arch.IsZero() && rec.Summary != nil {
		b.o.Events(Event{Kind: EventWarning, Text: fmt.Sprintf("%s: %s, taken for %s: declare its subarch if it is another", r.Pos, doubt, c.arch)})
	}
	return c, nil
}

// baseChain makes the chain of a base, after checking that it is for the architecture that was declared.
func (b *build) baseChain(r *projects.Base, rec baseRecord) (*chain, error) {
	if rec.Config != nil {
		return b.imageChain(r, rec)
	}
	arch, err := stage3Arch(r, rec.Summary)
	if err != nil {
		return nil, inStage3(r, err)
	}
	c := &chain{arch: arch, epoch: b.epoch(rec.Summary.Newest)}
	for _, d := range rec.DiffIDs {
		c.links = append(c.links, link{diffID: d, dir: d})
		c.history = append(c.history, v1.History{
			Created:   &c.epoch,
			CreatedBy: "xtoo stage3 " + d.String(),
			Comment:   excludeComment(r.Project.Exclude),
		})
	}
	c.key = contentBase(c)
	return c, nil
}

// excludeComment says in the history what is missing from the stage3.
func excludeComment(patterns []string) string {
	if len(patterns) == 0 {
		return ""
	}
	return "without " + strings.Join(patterns, " ")
}

// contentBase is the key of a base: its layers, whatever they were compressed with or came from.
func contentBase(c *chain) digest.Digest {
	parts := []string{c.arch.String(), fmt.Sprint(c.epoch.UnixNano())}
	for _, id := range c.diffIDs() {
		parts = append(parts, id.String())
	}
	return keyOf("base", parts...)
}

// scratchChain is the empty chain.
func (b *build) scratchChain(r *projects.Base) (*chain, error) {
	arch := r.Arch
	if arch.IsZero() {
		arch = qemu.Host()
	}
	if arch.IsZero() {
		return nil, fmt.Errorf("%s: from scratch: this machine's architecture is not known by name: declare one (from: {image: scratch, arch: …})", r.Pos)
	}
	c := &chain{arch: arch, epoch: b.epoch(time.Unix(0, 0))}
	c.key = contentBase(c)
	return c, nil
}

// epoch is SOURCE_DATE_EPOCH: the user's, or what the base gives. Images have whole seconds.
func (b *build) epoch(fromBase time.Time) time.Time {
	if b.o.Epoch != nil {
		return b.o.Epoch.UTC().Truncate(time.Second)
	}
	return fromBase.UTC().Truncate(time.Second)
}
