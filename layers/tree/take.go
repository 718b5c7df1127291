package tree

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// TakeChanges moves what a script has changed in a copy of the root ([CopyRoot]) to upper, an empty directory on the same file system, in
// the form in which [Capture], with Copied, takes it: what was touched, the directories that lead there, and a socket for what is gone. lowers
// (top first) are those that the copy is of. It returns what no layer can hold: sockets. What is left of the copy is for [RefreshCopy].
//
// It runs as root of the user namespace that the copy was made in, when no process of the script is left. An error may be [ErrLinked]; after
// any, at and upper are fit for [RemoveAll] only.
func TakeChanges(ctx context.Context, at, upper string, lowers []string) ([]Note, error) {
	t := &taker{ctx: ctx, links: map[uint64][]string{}, origins: map[uint64][]string{}, moved: map[string]string{}}
	if err := t.take(at, upper, lowers); err != nil {
		return nil, fmt.Errorf("find what was changed in %s: %w", at, err)
	}
	return t.skipped, nil
}

// A taker looks at all of a copy once, and then goes where something was touched.
type taker struct {
	ctx     context.Context // lives as long as one call
	state   *copyState
	origins map[uint64][]string // where CopyRoot made an inode, by its number
	links   map[uint64][]string // where those are now that had several names
	moved   map[string]string   // directories by where they are now: where they were made
	skipped []Note
}

func (t *taker) take(at, upper string, lowers []string) error {
	var err error
	if t.state, err = readCopyState(at); err != nil {
		return err
	}
	if t.state.Changed != nil {
		return errors.New("it was not renewed since the last time")
	}
	for path, id := range t.state.Files {
		t.origins[id.Ino] = append(t.origins[id.Ino], path)
	}
	low, err := openStack(lowers)
	if err != nil {
		return err
	}
	defer low.close()
	var fds [2]int
	for i, dir := range []string{CopiedRoot(at), upper} {
		if fds[i], err = inode.OpenRoot(dir); err != nil {
			return err
		}
		defer inode.CloseFD(fds[i])
	}
	top := &changed{dir: true}
	if err := t.scan(fds[0], ".", "", top); err != nil {
		return err
	}
	split, err := t.checkLinks(fds[0])
	if err != nil {
		return err
	}
	if t.state.Apart {
		if err := RemoveAll(t.ctx, filepath.Join(at, otherNames)); err != nil {
			return err
		}
	}
	if err := t.dir(top, fds, "", low.root()); err != nil {
		return err
	}
	for _, names := range split {
		if err := t.split(fds[1], names); err != nil {
			return err
		}
	}
	root, err := inode.StatAt(fds[0], ".")
	if err == nil {
		root.Mtim = top.st.Mtim
		err = inode.Clone(inode.RootHandle(fds[0]), inode.RootHandle(fds[1]), &root, true)
	}
	if err != nil {
		return err
	}
	t.state.Files, t.state.Changed = nil, top
	return t.state.write(at)
}

// ofLower reports whether a file is one that CopyRoot has made, wherever it is now, and what that was.
func (t *taker) ofLower(id fileID) (was fileID, ok bool) {
	paths := t.origins[id.Ino]
	if len(paths) == 0 {
		return was, false
	}
	was = t.state.Files[paths[0]]
	return was, was.Birth == id.Birth
}

