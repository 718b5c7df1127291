package projects

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/opencontainers/go-digest"

	"xtoo/projects/schema"
)

// Component is one thing that a node's result depends on, besides what it builds on.
type Component struct {
	// Name says what it is, for people too ("value hostname changed"): "script", "interpreter", "network", "resolver",
	// "arch", "project", "node", "value NAME", "secret NAME", "env NAME", "file PATH", "volume TARGET".
	Name string
	// Digest is over the thing; empty for secrets.
	Digest digest.Digest
	// Secret is set for secrets: a plain digest of one could be guessed back, so it must enter a key under
	// a key of the store's own (HMAC).
	Secret *Secret
}

// Inputs is what a node's result depends on, as it was when it was read.
type Inputs struct {
	Components []Component // by name
	Script     Content     // the script's bytes
	Files      []FileEntry // what is below $XTOO_FILES: parents before what is in them
}

// Content names bytes.
type Content struct {
	Digest digest.Digest // SHA-256
	Size   int64
}

// A Keeper takes bytes at the moment when their digest enters a key: it opens, reads all and closes, and returns the
// SHA-256 digest and the size of what it read. What it kept is then what the key speaks of, whatever becomes of the
// file. It may be called again for bytes that it has.
type Keeper func(ctx context.Context, open func() (io.ReadCloser, error)) (digest.Digest, int64, error)

// take gives bytes to the keeper, or only hashes them if there is none.
func (k Keeper) take(ctx context.Context, open func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
	if k == nil {
		return hash(open)
	}
	d, size, err := k(ctx, open)
	if err != nil {
		return "", 0, err
	}
	if err := d.Validate(); err != nil || d.Algorithm() != digest.SHA256 {
		return "", 0, fmt.Errorf("kept under %q, which is no SHA-256 digest", d)
	}
	return d, size, nil
}

func hash(open func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
	r, err := open()
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	size := int64(32 << 10)
	if f, ok := r.(fs.File); ok {
		if info, err := f.Stat(); err == nil {
			size = min(size, max(info.Size(), 0)+1)
		}
	}
	h := sha256.New()
	// Without their own ways of copying, which would take a larger buffer for the smallest file.
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, size))
	if err != nil {
		return "", 0, err
	}
	return sha256Digest([sha256.Size]byte(h.Sum(nil))), n, nil
}

// Inputs returns everything of the configuration that the node's result depends on. Nothing of the host is in it: no path,
// owner, mode or time of a file, no tier. It reads the declared files and gives them, and the script, to keep, one after
// the other; nil: they are only hashed. The components do not depend on keep.
//
// The error is that of reading the files, with the position of their declaration, or of keep.
func (n *Node) Inputs(ctx context.Context, keep Keeper) (*Inputs, error) {
	in := &Inputs{Components: n.components()}
	if keep == nil {
		in.Script = Content{sha256Digest(sha256.Sum256(n.body)), int64(len(n.body))}
	} else {
		var err error
		in.Script.Digest, in.Script.Size, err = keep.take(ctx, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(n.body)), nil })
		if err != nil {
			return nil, fmt.Errorf("%s: script of node %s: %w", n.Pos, n.Path, err)
		}
	}
	in.Components = append(in.Components, Component{Name: "script", Digest: in.Script.Digest})
	for _, v := range n.Volumes {
		if v.track == nil {
			continue
		}
		c, err := v.tracked(ctx)
		if err != nil {
			return nil, err
		}
		in.Components = append(in.Components, c)
	}
	for _, f := range n.files {
		entries, err := f.entries(ctx, keep)
		switch {
		case errors.As(err, new(*keepError)), errors.Is(err, ctx.Err()) && ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %w", f.pos, err)
		case err != nil:
			return nil, &schema.Errors{List: []schema.Problem{{Pos: f.pos, Msg: err.Error(), Err: err}}}
		}
		in.Components = append(in.Components, Component{Name: "file " + f.path, Digest: digestOfEntries(entries)})
		if in.Files == nil {
			in.Files = entries
		} else {
			in.Files = append(in.Files, entries...)
		}
	}
	sortComponents(in.Components)
	return in, nil
}

func sortComponents(list []Component) {
	slices.SortFunc(list, func(a, b Component) int { return cmp.Compare(a.Name, b.Name) })
}

// components are those of a node that need no reading. There is room for the others.
func (n *Node) components() []Component {
	size := 3 + 1 + 1 + 1 + len(n.files)
	for _, some := range n.fixed {
		size += len(some)
	}
	out := make([]Component, 0, size)
	for _, some := range n.fixed {
		out = append(out, some...)
	}
	if n.Resolver == ResolverImage && n.Network != NetworkNone {
		out = append(out, Component{Name: "resolver", Digest: digestOf(string(n.Resolver))})
	}
	if n.ClearFresh {
		out = append(out, Component{Name: "clear-fresh", Digest: digestOf("true")})
	}
	return append(out,
		Component{Name: "interpreter", Digest: digestOf(n.Interpreter...)},
		Component{Name: "network", Digest: digestOf(string(n.Network))},
		Component{Name: "node", Digest: digestOf(n.Path)})
}

// projectComponents are what all nodes of a project depend on.
func (q *PlannedProject) projectComponents() []Component {
	a := q.Arch
	return []Component{
		{Name: "arch", Digest: digestOf(a.Name, a.Subarch, a.PlatformString(), a.CHOST)},
		{Name: "project", Digest: digestOf(q.Project.name, q.Project.Tag, q.Project.typ)},
	}
}

func valueComponents(values []namedValue) []Component {
	out := make([]Component, 0, len(values))
	for _, v := range values {
		if s := v.value.secret; s != nil {
			out = append(out, Component{Name: "secret " + v.name, Secret: s})
			continue
		}
		out = append(out, Component{Name: "value " + v.name, Digest: digestOf(string(v.value.typ), v.value.String())})
	}
	return out
}

func envComponents(env map[string]string) []Component {
	out := make([]Component, 0, len(env))
	for name, value := range env {
		out = append(out, Component{Name: "env " + name, Digest: digestOf(value)})
	}
	sortComponents(out)
	return out
}

func volumeComponents(volumes []Volume) []Component {
	out := make([]Component, 0, len(volumes))
	for _, v := range volumes {
		mode := "rw"
		if v.ReadOnly {
			mode = "ro"
		}
		out = append(out, Component{Name: "volume " + v.Target, Digest: digestOf(v.text, v.Target, mode)})
	}
	return out
}

// digestOf is a digest over a sequence of texts that no other sequence has: each goes in behind its length, eight bytes,
// the highest first.
func digestOf(parts ...string) digest.Digest {
	size := 0
	for _, p := range parts {
		size += 8 + len(p)
	}
	var space [512]byte
	b := space[:0]
	if size > len(space) {
		b = make([]byte, 0, size)
	}
	for _, p := range parts {
		n := uint64(len(p))
		b = append(b, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		b = append(b, p...)
	}
	return sha256Digest(sha256.Sum256(b))
}

func sha256Digest(sum [sha256.Size]byte) digest.Digest {
	const prefix = "sha256:"
	var b [len(prefix) + 2*sha256.Size]byte
	copy(b[:], prefix)
	hex.Encode(b[len(prefix):], sum[:])
	return digest.Digest(b[:])
}
