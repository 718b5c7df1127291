package main

import (
	"context"
	"os"
	"path/filepath"
)

// cold: a full stage3 and three small nodes into an OCI layout, against the usual pipeline, and against what xz alone costs.
func (b *bench) cold(ctx context.Context) ([]row, error) {
	const what, names = "cold build, 3 nodes, OCI layout", "`xz \\| tee sha256sum pigz \\| tar -x`"
	work, err := b.workDir("cold", b.full, notes(3, "cold")...)
	if err != nil {
		return nil, err
	}
	ours := func(compression string) measurer {
		return func(int) (sample, error) { return b.coldBuild(ctx, what, work, compression) }
	}
	pipeline := func(int) (sample, error) { return b.pipeline(ctx) }
	xz := func(int) (sample, error) { return b.xzDecode(ctx) }
	missing := lacks("bash", "xz", "tee", "sha256sum", "pigz", "tar")
	if missing != "" {
		pipeline, xz = nil, nil
	}
	m, err := b.inTurn(ours("gzip"), ours("zstd"), pipeline, xz)
	if err != nil {
		return nil, err
	}
	return []row{
		compare(wall, what+" (gzip)", names, pair{m[0], m[2]}, 0.55, missing),
		compare(wall, what+" (zstd)", names, pair{m[1], m[2]}, 0.45, missing),
		compare(cpu, what+" (gzip)", xzDecodes, pair{m[0], m[3]}, 2.2, missing),
	}, nil
}

// coldBuild builds with an empty store.
func (b *bench) coldBuild(ctx context.Context, what, work, compression string) (sample, error) {
	store, out := filepath.Join(b.dir, "cold-store"), filepath.Join(b.dir, "cold-oci")
	s, err := b.start(ctx, call{what: what, store: store, work: work, args: []string{"--compression", compression, "--oci-layout", out}})
	if err != nil {
		return s, err
	}
	if err := os.RemoveAll(out); err != nil {
		return s, err
	}
	return s, b.drop(ctx, store)
}

// pipeline does the same work with the tools that everyone has.
func (b *bench) pipeline(ctx context.Context) (sample, error) {
	dir := filepath.Join(b.dir, "pipeline")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return sample{}, err
	}
	script := `set -o pipefail; xz -dc -T2 "$1" | tee >(sha256sum > sum) >(pigz -p2 -6 > blob.gz) | ` + untar() + `; rc=$?; wait; exit $rc`
	s, err := command(ctx, dir, nil, "bash", "-c", script, "pipeline", b.full)
	if err != nil {
		return s, err
	}
	return s, b.remove(ctx, dir)
}
