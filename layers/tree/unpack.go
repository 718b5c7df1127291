package tree

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// ErrNoUserXattrs says that no layer directory can be on a file system.
var ErrNoUserXattrs = inode.ErrNoUserXattrs

// errNotEmpty is what [Unpack] says of a directory that is not empty.
var errNotEmpty = errors.New("the directory is not empty")

// UnpackOptions are the options of [Unpack]. The zero value is right for a layer that stands on its own, as the
// base layer of an image and every layer that [Capture] wrote do.
type UnpackOptions struct {
	// Lowers are the directories of the layers below, top first. They are looked at only where a layer made
	// elsewhere leaves something out: a hard link to a file of a lower layer copies that file, and a parent
	// directory that is not a member takes its mode, owner and times from the lower one. Without them the former
	// is an error and the latter is 0755, root's and of 1970.
	Lowers []string
	// Whole says that Lowers are all there is below. Whiteouts in directories that nothing below has are left out then:
	// they hide nothing, and overlayfs would list them.
	Whole bool
	// Copied says that the directory will be copied from ([CopyRoot]) and never mounted: its whiteouts are sockets, which can be made
	// where overlayfs cannot be used.
	Copied bool
}

// whiteouts is the form of whiteouts in directories that are copied from, or mounted.
func whiteouts(copied bool) inode.Whiteouts {
	if copied {
		return inode.SocketWhiteouts
	}
	return inode.DeviceWhiteouts
}

// A Note names something of a file that could not be kept.
type Note struct {
	Path string `json:"path"` // in the layer, without a leading slash
	What string `json:"what"`
}

// maxNotes bounds the notes of one call.
const maxNotes = 1000

// UnpackResult says what [Unpack] has found.
type UnpackResult struct {
	Entries   int64     `json:"entries"`   // members, whiteouts included
	Whiteouts int64     `json:"whiteouts"` // whiteouts, opaque ones included
	Bytes     int64     `json:"bytes"`     // content of regular files
	Newest    time.Time `json:"newest"`    // newest time of a member that is no whiteout; zero if there is none
	// Lost names what the directory cannot hold and the blob does (at most 1000): xattrs that do not fit, or that links,
	// fifos and devices cannot carry.
	Lost []Note `json:"lost,omitempty"`
	// Outside counts the files whose owner is outside of the map of the user namespace.
	Outside int64 `json:"outside,omitempty"`
	// Devices counts the devices that only records tell from empty files, but for those below /dev, which no script sees.
	Devices int64 `json:"devices,omitempty"`
	// Lists: there are directories with default access control lists.
	Lists bool `json:"lists,omitempty"`
	// Passes: there are directories that pass on a group which only a record tells.
	Passes bool `json:"passes,omitempty"`
	// SeenAs is the user that such files belong to for those in the namespace; 0 where it has one id.
	SeenAs uint32 `json:"seen_as,omitempty"`
	// UsedLowers: the directory holds copies from [UnpackOptions].Lowers, so that it is right on top of them only.
	UsedLowers bool `json:"used_lowers,omitempty"`
	// OpaqueRoot: the layer hides everything below it. overlayfs does not see the mark in the root of a layer:
	// whoever mounts the directory leaves out those below it.
	OpaqueRoot bool `json:"opaque_root,omitempty"`
}

// Unpack writes a layer's tar stream to dir, an empty directory that the caller has made, in the format that
// overlayfs mounts as a lower directory with the option userxattr: a whiteout is a character device 0/0, an
// opaque directory has the xattr user.overlay.opaque=y.
//
// It runs as root of a user namespace (or as real root) and reads r to its end. Nothing is written outside of
// dir, whatever the stream says. The umask is not heeded. Of members with one name the last holds. A whiteout
// applies to lower layers only, wherever in the stream it stands; one below what the layer itself deletes, or has as
// something else than a directory, has nothing to hide and is passed over.
//
// What the kernel refuses to a user namespace is recorded beside the file, so that [Capture] gives it back:
// owners outside the map, devices, xattrs, and with a single id the modes of directories that its user could not empty: package
// inode says how. The xattrs of security modules (security.selinux, ...) are
// recorded, not set. Sparse members and long runs of zeros become holes. What a member may be is said in the
// documentation of package layers.
//
// If the stream has no "./" the root is 0755, root's, of 1970 and has the xattr user.xtoo.implied, and counts
// as not being in the layer: see [PrepareUpper].
//
// Errors name the member. After one the directory holds a part of the layer and is fit for [RemoveAll] only.
func Unpack(ctx context.Context, r io.Reader, dir string, o UnpackOptions) (UnpackResult, error) {
	u := &unpacker{ctx: ctx, o: o, hides: newHides(), named: map[string]map[string]string{}, buf: make([]byte, inode.CopyBuffer)}
	defer u.close()
	if err := u.begin(dir); err != nil {
		return u.res, fmt.Errorf("unpack to %s: %w", dir, err)
	}
	if err := u.members(layers.NewReader(ctx, bufio.NewReaderSize(r, 256<<10))); err != nil {
		return u.res, err
	}
	if err := u.finish(); err != nil {
		return u.res, fmt.Errorf("unpack to %s: %w", dir, err)
	}
	return u.res, nil
}

