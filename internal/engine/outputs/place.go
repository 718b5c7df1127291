package outputs

import (
	"context"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/atomicfile"
	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/projects"
)

// A Place says where a kind of outputs goes: one file for each image.
type Place struct {
	// Store has the images, and remembers the files.
	Store *store.Store
	// Path is the file or (a directory, or with a slash at its end) the directory to write to; empty: only what
	// configurations ask for.
	Path string
	// Force replaces files that have other bytes.
	Force bool
	// Claims are those of all outputs of a build; nil: nobody looks whether two would write one file.
	Claims Claims
}

// A plainKind is a kind of outputs that is one file for each image.
type plainKind struct {
	Place
	output projects.Output
	flag   string
	made   func(p *projects.PlannedProject, img *engine.Image) digest.Digest
	// fill writes the content of the file.
	fill func(ctx context.Context, p *product, to *atomicfile.File) error
}

func (k *plainKind) asked() asked {
	return asked{output: k.output, flag: k.flag, path: k.Path, claims: k.Claims}
}

func (k *plainKind) check(list []*projects.PlannedProject) error {
	a := k.asked()
	return a.check(list)
}

func (k *plainKind) write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	of := &kind{asked: k.asked(), store: k.Store, force: k.Force, perm: 0o644}
	of.made = func(t target, img *engine.Image) digest.Digest { return k.made(t.project, img) }
	of.fill = func(ctx context.Context, p *product, to []*atomicfile.File) ([]digest.Digest, error) {
		if err := k.fill(ctx, p, to[0]); err != nil {
			return nil, err
		}
		d, err := digestOf(to[0].File)
		return []digest.Digest{d}, err
	}
	return of.write(ctx, images, done)
}
