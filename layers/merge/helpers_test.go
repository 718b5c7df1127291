package merge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil/layertest"
	"xtoo/layers"
)

type item = layertest.Item

var (
	reg    = layertest.Reg
	folder = layertest.Dir
	sym    = layertest.Sym
	hard   = layertest.Hard
	char   = layertest.Char
	wh     = layertest.Wh
	tarOf  = layertest.Tar
)

// memory is a sink that remembers what it is given, and refuses what a real one must.
type memory struct{ files map[string]*memoryFile }

type memoryFile struct {
	layers.Member
	data  string
	names []string
}

func (m *memory) Add(e *layers.Member, data io.Reader) error {
	if _, ok := m.files[e.Path]; ok {
		return fmt.Errorf("add %q: %w", e.Path, fs.ErrExist)
	}
	if err := m.parents(e.Path); err != nil {
		return err
	}
	f := &memoryFile{Member: *e, names: []string{e.Path}}
	if e.IsRegular() && e.Size > 0 {
		if e.Size > 64<<20 {
			return fmt.Errorf("add %q: %d bytes", e.Path, e.Size)
		}
		b := make([]byte, e.Size)
		if _, err := io.ReadFull(data, b); err != nil {
			return err
		}
		f.data = string(b)
	}
	m.files[e.Path] = f
	return nil
}

// parents refuses what stands below a file, if that came first.
func (m *memory) parents(name string) error {
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if f := m.files[d]; f != nil && !f.IsDir() {
			return fmt.Errorf("add %q: %q is no directory", name, d)
		}
	}
	return nil
}

func (m *memory) Link(name, target string) error {
	f := m.files[target]
	if f == nil {
		return fmt.Errorf("link %q to %q: %w", name, target, fs.ErrNotExist)
	}
	if _, ok := m.files[name]; ok {
		return fmt.Errorf("link %q: %w", name, fs.ErrExist)
	}
	f.names = append(f.names, name)
	m.files[name] = f
	return m.parents(name)
}

// lines renders what a memory holds but for the root, one line a name.
func (m *memory) lines() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		if name == "" {
			continue
		}
		f := m.files[name]
		slices.Sort(f.names)
		line := fmt.Sprintf("%s %#o", name, f.Mode&0o7777)
		switch f.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			line = fmt.Sprintf("%s/ %#o", name, f.Mode&0o7777)
		case unix.S_IFLNK:
			line = name + " -> " + f.Target
		case unix.S_IFREG:
			line = name + " = " + f.data
		case unix.S_IFCHR:
			line = fmt.Sprintf("%s c %d:%d", name, f.Major, f.Minor)
		}
		if len(f.names) > 1 && name != f.names[0] {
			line += " @ " + f.names[0]
		}
		out = append(out, line)
	}
	return out
}

// layersOf makes layers of tar streams, in the order given: topmost first.
func layersOf(tars ...[]byte) []Layer {
	var out []Layer
	for _, b := range tars {
		out = append(out, Layer{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }})
	}
	return out
}

// merge merges layers into a memory, and adds the directories that no layer describes.
func merge(tars ...[]byte) (*memory, *View, error) {
	return mergeLayers(context.Background(), layersOf(tars...))
}

func mergeLayers(ctx context.Context, stack []Layer) (*memory, *View, error) {
	mem := &memory{}
	view, err := Layers(ctx, stack, func() (Sink, error) {
		mem.files = map[string]*memoryFile{}
		return mem, nil
	}, Options{})
	if err != nil {
		return mem, nil, err
	}
	given := len(mem.files)
	for name := range view.Implied() {
		if err := mem.Add(&layers.Member{Path: name, Mode: unix.S_IFDIR | 0o755}, nil); err != nil {
			return mem, nil, err
		}
	}
	if view.Entries != int64(given) {
		err = fmt.Errorf("counts %d entries, has %d", view.Entries, given)
	}
	return mem, view, err
}
