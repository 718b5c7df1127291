package layers

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// A Listing is what there is in a root, by path, whatever it comes from: each file with its owner, mode, attributes and a digest of its
// content, so that two of them can be compared. The zero value is empty. It is a sink of a merge, and takes some 500 bytes a file.
type Listing struct{ files map[string]*listed }

// listed is a file. The names of one file share it.
type listed struct {
	Member
	content digest.Digest // of a regular file
	implied bool          // a directory of which nothing but its being there is known
}

// Add lists a member, which is no hard link and no whiteout, and reads the data of a regular file.
func (l *Listing) Add(m *Member, data io.Reader) error {
	f := &listed{Member: *m}
	f.ModTime = time.Unix(m.ModTime.Unix(), 0)
	if m.IsRegular() {
		d := digest.Canonical.Digester()
		if _, err := io.Copy(d.Hash(), data); err != nil {
			return fmt.Errorf("entry %q: %w", m.Path, err)
		}
		f.content = d.Digest()
	}
	l.put(m.Path, f)
	return nil
}

// Link makes path another name of what was listed as target.
func (l *Listing) Link(path, target string) error {
	f, ok := l.files[target]
	if !ok {
		return fmt.Errorf("entry %q: its target %q is not there", path, target)
	}
	l.put(path, f)
	return nil
}

// Imply lists a directory that nothing describes.
func (l *Listing) Imply(path string) { l.put(path, &listed{implied: true}) }

func (l *Listing) put(path string, f *listed) {
	if l.files == nil {
		l.files = map[string]*listed{}
	}
	l.files[path] = f
}

// The states of a [Change].
const (
	added   = "added"
	removed = "removed"
	changed = "changed"
)

// A Change is in what a file of a root is another than that of another root.
type Change struct {
	// State is "added", "removed" or "changed".
	State string `json:"state"`
	// Path from the root: "/etc/hosts".
	Path string `json:"path"`
	// How says in words what has changed, with what was before first: "mode 0644 and 0755", "content".
	How []string `json:"how,omitempty"`
}

// Changes says what has become of before, in the order of a canonical stream, until ctx ends. Which names share a file, times within a second, and
// what is not known of a directory, count for nothing.
func (l *Listing) Changes(ctx context.Context, before *Listing) ([]Change, error) {
	paths := maps.Clone(before.files)
	if paths == nil {
		paths = map[string]*listed{}
	}
	maps.Copy(paths, l.files)
	var all []Change
	for _, path := range slices.SortedFunc(maps.Keys(paths), compareNames) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		was, is := before.files[path], l.files[path]
		c := Change{Path: "/" + path}
		switch {
		case path == "" && (was == nil || is == nil):
			continue // a root is always there
		case was == nil:
			c.State = added
		case is == nil:
			c.State = removed
		default:
			c.State, c.How = changed, was.changed(is)
			if len(c.How) == 0 {
				continue
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// changed says in what a file is another.
func (f *listed) changed(now *listed) []string {
	if f.implied || now.implied {
		if (f.implied || f.IsDir()) && (now.implied || now.IsDir()) {
			return nil
		}
		return []string{f.what() + " and " + now.what()}
	}
	how := f.differs(&now.Member)
	switch {
	case !f.IsRegular() || !now.IsRegular():
	case f.Size != now.Size:
		how = append(how, fmt.Sprintf("content of %d and %d bytes", f.Size, now.Size))
	case f.content != now.content:
		how = append(how, "content")
	}
	return how
}

func (f *listed) what() string {
	if f.implied {
		return "directory"
	}
	return f.kind()
}
