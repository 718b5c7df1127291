package sources

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/projects"
	"xtoo/qemu"
	"xtoo/unpack"
)

// Stage3 is the source of roots that start from a stage3 file: its tar stream, less what is excluded, is the one layer.
type Stage3 struct {
	// Store takes the layer, and remembers the digests of the files.
	Store *store.Store
	// Unpack starts to unpack a layer that lies on nothing, while it is read.
	Unpack func(ctx context.Context) (Unpacking, error)
	// Jobs is how many cores decompress a file that is only looked at. Default: all.
	Jobs int
	// Log takes what is for developers; nil discards.
	Log *slog.Logger
}

// An Unpacking makes the directory of a layer from what is written to it.
type Unpacking interface {
	io.Writer
	// Explain finds the reason behind an error of Write.
	Explain(err error) error
	// Finish waits until everything is unpacked.
	Finish() error
	// Adopt makes it the directory of the layer of that name, after Finish.
	Adopt(name digest.Digest) error
	// Abort gives it up. After Adopt it does nothing.
	Abort(ctx context.Context)
}

// fileDigest is the digest of a file, from memory if it can be. reading is called before the file is read.
func fileDigest(ctx context.Context, s *store.Store, path string, reading func()) (digest.Digest, store.FileID, error) {
	id, err := store.IdentifyFile(path)
	if err != nil {
		return "", id, err
	}
	if r, ok := s.RememberedFile(id); ok {
		return r.Digest, id, nil
	}
	if reading != nil {
		reading()
	}
	return s.FileDigest(ctx, path)
}

// Identify implements [engine.Source]: a stage3 that was read before and has not changed since is not opened.
func (s *Stage3) Identify(ctx context.Context, b *projects.Base, reading func()) (digest.Digest, error) {
	d, _, err := fileDigest(ctx, s.Store, b.Path, reading)
	if err != nil {
		return "", fmt.Errorf("%s: stage3: %w", b.Pos, err)
	}
	return engine.Key("stage3", append([]string{d.String()}, b.Project.Exclude...)...), nil
}

// Look implements [engine.Source]: it reads the stream to its end, since its programs may stand anywhere in it.
func (s *Stage3) Look(ctx context.Context, b *projects.Base) (engine.Material, error) {
	return s.read(b, func(exclude []string) (engine.Material, *unpack.Summary, error) {
		return s.copy(ctx, b, io.Discard, exclude, s.Jobs)
	}, func(string) {})
}

// Read implements [engine.Source]: the tar stream becomes a blob and, if a node will run on it, a layer directory.
func (s *Stage3) Read(ctx context.Context, b *projects.Base, r engine.Reading) (engine.Material, error) {
	return s.read(b, func(exclude []string) (engine.Material, *unpack.Summary, error) {
		return s.store(ctx, b, r, exclude)
	}, r.Warn)
}

// read calls once, and again with more patterns if symbolic links came late: see [unpack.Summary.LateExcludes].
func (s *Stage3) read(
	b *projects.Base, once func(exclude []string) (engine.Material, *unpack.Summary, error), warn func(string),
) (engine.Material, error) {
	m, sum, err := once(b.Project.Exclude)
	if late := (*lateError)(nil); errors.As(err, &late) {
		m, sum, err = once(append(slices.Clone(b.Project.Exclude), late.patterns...))
		if err == nil { // patterns of ours that match nothing are nobody's mistake
			sum.UnusedExcludes = late.unused
		}
	}
	if err != nil {
		return engine.Material{}, inStage3(b, err)
	}
	if isFuture(sum.Newest) {
		warn(fmt.Sprintf("%s: stage3 %s: %s is of %s, %s", b.Pos, b.Path, sum.Latest, sum.Newest.Format(time.RFC3339), future))
	}
	for _, p := range sum.UnusedExcludes {
		if !b.Project.ExpectsExcluded(p) {
			continue
		}
		warn(fmt.Sprintf("%s: exclude %q matches nothing in %s", b.Pos, p, b.Path))
	}
	return m, nil
}

// isFuture says whether a time is later than a clock that is right can have it, whatever its zone.
func isFuture(t time.Time) bool { return t.After(time.Now().Add(24 * time.Hour)) }

// future says what becomes of that.
const future = "which this machine's clock has not reached yet: new layers and the image are dated so, too; " +
	"if that is wrong, set SOURCE_DATE_EPOCH, or the clock"

// lateError says that a stage3 must be read again with more patterns.
type lateError struct{ patterns, unused []string }

func (e *lateError) Error() string { return "symbolic links came late" }

