package engine

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"xtoo/projects"
	"xtoo/qemu"
	"xtoo/unpack"
)

// stage3Arch is the architecture that was declared, or else the one that the programs of the stage3 are for.
func stage3Arch(r *projects.Base, s *unpack.Summary) (qemu.Arch, error) {
	counts := map[qemu.ELF]int{}
	machines := s.StandardMachines
	if len(machines) == 0 {
		machines = s.Machines
	}
	for m, n := range machines {
		counts[qemu.ELF{Machine: elf.Machine(m.Machine), Class: elf.Class(m.Class), Data: elf.Data(m.Data)}] += n
	}
	if r.Arch.IsZero() {
		a, err := qemu.Detect(counts)
		if err != nil {
			return a, fmt.Errorf("%w: declare its arch", err)
		}
		return a, nil
	}
	if err := r.Arch.Check(counts); err != nil {
		return qemu.Arch{}, err
	}
	return r.Arch, nil
}

// inStage3 says which stage3 an error is about, and where it is named.
func inStage3(r *projects.Base, err error) error {
	return fmt.Errorf("%s: stage3 %s: %w", r.Pos, r.Path, err)
}

// importStage3 reads a stage3 once: its tar stream becomes a blob, and a layer directory if unpacked.
func (b *build) importStage3(ctx context.Context, r *projects.Base, id base, unpacked bool) (baseRecord, error) {
	rec, err := b.readStage3(ctx, r, id, r.Project.Exclude, unpacked)
	if late := (*lateError)(nil); errors.As(err, &late) {
		rec, err = b.readStage3(ctx, r, id, append(slices.Clone(r.Project.Exclude), late.patterns...), unpacked)
		if err == nil { // patterns of ours that match nothing are nobody's mistake
			rec.Summary.UnusedExcludes = late.unused
		}
	}
	if err != nil {
		return baseRecord{}, inStage3(r, err)
	}
	for _, p := range rec.Summary.UnusedExcludes {
		b.o.Events(Event{Kind: EventWarning, Text: fmt.Sprintf("%s: exclude %q matches nothing in %s", r.Pos, p, id.path)})
	}
	return rec, nil
}

// lateError says that a stage3 must be read again with more patterns: see [unpack.Summary.LateExcludes].
type lateError struct{ patterns, unused []string }

func (e *lateError) Error() string { return "symbolic links came late" }

// readStage3 does the work of importStage3 once. After an error nothing of it is in the store.
func (b *build) readStage3(ctx context.Context, r *projects.Base, id base, exclude []string, unpacked bool) (rec baseRecord, err error) {
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
