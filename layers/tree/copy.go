package tree

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// Where no overlay can be mounted a script changes a copy of what one would show. A directory holds such a copy:
//
//	AT/root     the copy, which becomes the root of a script
//	AT/names    other names of files, see below
//	AT/state    what [CopyRoot] has made: for each path the file's inode number and its times of change and birth, by which
//	            [TakeChanges] sees what a script has touched without reading anything, and then what is out of date in the copy
//
// In an overlay a lower layer's hard links come apart when one of their names is changed, and are one file until then. In the copy they
// are one file in earnest, so that whoever looks sees the same; a script that changes one has changed all, which [ErrLinked] says: it
// has to be begun anew on a copy in which they are files of their own. There each has one more name out of the script's reach, so that it
// is not told from one of several names by their number, as cp does; what compares inode numbers sees the difference.

// ErrLinked says that a script has changed a file that has several names in lower layers, and that nobody can tell by which of them.
var ErrLinked = errors.New("changes files that have several names")

// CopyResult says what was copied.
type CopyResult struct {
	Files  int64 `json:"files"`
	Bytes  int64 `json:"bytes"`  // of regular files
	Shared bool  `json:"shared"` // the file system shares the data of copies with what they were copied from
}

// otherNames is a directory beside the copy.
const otherNames = "names"

// CopiedRoot returns the copy in a directory that [CopyRoot] was given.
func CopiedRoot(at string) string { return filepath.Join(at, "root") }

// CopyRoot makes a copy of what an overlay mount of lowers (top first) would show, in at, an empty directory. apart makes each name of a
// file that has several a file of its own. It runs as root of the user namespace that lowers were made in. After an error at is fit
// for [RemoveAll] only.
func CopyRoot(ctx context.Context, at string, lowers []string, apart bool) (CopyResult, error) {
	res, err := copyRoot(ctx, at, lowers, apart)
	if err != nil {
		return res, fmt.Errorf("copy the root: %w", err)
	}
	return res, nil
}

func copyRoot(ctx context.Context, at string, lowers []string, apart bool) (CopyResult, error) {
	root := CopiedRoot(at)
	if err := unix.Mkdir(root, 0o700); err != nil {
		return CopyResult{}, fmt.Errorf("make %s: %w", root, err)
	}
	c, err := newCopier(ctx, root, lowers)
	if err != nil {
		return CopyResult{}, err
	}
	defer c.close()
	if c.apart = apart; apart {
		names := filepath.Join(at, otherNames)
		if err := unix.Mkdir(names, 0o700); err != nil {
			return c.res, fmt.Errorf("make %s: %w", names, err)
		}
		if c.names, err = inode.OpenRoot(names); err != nil {
			return c.res, err
		}
		defer inode.CloseFD(c.names)
	}
	if err := c.dir(c.low.root(), c.root, "", nil); err != nil {
		return c.res, err
	}
	return c.res, c.finish(at, lowers)
}

// RefreshCopy brings a copy from which [TakeChanges] has taken what a script changed to what an overlay mount of lowers would show:
// those of before, or with the layer that [Capture] made of the changes on top. A copy that was made with apart cannot be brought there. It costs that of the changes, and a look at each file.
// After an error at is fit for [RemoveAll] only.
func RefreshCopy(ctx context.Context, at string, lowers []string) (CopyResult, error) {
	res, err := refreshCopy(ctx, at, lowers)
	if err != nil {
		return res, fmt.Errorf("renew the copy of the root: %w", err)
	}
	return res, nil
}

func refreshCopy(ctx context.Context, at string, lowers []string) (CopyResult, error) {
	s, err := readCopyState(at)
	if err != nil {
		return CopyResult{}, err
	}
	if s.Apart {
		return CopyResult{}, errors.New("it has files of their own for the names of one")
	}
	c, err := newCopier(ctx, CopiedRoot(at), lowers)
	if err != nil {
		return CopyResult{}, err
	}
	defer c.close()
	c.stale = true
	if s.Changed != nil {
		if err := c.dir(c.low.root(), c.root, "", s.Changed); err != nil {
			return c.res, err
		}
	}
	return c.res, c.finish(at, lowers)
}

// A copier copies what shows through of a stack.
type copier struct {
	ctx   context.Context // lives as long as one call
	low   *stack
	root  int
	apart bool
	stale bool               // it has directories already
	names int                // directory for other names, when apart
	links map[inodeID]string // of lower files with several names, the first one that was copied
	// linked are the files that are kept apart from others which lower layers have in one with them.
	linked []string
	buf    []byte
	plain  bool // the file system does not share data
	res    CopyResult
}

func newCopier(ctx context.Context, root string, lowers []string) (*copier, error) {
	low, err := openStack(lowers)
	if err != nil {
		return nil, err
	}
	fd, err := inode.OpenRoot(root)
	if err != nil {
		low.close()
		return nil, err
	}
	return &copier{ctx: ctx, low: low, root: fd, links: map[inodeID]string{}}, nil
}

