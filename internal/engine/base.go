package engine

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"xtoo/chroot"
	"xtoo/layers"
	"xtoo/projects"
	"xtoo/qemu"
	"xtoo/unpack"
)

// A base is what a root starts from, before it is known whether the store has it.
type base struct {
	// key of its record in the store.
	key digest.Digest
	// path of the stage3, empty for images from elsewhere.
	path string
}

// identifyBase says what a root starts from, reading as little as possible: a stage3 that was read before and has not
// changed since is not opened.
func (b *build) identifyBase(ctx context.Context, r *projects.Project) (base, error) {
	switch {
	case r.Base.Kind == projects.BaseStage3:
		d, _, err := b.o.Store.FileDigest(ctx, r.Base.Path)
		if err != nil {
			return base{}, fmt.Errorf("%s: stage3: %w", r.Base.Pos, err)
		}
		parts := append([]string{d.String()}, r.Exclude...)
		return base{key: keyOf("stage3", parts...), path: r.Base.Path}, nil
	case r.Base.Kind == projects.BaseScratch:
		return base{key: keyOf("scratch")}, nil
	default:
		return b.identifyImage(ctx, r)
	}
}

// lookupBase returns the chain of a root's base, if the store has it.
func (b *build) lookupBase(r *projects.Project, id base) (*chain, bool, error) {
	if r.Base.Kind == projects.BaseScratch {
		c, err := b.scratchChain(r)
		return c, true, err
	}
	var rec baseRecord
	if !b.o.Store.Get(layers.KindBase, id.key, &rec) || len(rec.DiffIDs) == 0 && rec.Config == nil {
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
func (b *build) base(ctx context.Context, r *projects.Project, unpacked bool) (*chain, error) {
	id, err := b.identifyBase(ctx, r)
	if err != nil {
		return nil, err
	}
	if c, ok, err := b.lookupBase(r, id); ok || err != nil {
		return c, err
	}
	unlock, err := b.o.Store.Lock(ctx, "base "+id.key.String(), b.waiting(r.Tag, ""))
	if err != nil {
		return nil, err
	}
	c, err := b.baseLocked(ctx, r, id, unpacked)
	return c, errors.Join(err, unlock())
}

func (b *build) baseLocked(ctx context.Context, r *projects.Project, id base, unpacked bool) (*chain, error) {
	if c, ok, err := b.lookupBase(r, id); ok || err != nil {
		return c, err
	}
	release, err := b.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	begun := time.Now()
	b.o.Events(Event{Kind: EventImport, Project: r.Tag, Path: r.Base.Text})
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
	if err := b.o.Store.Put(layers.KindBase, id.key, rec); err != nil {
		return nil, err
	}
	ev := Event{Kind: EventBase, Project: r.Tag, Path: r.Base.Text, Elapsed: time.Since(begun)}
	if n := len(rec.DiffIDs); n > 0 {
		ev.Digest = rec.DiffIDs[n-1]
	}
	if rec.Summary != nil {
		ev.Entries, ev.Bytes = rec.Summary.Entries, rec.Summary.Bytes
	}
	b.o.Events(ev)
	return c, nil
}

// baseChain makes the chain of a base, after checking that it is for the architecture that was declared.
func (b *build) baseChain(r *projects.Project, rec baseRecord) (*chain, error) {
	if rec.Config != nil {
		return b.imageChain(r, rec)
	}
	arch, err := stage3Arch(r, rec.Summary)
	if err != nil {
		return nil, err
	}
	c := &chain{arch: arch, epoch: b.epoch(rec.Summary.Newest)}
	for _, d := range rec.DiffIDs {
		c.links = append(c.links, link{diffID: d, dir: d})
		c.history = append(c.history, v1.History{
			Created:   &c.epoch,
			CreatedBy: "xtoo stage3 " + d.String(),
			Comment:   excludeComment(r.Exclude),
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

// stage3Arch is the architecture that was declared, or else the one that the programs of the stage3 are for.
func stage3Arch(r *projects.Project, s *unpack.Summary) (qemu.Arch, error) {
	counts := map[qemu.ELF]int{}
	machines := s.StandardMachines
	if len(machines) == 0 {
		machines = s.Machines
	}
	for m, n := range machines {
		counts[qemu.ELF{Machine: elf.Machine(m.Machine), Class: elf.Class(m.Class), Data: elf.Data(m.Data)}] += n
	}
	if r.Base.Arch.IsZero() {
		a, err := qemu.Detect(counts)
		if err != nil {
			return a, fmt.Errorf("%s: stage3 %s: %w: declare its arch", r.Base.Pos, r.Base.Path, err)
		}
		return a, nil
	}
	if err := r.Base.Arch.Check(counts); err != nil {
		return qemu.Arch{}, fmt.Errorf("%s: stage3 %s: %w", r.Base.Pos, r.Base.Path, err)
	}
	return r.Base.Arch, nil
}

// scratchChain is the empty chain.
func (b *build) scratchChain(r *projects.Project) (*chain, error) {
	arch := r.Base.Arch
	if arch.IsZero() {
		arch = qemu.Host()
	}
	if arch.IsZero() {
		return nil, fmt.Errorf("%s: from scratch: this machine's architecture is not known by name: declare one (from: {image: scratch, arch: …})", r.Base.Pos)
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

// importStage3 reads a stage3 once: its tar stream becomes a blob, and a layer directory if unpacked.
func (b *build) importStage3(ctx context.Context, r *projects.Project, id base, unpacked bool) (baseRecord, error) {
	rec, err := b.readStage3(ctx, r, id, r.Exclude, unpacked)
	if late := (*lateError)(nil); errors.As(err, &late) {
		rec, err = b.readStage3(ctx, r, id, append(slices.Clone(r.Exclude), late.patterns...), unpacked)
		if err == nil { // patterns of ours that match nothing are nobody's mistake
			rec.Summary.UnusedExcludes = late.unused
		}
	}
	if err != nil {
		return baseRecord{}, fmt.Errorf("stage3 %s: %w", id.path, err)
	}
	for _, p := range rec.Summary.UnusedExcludes {
		b.o.Events(Event{Kind: EventWarning, Text: fmt.Sprintf("%s: exclude %q matches nothing in %s", r.Base.Pos, p, id.path)})
	}
	return rec, nil
}

// lateError says that a stage3 must be read again with more patterns: see [unpack.Summary.LateExcludes].
type lateError struct{ patterns, unused []string }

func (e *lateError) Error() string { return "symbolic links came late" }

// readStage3 does the work of importStage3 once. After an error nothing of it is in the store.
func (b *build) readStage3(ctx context.Context, r *projects.Project, id base, exclude []string, unpacked bool) (rec baseRecord, err error) {
	open := func(ctx context.Context) (io.ReadCloser, error) {
		in, _, err := unpack.Open(ctx, id.path, unpack.OpenOptions{Jobs: b.o.Jobs, Log: b.o.Log})
		return in, err
	}
	in, err := open(ctx)
	if err != nil {
		return rec, err
	}
	defer in.Close() // read only

	w, err := b.o.Store.NewLayer(ctx, b.o.Compression, b.o.Jobs)
	if err != nil {
		return rec, err
	}
	defer w.Abort()
	dst := io.Writer(w)
	var dir *unpacking
	if unpacked {
		if dir, err = b.startUnpack(ctx, nil); err != nil {
			return rec, err
		}
		defer dir.abort(ctx)
		dst = io.MultiWriter(w, dir.w)
	}
	sum, err := unpack.Copy(ctx, dst, in, unpack.CopyOptions{Exclude: exclude, Reopen: open})
	if err != nil {
		if dir != nil {
			err = dir.explain(err)
		}
		return rec, err
	}
	if sum.Entries+sum.Excluded == 0 {
		return rec, fmt.Errorf("%w: the archive is empty", unpack.ErrNotTar)
	}
	if _, err := stage3Arch(r, &sum); err != nil {
		return rec, err
	}
	if len(sum.LateExcludes) > 0 {
		return rec, &lateError{patterns: sum.LateExcludes, unused: sum.UnusedExcludes}
	}
	if dir != nil {
		if err := dir.finish(); err != nil {
			return rec, err
		}
	}
	layer, err := w.Commit()
	if err != nil {
		return rec, err
	}
	if dir != nil {
		if err := b.o.Store.AdoptLayerDir(dir.holder, layer.DiffID); err != nil {
			return rec, err
		}
	}
	return baseRecord{DiffIDs: []digest.Digest{layer.DiffID}, Summary: &sum}, nil
}

// An unpacking is a stage that unpacks what is written to it.
type unpacking struct {
	b      *build
	holder string // what becomes layers/HEX
	w      *os.File
	p      *chroot.Process
	done   bool
	err    error
}

// startUnpack starts to unpack a layer into a new directory. lowers are the directories it lies on, top first.
// The caller ends it with finish, and calls abort in any case.
func (b *build) startUnpack(ctx context.Context, lowers []string) (*unpacking, error) {
	host, err := b.o.Host()
	if err != nil {
		return nil, err
	}
	holder, err := b.o.Store.MakeTemp("layer")
	if err != nil {
		return nil, err
	}
	dir := layers.DirIn(holder)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p, err := host.Start(ctx, chroot.Command{
		Stage: stageUnpack, Args: unpackArgs{Dir: dir, Lowers: lowers}, Files: []*os.File{r}, Log: b.o.Log,
	})
	err = errors.Join(err, r.Close())
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &unpacking{b: b, holder: holder, w: w, p: p}, nil
}

// finish waits until everything is unpacked.
func (u *unpacking) finish() error {
	if u.done {
		return u.err
	}
	u.done = true
	err := u.w.Close()
	u.err = errors.Join(u.p.Wait(nil), err)
	return u.err
}

// explain returns what the stage says if it ended early: the writer only saw a broken pipe.
func (u *unpacking) explain(err error) error {
	if !errors.Is(err, unix.EPIPE) {
		return err
	}
	if serr := u.finish(); serr != nil {
		return serr
	}
	return err
}

// abort ends the stage, if it has not ended, and removes what it made, if it was not adopted.
func (u *unpacking) abort(ctx context.Context) {
	if err := u.finish(); err != nil {
		u.b.o.Log.Debug("unpacking ended early", "error", err)
	}
	u.b.discard(ctx, u.holder)
}

// discard removes work in progress. What cannot be removed now goes with the workspace.
func (b *build) discard(ctx context.Context, path string) {
	if _, err := os.Lstat(path); err != nil {
		return
	}
	if os.RemoveAll(path) == nil {
		return
	}
	if err := Remover(b.o.Host)(ctx, path); err != nil {
		b.o.Log.Debug("cannot remove work in progress now", "path", path, "error", err)
	}
}
