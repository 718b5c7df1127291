package main

import (
	"context"
	"os"
	"path/filepath"
)

// sif: a SIF from built layers, against mksquashfs of the same tree.
func (b *bench) sif(ctx context.Context) ([]row, error) {
	const what = "SIF from built layers (gzip)"
	work, err := b.workDir("sif", b.full, notes(3, "sif")...)
	if err != nil {
		return nil, err
	}
	store := filepath.Join(b.dir, "sif-store")
	if _, err := b.start(ctx, call{what: "build of the layers", store: store, work: work}); err != nil {
		return nil, err
	}
	file, squash, root := filepath.Join(b.dir, "bench.sif"), filepath.Join(b.dir, "bench.squashfs"), filepath.Join(b.dir, "root")
	var theirs func(int) (sample, error)
	missing := lacks("mksquashfs", "tar", "bash")
	if missing == "" {
		if err := b.unpack(ctx, b.full, root); err != nil {
			return nil, err
		}
		theirs = func(int) (sample, error) {
			if err := os.RemoveAll(squash); err != nil {
				return sample{}, err
			}
			return command(ctx, b.dir, nil, "mksquashfs", root, squash, "-comp", "gzip", "-noappend", "-no-progress", "-quiet")
		}
	}
	p, err := b.sideBySide(func(int) (sample, error) {
		if err := os.RemoveAll(file); err != nil {
			return sample{}, err
		}
		return b.start(ctx, call{what: what, store: store, work: work, args: []string{"--sif", file}})
	}, theirs)
	if err != nil {
		return nil, err
	}
	rows := []row{compare(wall, what, "`mksquashfs -comp gzip`", p, 0.35, missing)}
	if missing == "" {
		r, err := sizes(file, squash)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, b.drop(ctx, store)
}

// sizes compares the SIF with the squashfs file.
func sizes(file, squash string) (row, error) {
	a, err := os.Stat(file)
	if err != nil {
		return row{}, err
	}
	c, err := os.Stat(squash)
	if err != nil {
		return row{}, err
	}
	ratio := float64(a.Size()) / float64(c.Size())
	return row{
		what: "size of that SIF", kind: size, ours: megabytes(a.Size()), theirs: "`mksquashfs -comp gzip`: " + megabytes(c.Size()),
		figure: ratio, limit: 1.02, unit: "×",
	}, nil
}

// nothing: a build with nothing to do.
func (b *bench) nothing(ctx context.Context) ([]row, error) {
	const what = "nothing to do, 20 nodes, OCI layout and SIF present"
	work, err := b.workDir("nothing", b.full, notes(20, "nothing")...)
	if err != nil {
		return nil, err
	}
	c := call{what: "build of 20 nodes", store: filepath.Join(b.dir, "nothing-store"), work: work}
	c.args = []string{"--oci-layout", filepath.Join(b.dir, "nothing-oci"), "--sif", filepath.Join(b.dir, "nothing.sif")}
	if _, err := b.start(ctx, c); err != nil {
		return nil, err
	}
	c.what = what
	m, err := b.inTurn(func(int) (sample, error) { return b.start(ctx, c) })
	if err != nil {
		return nil, err
	}
	r := bound(wall, what, pair{ours: m[0]}, 0.10)
	r.theirs = ""
	return []row{r}, b.drop(ctx, c.store)
}