func (c *copier) close() {
	inode.CloseFD(c.root)
	c.low.close()
}

// finish notes what was made, and waits until a change of it shows.
func (c *copier) finish(at string, lowers []string) error {
	if err := PrepareUpper(CopiedRoot(at), lowers); err != nil {
		return err
	}
	s := &copyState{Apart: c.apart, Files: map[string]fileID{}}
	if err := s.note(c.ctx, c.root, ""); err != nil {
		return err
	}
	for _, path := range c.linked {
		id := s.Files[path]
		id.Linked = true
		s.Files[path] = id
	}
	if err := s.write(at); err != nil {
		return err
	}
	return awaitTick(c.ctx, at)
}

// dir copies what is in a merged directory; with only, the names in that, where there is nothing in their places but directories.
func (c *copier) dir(low *mergedDir, fd int, path string, only *changed) error {
	names, err := namesOf(low, only)
	if err != nil {
		return wrapPath(path, err)
	}
	for i, name := range names {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		e, ok, err := low.lookup(name)
		if err != nil {
			return wrapPath(joinPath(path, name), err)
		}
		var sub *changed
		if only != nil {
			sub = only.Children[i]
		}
		switch {
		case !ok:
			if only != nil {
				err = removeAt(c.ctx, fd, name)
			}
		case e.isDir():
			err = c.subdir(low, e, fd, joinPath(path, name), sub)
		default:
			err = c.file(e, fd, joinPath(path, name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func namesOf(low *mergedDir, only *changed) ([]string, error) {
	if only == nil {
		return low.names()
	}
	names := make([]string, 0, len(only.Children))
	for _, child := range only.Children {
		names = append(names, child.Name)
	}
	return names, nil
}

// subdir copies a directory, or what is named of one that is there.
func (c *copier) subdir(low *mergedDir, e mergedEntry, fd int, path string, only *changed) error {
	err := unix.Mkdirat(fd, e.name, 0o700)
	switch {
	case err == nil:
		only = nil // all of it is new
	case only == nil || !errors.Is(err, unix.EEXIST):
		return wrapPath(path, err)
	}
	to, err := inode.OpenDir(fd, e.name)
	if err != nil {
		return wrapPath(path, err)
	}
	defer inode.CloseFD(to)
	below, err := low.child(e)
	if err != nil {
		return wrapPath(path, err)
	}
	defer below.close()
	if err := c.dir(below, to, path, only); err != nil {
		return err
	}
	c.res.Files++
	from := inode.Handle{Dir: e.dir, Name: e.name, FD: below.dirs[0]}
	return wrapPath(path, inode.Clone(from, inode.Handle{Dir: fd, Name: e.name, FD: to}, &e.st, c.stale))
}

// file copies what is no directory.
func (c *copier) file(e mergedEntry, fd int, path string) error {
	id := inodeID{e.st.Dev, e.st.Ino}
	apart := e.st.Nlink > 1 && c.apart
	if apart {
		c.linked = append(c.linked, path)
	} else if e.st.Nlink > 1 {
		if first, ok := c.links[id]; ok {
			return wrapPath(path, linkIn(c.root, first, fd, e.name))
		}
		c.links[id] = path
	}
	from, err := inode.Open(e.dir, e.name, &e.st)
	if err != nil {
		return wrapPath(path, err)
	}
	defer from.Close()
	c.res.Files++
	err = c.clone(from, fd, e.name, &e.st)
	if err == nil && apart {
		err = unix.Linkat(fd, e.name, c.names, strconv.Itoa(len(c.linked)), 0)
	}
	return wrapPath(path, err)
}

// clone makes a copy of a file under a name where there is none.
func (c *copier) clone(from inode.Handle, fd int, name string, st *unix.Stat_t) (err error) {
	to := inode.Handle{Dir: fd, Name: name, FD: -1}
	switch kind := st.Mode & unix.S_IFMT; kind {
	case unix.S_IFREG:
		if to.FD, err = unix.Openat(fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600); err != nil {
			return err
		}
		defer func() {
			if cerr := unix.Close(to.FD); err == nil {
				err = cerr // a network file system may tell only now that it could not write
			}
		}()
		c.res.Bytes += st.Size
		if err := c.data(from.FD, to.FD, st.Size); err != nil {
			return fmt.Errorf("copy its data: %w", err)
		}
	case unix.S_IFLNK:
		target, err := inode.ReadLink(from.Dir, from.Name)
		if err == nil {
			err = unix.Symlinkat(target, fd, name)
		}
		if err != nil {
			return err
		}
	default: // a fifo; or, made by real root, a device
		if err := unix.Mknodat(fd, name, kind|0o600, int(st.Rdev)); err != nil {
			return err
		}
	}
	return inode.Clone(from, to, st, c.stale)
}
