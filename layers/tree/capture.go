package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"xtoo/layers/inode"
)

// What [Capture] refuses.
var (
	// errWhiteoutName: a file's own name begins with ".wh.", which in a layer means that something is deleted.
	errWhiteoutName = errors.New(`a name that begins with ".wh." cannot be in a layer`)
	// errOverlay: the upper directory was mounted with redirect_dir or metacopy, so that it does not say what
	// the merged tree held.
	errOverlay = errors.New("the upper directory refers to files of lower layers (redirect_dir or metacopy)")
)

// CaptureOptions are the options of [Capture].
type CaptureOptions struct {
	// Epoch is SOURCE_DATE_EPOCH: later times are set to it. The zero Time leaves times as they are.
	Epoch time.Time
	// Ran is when the script ran that made the change, by the clock that gave the files their times: what lies in it
	// is set to Epoch, too, so that a clock that is behind Epoch changes nothing.
	Ran []Span
	// Copied: no overlay made upper, but [TakeChanges], and what becomes of it is copied from, and never mounted.
	Copied bool
}

// A Span is a time from one instant to another, both included.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// CaptureResult says what [Capture] has found.
type CaptureResult struct {
	// Entries of the tar stream, whiteouts included. With zero nothing changed, nothing was written, not even
	// the archive's end, and the upper directory is empty.
	Entries   int64 `json:"entries"`
	Whiteouts int64 `json:"whiteouts"`
	Bytes     int64 `json:"bytes"`  // content of regular files
	Pruned    int64 `json:"pruned"` // files that overlayfs had copied up and that did not change
	// Recorded: the directory has owners or devices that only records tell.
	Recorded bool `json:"recorded,omitempty"`
	// Lists: it has directories with default access control lists.
	Lists bool `json:"lists,omitempty"`
	// Passes: it has directories that pass on a group which only a record tells.
	Passes bool `json:"passes,omitempty"`
	// Skipped names what no layer can hold (at most 1000): sockets, xattrs with a "=" in their name.
	Skipped []Note `json:"skipped,omitempty"`
}

// Capture writes the difference between an overlay's tree and its lower layers (top first) to w, as the tar
// stream of an OCI layer, and changes upper, the overlay's upper directory, into what [Unpack] of that stream
// would make. It runs as root of the user namespace that the overlay was mounted in, with the option userxattr,
// after it is unmounted. Its cost is that of what upper holds.
//
// The stream is canonical. The same change of the same tree gives the same bytes in any tier:
//
//   - Entries are sorted by the bytes of their names, a directory's content right after it, every directory
//     that leads to a change included, the root ("./") only if it changed itself. Names have no leading "./".
//   - What overlayfs copied up and is equal to the lower layers' is left out. Equal means type, mode, owner,
//     xattrs, size, content, target and device, and a time that is the same or becomes the same by Epoch and Ran.
//   - A deletion is a whiteout, also where a directory was deleted and made again (no opaque directories), and
//     only where a lower layer has something to hide. What changed its type is one entry of the new type.
//   - Of the names of one file in upper the first is the file, the others are hard links to it.
//   - Headers are those of [layers.Writer]; file capabilities are of version 2.
//
// Not captured: sockets (what they replaced is deleted), overlayfs's own xattrs, labels of security modules.
//
// After an error upper is in no defined state and w has a part of a stream: both are thrown away.
func Capture(ctx context.Context, w io.Writer, upper string, lowers []string, o CaptureOptions) (CaptureResult, error) {
	c := &capturer{ctx: ctx, epoch: o.Epoch, ran: o.Ran, copied: o.Copied, groups: map[inodeID]*group{}}
	if err := c.capture(w, upper, lowers); err != nil {
		return c.res, fmt.Errorf("capture %s: %w", upper, err)
	}
	return c.res, nil
}

// inodeID identifies a file of the upper directory.
type inodeID struct{ dev, ino uint64 }

// capturer is the state of one Capture. It walks the upper directory three times: to find the hard links, to
// bring it into its canonical form, and to write what is left.
type capturer struct {
	ctx    context.Context // lives as long as one call
	epoch  time.Time       // zero: none
	ran    []Span
	copied bool
	groups map[inodeID]*group
	res    CaptureResult
	bufs   [2][]byte
}

func (c *capturer) capture(w io.Writer, upper string, lowers []string) error {
	low, err := openStack(lowers)
	if err != nil {
		return err
	}
	defer low.close()
	root, err := inode.OpenRoot(upper)
	if err != nil {
		return err
	}
	defer inode.CloseFD(root)
	if err := c.findLinks(root, ""); err != nil {
		return err
	}
	if err := c.fixRoot(root, low); err != nil {
		return err
	}
	if again, err := c.pruneLinks(root); err != nil {
		return err
	} else if again {
		if err := c.fixRoot(root, low); err != nil {
			return err
		}
	}
	return c.write(w, root)
}

// fixRoot brings the whole upper directory into its canonical form.
func (c *capturer) fixRoot(root int, low *stack) error {
	h := inode.RootHandle(root)
	st, err := inode.StatAt(root, ".")
	if err != nil {
		return err
	}
	m, err := inode.ReadMeta(h, &st)
	if err != nil {
		return err
	}
	was, err := low.rootMeta()
	if err != nil {
		return err
	}
	if _, err := c.fixDir(root, "", place{low.root(), m.Disk.Opaque && !c.copied, m.PassesOn()}); err != nil {
		return err
	}
	if m.Disk.Implied || (inode.SameMeta(m, was) && c.sameTime(m, was)) {
		if err := removeExtra(h, m); err != nil {
			return err
		}
		return implyRoot(h)
	}
	return c.settle(h, "", m, inode.Inheritance{})
}

// skip notes what is left out.
func (c *capturer) skip(path, what string) {
	if len(c.res.Skipped) < maxNotes {
		c.res.Skipped = append(c.res.Skipped, Note{path, what})
	}
}

// clamp returns a time, or Epoch if it is later or of the time when the script ran.
func (c *capturer) clamp(t time.Time) time.Time {
	if c.epoch.IsZero() {
		return t
	}
	if t.After(c.epoch) {
		return c.epoch
	}
	for _, s := range c.ran {
		if !t.Before(s.From) && !t.After(s.To) {
			return c.epoch
		}
	}
	return t
}

// sameTime reports whether the file has the time that it had in the lower layers, or will have it.
func (c *capturer) sameTime(m, was *inode.Meta) bool {
	return m.ModTime.Equal(was.ModTime) || c.clamp(m.ModTime).Equal(was.ModTime)
}