// copy copies the stream to dst and says what is in it.
func (s *Stage3) copy(ctx context.Context, b *projects.Base, dst io.Writer, exclude []string, jobs int) (engine.Material, *unpack.Summary, error) {
	open := func(ctx context.Context) (io.ReadCloser, error) {
		in, _, err := unpack.Open(ctx, b.Path, unpack.OpenOptions{Jobs: jobs, Log: s.Log})
		return in, err
	}
	in, err := open(ctx)
	if err != nil {
		return engine.Material{}, nil, err
	}
	defer in.Close() // read only
	sum, err := unpack.Copy(ctx, dst, in, unpack.CopyOptions{Exclude: exclude, Reopen: open})
	if err != nil {
		return engine.Material{}, nil, err
	}
	if sum.Entries+sum.Excluded == 0 {
		return engine.Material{}, nil, fmt.Errorf("%w: the archive is empty", unpack.ErrNotTar)
	}
	m := engine.Material{Created: sum.Newest, Programs: programs(&sum), Entries: sum.Entries, Bytes: sum.Bytes}
	if _, err := archOf(b, m); err != nil {
		return m, nil, err
	}
	if len(sum.LateExcludes) > 0 {
		return m, nil, &lateError{patterns: sum.LateExcludes, unused: sum.UnusedExcludes}
	}
	return m, &sum, nil
}

// store is copy into the store. After an error nothing of it is there.
func (s *Stage3) store(ctx context.Context, b *projects.Base, r engine.Reading, exclude []string) (engine.Material, *unpack.Summary, error) {
	fail := func(err error) (engine.Material, *unpack.Summary, error) { return engine.Material{}, nil, err }
	w, err := s.Store.NewLayer(ctx, r.Compression, r.Jobs)
	if err != nil {
		return fail(err)
	}
	defer w.Abort()
	dst := io.Writer(w)
	var dir Unpacking
	if r.Unpack {
		if dir, err = s.Unpack(ctx); err != nil {
			return fail(err)
		}
		defer dir.Abort(ctx)
		dst = io.MultiWriter(w, dir)
	}
	m, sum, err := s.copy(ctx, b, dst, exclude, r.Jobs)
	if err != nil {
		if dir != nil {
			err = dir.Explain(err)
		}
		return fail(err)
	}
	if dir != nil {
		if err := dir.Finish(); err != nil {
			return fail(err)
		}
	}
	layer, err := w.Commit()
	if err != nil {
		return fail(err)
	}
	if dir != nil {
		if err := dir.Adopt(layer.DiffID); err != nil {
			return fail(err)
		}
	}
	m.Layers = []engine.Link{{DiffID: layer.DiffID, Dir: layer.DiffID}}
	return m, sum, nil
}

// programs counts the programs that say what a stage3 is for: those where a system keeps what it runs itself, if there
// are any.
func programs(sum *unpack.Summary) []engine.Programs {
	machines := sum.StandardMachines
	if len(machines) == 0 {
		machines = sum.Machines
	}
	var out []engine.Programs
	for m, n := range machines {
		out = append(out, engine.Programs{
			ELF: qemu.ELF{Machine: elf.Machine(m.Machine), Class: elf.Class(m.Class), Data: elf.Data(m.Data)}, Count: n,
		})
	}
	return out
}

// archOf is the architecture that was declared, or else the one that the programs of the stage3 are for.
func archOf(b *projects.Base, m engine.Material) (qemu.Arch, error) {
	counts := map[qemu.ELF]int{}
	for _, p := range m.Programs {
		counts[p.ELF] += p.Count
	}
	if b.Arch.IsZero() {
		a, err := qemu.Detect(counts)
		if err != nil {
			return a, fmt.Errorf("%w: declare its arch", err)
		}
		return a, nil
	}
	if err := b.Arch.Check(counts); err != nil {
		return qemu.Arch{}, err
	}
	return b.Arch, nil
}

// inStage3 says which stage3 an error is about, and where it is named.
func inStage3(b *projects.Base, err error) error {
	return fmt.Errorf("%s: stage3 %s: %w", b.Pos, b.Path, err)
}

// Found implements [engine.Source].
func (s *Stage3) Found(b *projects.Base, m engine.Material) (engine.Foundation, error) {
	arch, err := archOf(b, m)
	if err != nil {
		return engine.Foundation{}, inStage3(b, err)
	}
	f := engine.Foundation{
		Arch: arch, Layers: m.Layers, Created: m.Created, Undated: true,
		Config: v1.ImageConfig{Env: []string{"PATH=" + engine.DefaultPath}, Cmd: []string{"/bin/sh"}},
	}
	for _, l := range m.Layers {
		h := v1.History{CreatedBy: "xtoo stage3 " + l.DiffID.String()}
		if len(b.Project.Exclude) > 0 {
			h.Comment = "without " + strings.Join(b.Project.Exclude, " ")
		}
		f.History = append(f.History, h)
	}
	return f, nil
}