// scan looks at a directory and all that is in it. What a script cannot make in an overlay, or a layer cannot have, is removed.
func (t *taker) scan(dir int, name, path string, n *changed) error {
	if err := t.look(dir, name, path, n); err != nil {
		return wrapPath(path, err)
	}
	fd, err := inode.OpenDir(dir, name)
	if err != nil {
		return wrapPath(path, err)
	}
	defer inode.CloseFD(fd)
	names, err := inode.ReadNames(fd)
	if err != nil {
		return wrapPath(path, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		child := &changed{Name: name}
		there, err := t.scanChild(fd, name, joinPath(path, name), n, child)
		if err != nil {
			return err
		}
		if there && n.touched {
			n.names = append(n.names, name)
		}
		if there && (child.touched || len(child.Children) > 0) {
			n.Children = append(n.Children, child)
		}
	}
	return nil
}

// look fills in what a name is, and whether it was touched.
func (t *taker) look(dir int, name, path string, n *changed) error {
	var err error
	if n.id, n.st, err = identify(dir, name); err != nil {
		return err
	}
	n.dir = isDirectory(&n.st)
	was, had := t.state.Files[path]
	n.touched = !had || was.Ino != n.id.Ino || was.Birth != n.id.Birth || was.Changed != n.id.Changed
	if n.dir && n.touched && !(had && was.Ino == n.id.Ino) {
		if was, ok := t.ofLower(n.id); ok && was.Ino == n.id.Ino {
			t.moved[path] = t.origins[n.id.Ino][0]
		}
	}
	return nil
}

func (t *taker) scanChild(fd int, name, path string, parent, n *changed) (there bool, err error) {
	if err := t.look(fd, name, path, n); err != nil {
		return false, wrapPath(path, err)
	}
	if n.dir {
		return true, t.scan(fd, name, path, n)
	}
	if inode.IsWhiteout(&n.st) {
		if inode.IsSocket(&n.st) && len(t.skipped) < maxNotes {
			t.skipped = append(t.skipped, Note{path, "socket"})
		}
		if err := unix.Unlinkat(fd, name, 0); err != nil {
			return false, wrapPath(path, err)
		}
		return false, wrapPath(path, inode.RootHandle(fd).Chtimes(time.Unix(parent.st.Mtim.Unix())))
	}
	if was, ok := t.ofLower(n.id); ok && was.Linked {
		t.links[n.id.Ino] = append(t.links[n.id.Ino], path)
	}
	return true, nil
}

// dir moves what was touched in a directory of the copy, fds[0], to that of the upper directory, fds[1].
func (t *taker) dir(n *changed, fds [2]int, path string, low *mergedDir) error {
	for _, child := range n.Children {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		if err := t.child(child, fds, joinPath(path, child.Name), low); err != nil {
			return err
		}
	}
	if !n.touched {
		return nil
	}
	below, err := low.names()
	if err != nil {
		return wrapPath(path, err)
	}
	for _, name := range below {
		if _, there := slices.BinarySearch(n.names, name); there {
			continue
		}
		if err := inode.MakeWhiteout(fds[1], name, inode.SocketWhiteouts); err != nil {
			return wrapPath(path, err)
		}
	}
	return nil
}

func (t *taker) child(n *changed, fds [2]int, path string, low *mergedDir) error {
	was, had, err := low.lookup(n.Name)
	if err != nil {
		return wrapPath(path, err)
	}
	if !n.dir || !had || !was.isDir() {
		if err := unix.Renameat(fds[0], n.Name, fds[1], n.Name); err != nil {
			return wrapPath(path, err)
		}
		n.Children = nil // all of it is gone from the copy
		return wrapPath(path, t.mark(n, fds[1], path))
	}
	below, err := low.child(was)
	if err != nil {
		return wrapPath(path, err)
	}
	defer below.close()
	if err := unix.Mkdirat(fds[1], n.Name, 0o700); err != nil {
		return wrapPath(path, err)
	}
	var in [2]int
	for i := range in {
		if in[i], err = inode.OpenDir(fds[i], n.Name); err != nil {
			return wrapPath(path, err)
		}
		defer inode.CloseFD(in[i])
	}
	if err := t.dir(n, in, path, below); err != nil {
		return err
	}
	to := inode.Handle{Dir: fds[1], Name: n.Name, FD: in[1]}
	if err := inode.Clone(inode.Handle{Dir: fds[0], Name: n.Name, FD: in[0]}, to, &n.st, false); err != nil {
		return wrapPath(path, err)
	}
	return wrapPath(path, t.mark(n, fds[1], path))
}

// mark says of a file in the upper directory that it comes from a lower layer, where overlayfs would: a directory that is moved is a new
// one there, and so is a file of several names.
func (t *taker) mark(n *changed, dir int, path string) error {
	was, ok := t.ofLower(n.id)
	if n.dir {
		was = t.state.Files[path]
		ok = was.Ino == n.id.Ino && was.Birth == n.id.Birth
	}
	if !ok || was.Linked || n.st.Mode&unix.S_IFMT != unix.S_IFREG && !n.dir {
		return nil
	}
	h, err := inode.Open(dir, n.Name, &n.st)
	if err != nil {
		return err
	}
	defer h.Close()
	return inode.MarkCopied(h)
}
