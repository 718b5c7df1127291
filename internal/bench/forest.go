package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
)

// A forest is many projects of few nodes each, as people have them.
const (
	forestRoots = 20
	forestNodes = 5 // of each project
)

// forestProjects are the projects of each root, by their paths below it: some stand beside each other, some in each other.
func forestProjects() []string {
	return []string{".", "host", "target", "xdev", "host/web", "host/db", "host/web/test", "target/small", "target/small/boot", "xdev/arm"}
}

// writeForest writes the work directory of a forest on one stage3.
func writeForest(dir, stage3 string) error {
	for r := range forestRoots {
		for n, p := range forestProjects() {
			root := stage3
			if p != "." {
				root = ""
			}
			var scripts []string
			for i := range forestNodes {
				scripts = append(scripts, fmt.Sprintf("echo %d > /etc/bench-%d-%d", r, n, i))
			}
			if err := writeProject(filepath.Join(dir, fmt.Sprintf("root%02d", r), p), root, scripts); err != nil {
				return err
			}
		}
	}
	return nil
}

// forest: build and tree of a forest in which nothing is to do, with everything that was asked for present.
func (b *bench) forest(ctx context.Context) ([]row, error) {
	n := forestRoots * len(forestProjects())
	nodes := fmt.Sprintf("%d roots × %d projects × %d nodes", forestRoots, len(forestProjects()), forestNodes)
	build := fmt.Sprintf("nothing to do, %s, OCI layout and %d SIF files present", nodes, n)
	tree := "`xtoo tree` of the same"
	demo, err := b.demoStage3(ctx)
	if err != nil {
		return nil, err
	}
	work := filepath.Join(b.dir, "forest")
	if err := writeForest(work, demo); err != nil {
		return nil, err
	}
	var builds, trees [2]measurer // ours, before
	for i, before := range []bool{false, true} {
		if before && b.base == "" {
			continue
		}
		dir := filepath.Join(b.dir, "forest-"+strconv.Itoa(i))
		c := call{what: "build of " + nodes, before: before, store: filepath.Join(dir, "store"), work: work}
		c.args = []string{"--oci-layout", filepath.Join(dir, "oci"), "--sif", filepath.Join(dir, "sif") + "/", "--jobs", strconv.Itoa(runtime.NumCPU())}
		if _, err := b.start(ctx, c); err != nil {
			return nil, err
		}
		c.what = build
		t := call{what: tree, before: before, verb: "tree", store: c.store, work: work}
		builds[i] = func(int) (sample, error) { return b.start(ctx, c) }
		trees[i] = func(int) (sample, error) { return b.start(ctx, t) }
	}
	m, err := b.inTurn(builds[0], builds[1], trees[0], trees[1])
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range []struct {
		what string
		p    pair
	}{{build, pair{m[0], m[1]}}, {tree, pair{m[2], m[3]}}} {
		rows = append(rows, bound(wall, c.what, c.p, 0.10), bound(memory, c.what, c.p, 50))
	}
	for i := range 2 {
		if err := b.drop(ctx, filepath.Join(b.dir, "forest-"+strconv.Itoa(i), "store")); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
