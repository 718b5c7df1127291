package engine_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"xtoo/internal/engine"
	"xtoo/layers/store"
)

// A copier is a runner on which the node "fickle" writes something else into /r each time, and the node "copy" copies it.
type copier struct {
	engine.Runner
	store *store.Store
	times *atomic.Int32
}

func (c copier) Run(ctx context.Context, j engine.Job, at engine.Site) (engine.Outcome, error) {
	script := fmt.Sprintf("echo %d > /r", c.times.Add(1))
	if strings.HasSuffix(nodeOf(j), ":copy") {
		r, err := find(c.store, j.Layers, "r")
		if err != nil {
			return engine.Outcome{}, err
		}
		script = "echo " + strings.TrimSpace(r) + " > /copy"
	}
	var err error
	if j.Script.Digest, j.Script.Size, err = c.store.KeepInput(ctx, strings.NewReader(script)); err != nil {
		return engine.Outcome{}, err
	}
	return c.Runner.Run(ctx, j, at)
}

// find is the content of a file in the topmost of the layers that has it.
func find(s *store.Store, links []engine.Link, name string) (string, error) {
	for _, l := range slices.Backward(links) {
		in, err := s.OpenLayer(l.DiffID)
		if err != nil {
			return "", err
		}
		for tr := tar.NewReader(in); ; {
			hdr, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return "", errors.Join(err, in.Close())
			}
			if hdr.Name == name {
				data, err := io.ReadAll(tr)
				return string(data), errors.Join(err, in.Close())
			}
		}
		if err := in.Close(); err != nil {
			return "", err
		}
	}
	return "", os.ErrNotExist
}

// Whatever is lost of a store, an image is one that its nodes really gave, in that order: from project to project, and
// from node to node in one project.
func TestWhatLiesBelow(t *testing.T) {
	trees := map[string]map[string]string{
		"two projects": {
			"top":     stage3 + "scripts: [{name: fickle, run: date}]\n",
			"top/low": "scripts: [{name: copy, run: cp}]\n",
		},
		"one project": {"top": stage3 + "scripts: [{name: fickle, run: date}, {name: copy, run: cp}]\n"},
	}
	losses := map[string]func(b *bench) []string{
		"nothing":         func(*bench) []string { return nil },
		"layer below":     func(b *bench) []string { return []string{b.blob(engine.TagOf(b.output.Images[0]).Blobs[2].Digest)} },
		"layer's record":  func(b *bench) []string { return []string{b.layerRecord(1)} },
		"base's record":   func(b *bench) []string { return onlyFile(b.t, b.dir, "cache/bases/*/*") },
		"nodes' records":  func(b *bench) []string { return onlyFile(b.t, b.dir, "cache/nodes/*/*") },
		"runs' records":   func(b *bench) []string { return onlyFile(b.t, b.dir, "cache/runs/*/*") },
		"images' records": func(b *bench) []string { return onlyFile(b.t, b.dir, "cache/images/*/*") },
		"all records":     func(b *bench) []string { return onlyFile(b.t, b.dir, "cache/*/*/*") },
		"all blobs":       func(b *bench) []string { return onlyFile(b.t, b.dir, "oci/blobs/sha256/*") },
		"nodes' and runs'": func(b *bench) []string {
			return append(onlyFile(b.t, b.dir, "cache/nodes/*/*"), onlyFile(b.t, b.dir, "cache/runs/*/*")...)
		},
	}
	for tree, configs := range trees {
		for loss, of := range losses {
			t.Run(tree+"/"+loss, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, configs)
				b.o.Runner = copier{b.o.Runner, b.o.Store, new(atomic.Int32)}
				b.counts(2, 0)
				b.o.NoCache = true
				if _, err := engine.Build(t.Context(), b.planFor([]string{"top"}), b.o); err != nil {
					t.Fatal(err)
				}
				b.o.NoCache = false
				for _, path := range of(b) {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
				status := b.status()
				started := b.build().Executed
				for _, img := range b.output.Images {
					r, err := find(b.o.Store, img.Links, "r")
					copied, cerr := find(b.o.Store, img.Links, "copy")
					if errors.Is(cerr, os.ErrNotExist) && len(configs) == 2 && img.Project.Project.Tag == "top" {
						continue
					}
					if err != nil || cerr != nil || r != copied {
						t.Errorf("%d executed: /r is %q (%v), /copy %q (%v)", started, r, err, copied, cerr)
					}
				}
				toRun := 0
				for name, why := range status {
					if strings.Contains(name, ":") && why != "" {
						toRun++
					}
				}
				if started > toRun || loss == "nothing" && started != len(configs)-1 { // without its base, nobody can tell
					t.Errorf("%d nodes were to be executed (%q), %d were", toRun, status, started)
				}
				b.counts(0, 2)
			})
		}
	}
}

// layerRecord is the record of the layer of the first image at that place.
func (b *bench) layerRecord(at int) string {
	return filepath.Join(b.dir, "cache/layers/3", b.output.Images[0].Links[at].DiffID.Encoded()+".json")
}
