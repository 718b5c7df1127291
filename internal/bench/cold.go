package main

import (
	"context"
	"errors"
	"fmt"
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
		return func(i int) (sample, error) { return b.coldBuild(ctx, what, work, compression, i) }
	}
	pipeline := func(i int) (sample, error) { return b.pipeline(ctx, i) }
	xz := func(int) (sample, error) { return b.xzDecode(ctx) }
	missing := lacks("bash", "xz", "tee", "sha256sum", "pigz", "tar")
	if missing != "" {
		pipeline, xz = nil, nil
	}
	m, err := b.inTurn(ours("gzip"), ours("zstd"), pipeline, xz)
	if err = errors.Join(err, b.removeCold(ctx)); err != nil {
		return nil, err
	}
	return []row{
		compare(wall, what+" (gzip)", names, pair{m[0], m[2]}, 0.55, missing),
		compare(wall, what+" (zstd)", names, pair{m[1], m[2]}, 0.45, missing),
		compare(cpu, what+" (gzip)", xzDecodes, pair{m[0], m[3]}, 2.2, missing),
	}, nil
}

// coldBuild builds with an empty store. What it makes stays until all is measured: where many files were removed in the last
// minutes, an ext4 without a journal takes several times as long to make new ones.
func (b *bench) coldBuild(ctx context.Context, what, work, compression string, i int) (sample, error) {
	name := fmt.Sprintf("cold-%s-%d", compression, i)
	args := []string{"--compression", compression, "--oci-layout", filepath.Join(b.dir, name+"-oci")}
	return b.start(ctx, call{what: what, store: b.storeOf(name), work: work, args: args})
}

// pipeline does the same work with the tools that everyone has.
func (b *bench) pipeline(ctx context.Context, i int) (sample, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("pipeline-%d", i))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return sample{}, err
	}
	script := `set -o pipefail; xz -dc -T2 "$1" | tee >(sha256sum > sum) >(pigz -p2 -6 > blob.gz) | ` + untar() + `; rc=$?; wait; exit $rc`
	return command(ctx, dir, nil, "bash", "-c", script, "pipeline", b.full)
}

// removeCold removes what cold has made.
func (b *bench) removeCold(ctx context.Context) error {
	for i := range b.runs {
		for _, compression := range []string{"gzip", "zstd"} {
			name := fmt.Sprintf("cold-%s-%d", compression, i)
			if err := errors.Join(b.drop(ctx, b.storeOf(name)), os.RemoveAll(filepath.Join(b.dir, name+"-oci"))); err != nil {
				return err
			}
		}
		dir := filepath.Join(b.dir, fmt.Sprintf("pipeline-%d", i))
		if _, err := os.Stat(dir); err != nil {
			continue // its tools are missing
		}
		if err := b.remove(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}
