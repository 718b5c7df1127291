package tree

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/streams"
	"xtoo/layers"
	"xtoo/layers/inode"
)

// ErrNotEmpty: the directory to unpack to is not empty.
var ErrNotEmpty = errors.New("the directory is not empty")

// UnpackOptions are the options of [Unpack]. The zero value is right for a layer that stands on its own, as the
// base layer of an image and every layer that [Capture] wrote do.
type UnpackOptions struct {
	// Lowers are the directories of the layers below, top first. They are looked at only where a layer made
	// elsewhere leaves something out: a hard link to a file of a lower layer copies that file, and a parent
	// directory that is not a member takes its mode, owner and times from the lower one. Without them the former
	// is an error and the latter is 0755, root's and of 1970.
	Lowers []string
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
	// Lost names what the directory cannot hold and the blob does (at most 1000): owners of symbolic links and
	// fifos outside the map of the user namespace, xattrs that do not fit.
	Lost []Note `json:"lost,omitempty"`
	// UsedLowers: the directory holds copies from [UnpackOptions].Lowers, so that it is right on top of them only.
	UsedLowers bool `json:"used_lowers,omitempty"`
	// OpaqueRoot: the layer hides everything below it. overlayfs does not see this in the root of a layer: the
	// caller leaves the lower layers out of the mount.
	OpaqueRoot bool `json:"opaque_root,omitempty"`
}

// Unpack writes a layer's tar stream to dir, an empty directory that the caller has made, in the format that
// overlayfs mounts as a lower directory with the option userxattr: a whiteout is a character device 0/0, an
// opaque directory has the xattr user.overlay.opaque=y.
//
// It runs as root of a user namespace (or as real root) and reads r to its end. Nothing is written outside of
// dir, whatever the stream says. The umask is not heeded. Of members with one name the last holds. A whiteout
// applies to lower layers only, wherever in the stream it stands.
//
// What the kernel refuses to a user namespace is recorded beside the file, so that [Capture] gives it back:
// owners outside the map (xattr user.rootlesscontainers, see owner.go), devices (an empty file with the xattr
// user.xtoo.device), xattrs (user.xtoo.xattr.NAME). Access control lists are set, whether they come as
// SCHILY.acl.* texts with numeric ids or as xattrs. Members' xattrs user.overlay.*, trusted.overlay.*,
// user.rootlesscontainers, user.xtoo.device, user.xtoo.implied and user.xtoo.xattr.* are left out: they would
// change what the directory means. The xattrs of security modules (security.selinux, ...) are recorded, not
// set. Sparse members and long runs of zeros become holes.
//
// If the stream has no "./" the root is 0755, root's, of 1970 and has the xattr user.xtoo.implied, and counts
// as not being in the layer: see [PrepareUpper].
//
// Errors name the member. After one the directory holds a part of the layer and is fit for [RemoveAll] only.
func Unpack(ctx context.Context, r io.Reader, dir string, o UnpackOptions) (UnpackResult, error) {
	u := &unpacker{ctx: ctx, o: o, buf: make([]byte, inode.CopyBuffer)}
	defer u.close()
	if err := u.begin(dir); err != nil {
		return u.res, fmt.Errorf("unpack to %s: %w", dir, err)
	}
	count := &countReader{r: streams.WithContext(ctx, r)}
	in := bufio.NewReaderSize(count, 256<<10)
	if err := u.members(tar.NewReader(in)); err != nil {
		return u.res, err
	}
	if err := u.finish(); err != nil {
		return u.res, fmt.Errorf("unpack to %s: %w", dir, err)
	}
	// What follows the archive's end is padding; a writer at the other end of a pipe wants to be rid of it.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return u.res, fmt.Errorf("read the archive: %w", err)
	}
	if count.n%tarBlock != 0 { // archive/tar takes an end in a member's padding for the archive's
		return u.res, fmt.Errorf("read the archive: %w", io.ErrUnexpectedEOF)
	}
	return u.res, nil
}

// tarBlock is what every part of a tar archive is padded to.
const tarBlock = 512

// countReader counts what is read through it.
type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// unpacker is the state of one Unpack.
type unpacker struct {
	ctx    context.Context // lives as long as one call
	o      UnpackOptions
	res    UnpackResult
	dirs   dirStack
	lowers *stack     // opened when first needed
	opaque [][]string // directories made opaque
	buf    []byte
}

