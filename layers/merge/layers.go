package merge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"

	"github.com/opencontainers/go-digest"

	"xtoo/layers"
)

// A Layer is one layer of an image, as an uncompressed tar stream.
type Layer struct {
	// Open starts the stream from its beginning. It is called once, or more often where hard links or
	// duplicate members need it (see the package comment), and must yield the same each time. The
	// reader is closed before the next call.
	Open func() (io.ReadCloser, error)
	// DiffID is compared with what is read, to the end of the stream. Empty: not compared.
	DiffID digest.Digest
	// Name is what errors call the layer. Default: its diff id, or else its number.
	Name string
}

func (l Layer) name(i int) string {
	switch {
	case l.Name != "":
		return l.Name
	case l.DiffID != "":
		return "layer " + l.DiffID.String()
	}
	return fmt.Sprintf("layer %d from the top", i+1)
}

// A Sink takes what is visible. Members come in any order: a file may come before the directory that it is in, and
// directories that no layer describes do not come at all.
type Sink interface {
	// Add takes a member: never a hard link or a whiteout. It is valid for the call; its strings and its map may be kept.
	// data has m.Size bytes for a regular file; they need not be read.
	Add(m *layers.Member, data io.Reader) error
	// Link makes path another name of what was added as target.
	Link(path, target string) error
}

// Options of [Layers]. The zero value works.
type Options struct {
	// Log hears, at debug level, of what foreign images make necessary; nil discards.
	Log *slog.Logger
}

// Layers merges layers, the topmost first, into the sink that open makes. When a layer turns out to have several members
// of one name, open is called a second time, and what the first sink was given counts no longer. Errors name the layer
// and the member; after one the sink has been given a part of the image.
func Layers(ctx context.Context, stack []Layer, open func() (Sink, error), o Options) (*View, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for i, l := range stack {
		if l.Open == nil {
			return nil, fmt.Errorf("%s cannot be opened", l.name(i))
		}
	}
	scanFrom := len(stack)
	for {
		sink, err := open()
		if err != nil {
			return nil, err
		}
		m := newMerger(sink)
		err = m.all(ctx, stack, scanFrom)
		if errors.Is(err, errDuplicate) && m.at < scanFrom {
			scanFrom = m.at
			o.Log.Debug("a layer has several members of one name: it and those below are scanned first", "layer", stack[m.at].name(m.at))
			continue
		}
		if err != nil {
			return nil, err
		}
		m.view.Scans = len(stack) - scanFrom
		return m.view, nil
	}
}

// all merges all layers once, scanning those from number scanFrom, counted from 0.
func (m *merger) all(ctx context.Context, stack []Layer, scanFrom int) error {
	for i, l := range stack {
		m.at = i
		if err := m.read(ctx, l, i >= scanFrom); err != nil {
			return fmt.Errorf("%s: %w", l.name(i), err)
		}
	}
	return m.checkAll()
}

// A View is what a merge has found.
type View struct {
	Entries      int64 // names given to the sink
	Hidden       int64 // members that upper layers, or later ones of their own, hide
	SecondPasses int   // layers read again because a link needed what an upper layer hides
	Scans        int   // layers read twice because of duplicate members

	t *tree
}

// Found says what is visible at a path.
type Found uint8

// What [View.Lookup] finds.
const (
	Absent  Found = iota // nothing
	Dir                  // a directory
	Implied              // a directory that no layer describes, but something is or was in it
	Other                // something else
	Below                // nothing, and there can be nothing: something above it is no directory
)

// Lookup says what is visible at a clean path; "" is the root. Symbolic links are not followed.
func (v *View) Lookup(path string) Found {
	id := uint32(0)
	for more := path != ""; more; {
		if n := v.t.at(id); n.prov != 0 && n.flags&provDir == 0 {
			return Below
		}
		var name string
		name, path, more = strings.Cut(path, "/")
		next := v.t.index[v.t.slot(id, name)]
		if next == 0 {
			return Absent
		}
		id = next - 1
	}
	switch n := v.t.at(id); {
	case n.prov != 0 && n.flags&provDir != 0:
		return Dir
	case n.prov != 0:
		return Other
	case n.implied != 0:
		return Implied
	}
	return Absent
}

// Covered reports whether layers below the topmost have something at a clean path, or below it. What one of them deletes
// is none of it.
func (v *View) Covered(path string) bool {
	id, ok := v.find(path)
	if !ok {
		return false
	}
	n := v.t.at(id)
	return max(n.seen, n.below) > 1 && (n.flags&marked == 0 || v.t.marks[id].gone == 0)
}

// find returns the node of a clean path.
func (v *View) find(path string) (id uint32, ok bool) {
	for more := path != ""; more; {
		var name string
		name, path, more = strings.Cut(path, "/")
		next := v.t.index[v.t.slot(id, name)]
		if next == 0 {
			return none, false
		}
		id = next - 1
	}
	return id, true
}

// Implied yields the directories that no layer describes, but for the root, in the order in which they were met.
func (v *View) Implied() iter.Seq[string] {
	return func(yield func(string) bool) {
		for id := uint32(1); id < v.t.count; id++ {
			if n := v.t.at(id); n.prov == 0 && n.implied != 0 && !yield(v.t.path(id)) {
				return
			}
		}
	}
}
