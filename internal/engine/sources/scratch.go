package sources

import (
	"context"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/engine"
	"xtoo/projects"
	"xtoo/qemu"
)

// Scratch is the source of roots that start from nothing.
type Scratch struct{}

// Identify implements [engine.Source]: there is nothing to be read.
func (Scratch) Identify(context.Context, *projects.Base, func()) (digest.Digest, error) {
	return "", nil
}

// Look implements [engine.Source].
func (Scratch) Look(context.Context, *projects.Base) (engine.Material, error) {
	return engine.Material{}, nil
}

// Read implements [engine.Source].
func (Scratch) Read(context.Context, *projects.Base, engine.Reading) (engine.Material, error) {
	return engine.Material{}, nil
}

// Found implements [engine.Source]: it is for the architecture that was declared, or for this machine's.
func (Scratch) Found(b *projects.Base, _ engine.Material) (engine.Foundation, error) {
	f := engine.Foundation{Arch: b.Arch, Created: time.Unix(0, 0)}
	if f.Arch.IsZero() {
		f.Arch = qemu.Host()
	}
	if f.Arch.IsZero() {
		return f, fmt.Errorf("%s: from scratch: this machine's architecture is not known by name: declare one (from: {image: scratch, arch: …})", b.Pos)
	}
	return f, nil
}