// unpacker is the state of one Unpack.
type unpacker struct {
	ctx    context.Context // lives as long as one call
	o      UnpackOptions
	res    UnpackResult
	dirs   dirStack
	lowers *stack // opened when first needed
	hides  hides
	named  map[string]map[string]string // by path: access control lists with names
	buf    []byte
}

func (u *unpacker) begin(dir string) error {
	root, err := inode.OpenRoot(dir)
	if err != nil {
		return err
	}
	u.dirs.init(root)
	if u.res.SeenAs, err = inode.SeenAs(); err != nil {
		return err
	}
	names, err := inode.ReadNames(root)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return errNotEmpty
	}
	return u.dirs.setRoot(implyRoot)
}

// close lets go of what an error has left open.
func (u *unpacker) close() {
	u.dirs.close()
	if u.lowers != nil {
		u.lowers.close()
	}
}

func (u *unpacker) members(in *layers.Reader) error {
	for {
		m, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpack %w", err)
		}
		u.res.Entries++
		if err := u.member(m, in); err != nil {
			return fmt.Errorf("unpack entry %q: %w", m.Name, err)
		}
	}
}

func (u *unpacker) member(m *layers.Member, data io.Reader) error {
	switch m.Kind {
	case layers.Nothing:
		return nil
	case layers.Whiteout, layers.Opaque:
		return u.whiteout(m)
	}
	if m.ModTime.After(u.res.Newest) {
		u.res.Newest = m.ModTime
	}
	u.res.Bytes += m.Size // none for a hard link
	for _, name := range m.Lost {
		u.lose(m.Path, "xattr "+name)
	}
	delete(u.named, m.Path)
	if len(m.Named) > 0 {
		u.named[m.Path] = m.Named
	}
	if m.Path == "" {
		return u.root(m)
	}
	parent, name := layers.Split(m.Path)
	dir, err := u.enter(parent)
	if err != nil {
		return err
	}
	if m.Kind == layers.HardLink {
		return u.hardLink(dir, name, m)
	}
	return u.create(dir, name, m, data)
}

// applied counts and notes what was not done to a file.
func (u *unpacker) applied(path string, done inode.Applied) {
	if done.Outside {
		u.res.Outside++
	}
	u.res.Lists, u.res.Passes = u.res.Lists || done.Lists, u.res.Passes || done.Passes
	u.lose(path, done.Lost...)
}

// lose notes what the directory cannot hold.
func (u *unpacker) lose(path string, what ...string) {
	for _, w := range what {
		if len(u.res.Lost) < maxNotes {
			u.res.Lost = append(u.res.Lost, Note{path, w})
		}
	}
}

// root gives the root what the archive says of it.
func (u *unpacker) root(m *layers.Member) error {
	if err := u.dirs.leave(1); err != nil {
		return err
	}
	return u.dirs.setRoot(func(h inode.Handle) error {
		done, err := inode.Apply(h, m, inode.Inheritance{}, true)
		u.applied("", done)
		return err
	})
}

// enter makes parent the current directory and returns it, making what is missing of it.
func (u *unpacker) enter(parent string) (*openedDir, error) {
	return u.dirs.enter(parent, u.missing)
}

// lower returns the layers below.
func (u *unpacker) lower() (*stack, error) {
	if u.lowers == nil {
		s, err := openStack(u.o.Lowers)
		if err != nil {
			return nil, err
		}
		u.lowers = s
	}
	return u.lowers, nil
}

// implyRoot makes a root what it is in the directory of a layer that does not have it.
func implyRoot(h inode.Handle) error {
	m := impliedDir()
	if _, err := inode.Apply(h, &m, inode.Inheritance{}, true); err != nil {
		return err
	}
	if err := h.SetXattr(layers.XattrImplied, nil); err != nil {
		return fmt.Errorf("mark the root: %w", inode.NoUserXattrs(err))
	}
	return nil
}