func (u *unpacker) begin(dir string) error {
	root, err := inode.OpenRoot(dir)
	if err != nil {
		return err
	}
	u.dirs.init(root)
	names, err := inode.ReadNames(root)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return ErrNotEmpty
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

func (u *unpacker) members(tr *tar.Reader) error {
	for {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, tar.ErrInsecurePath) {
			return fmt.Errorf("unpack entry %q: %w", hdr.Name, layers.ErrUnsafe)
		}
		if err != nil {
			return fmt.Errorf("read the archive after %d entries: %w", u.res.Entries, err)
		}
		if hdr.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		u.res.Entries++
		if err := u.member(hdr, tr); err != nil {
			return fmt.Errorf("unpack entry %q: %w", hdr.Name, err)
		}
	}
}

func (u *unpacker) member(hdr *tar.Header, data io.Reader) error {
	path, err := layers.SplitName(hdr.Name)
	if err != nil {
		return err
	}
	m, err := headerMeta(hdr)
	if err != nil {
		return err
	}
	if len(path) == 0 {
		if !m.IsDir() {
			return fmt.Errorf("%w: the root is no directory", layers.ErrMember)
		}
		u.note(m, hdr)
		return u.root(m)
	}
	parent, name := path[:len(path)-1], path[len(path)-1]
	target, isWhiteout, err := layers.WhiteoutTarget(name)
	switch {
	case err != nil:
		return err
	case isWhiteout:
		return u.whiteout(parent, name, target)
	}
	for i, p := range parent {
		if !strings.HasPrefix(p, layers.WhiteoutPrefix) {
			continue
		}
		if strings.HasPrefix(p, layers.WhiteoutMeta) {
			return nil // in a storage driver's own directory
		}
		return fmt.Errorf("%w: %q is a whiteout", layers.ErrMember, strings.Join(path[:i+1], "/"))
	}
	u.note(m, hdr)
	dir, err := u.enter(parent)
	if err != nil {
		return err
	}
	if hdr.Typeflag == tar.TypeLink {
		return u.hardLink(dir, path, hdr.Linkname)
	}
	return u.create(dir, path, m, data)
}

// note counts a member that is no whiteout.
func (u *unpacker) note(m *inode.Meta, hdr *tar.Header) {
	if hdr.ModTime.After(u.res.Newest) {
		u.res.Newest = hdr.ModTime
	}
	if hdr.Typeflag != tar.TypeLink {
		u.res.Bytes += m.Size
	}
}

// lose notes what the directory cannot hold.
func (u *unpacker) lose(path []string, what ...string) {
	for _, w := range what {
		if len(u.res.Lost) < maxNotes {
			u.res.Lost = append(u.res.Lost, Note{strings.Join(path, "/"), w})
		}
	}
}

// root gives the root what the archive says of it.
func (u *unpacker) root(m *inode.Meta) error {
	if err := u.dirs.leave(1); err != nil {
		return err
	}
	return u.dirs.setRoot(func(h inode.Handle) error {
		lost, err := inode.Apply(h, m, inode.Inheritance{}, true)
		u.lose(nil, lost...)
		return err
	})
}

// enter makes parent the current directory and returns it, making what is missing of it.
func (u *unpacker) enter(parent []string) (*openedDir, error) {
	return u.dirs.enter(parent, u.missing)
}

// finish sets what was held back and removes the whiteouts that opaque directories make superfluous.
func (u *unpacker) finish() error {
	if err := u.dirs.leave(1); err != nil {
		return err
	}
	for _, path := range u.opaque {
		dir, err := u.enter(path)
		if errors.Is(err, layers.ErrUnsafe) {
			continue // a later member of the same name replaced it
		}
		if err != nil {
			return err
		}
		if err := removeWhiteouts(dir.fd); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(path, "/"), err)
		}
	}
	return u.dirs.leave(0)
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
	if _, err := inode.Apply(h, &inode.Meta{Mode: unix.S_IFDIR | 0o755}, inode.Inheritance{}, true); err != nil {
		return err
	}
	if err := h.SetXattr(layers.XattrImplied, nil); err != nil {
		return fmt.Errorf("mark the root: %w", inode.NoUserXattrs(err))
	}
	return nil
}
