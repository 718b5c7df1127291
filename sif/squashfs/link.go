package squashfs

import (
	"fmt"
	"io/fs"
)

// Link gives the file at target a second name. Only directories cannot have one.
//
// It fails with fs.ErrNotExist if nothing was added at target yet, and with fs.ErrExist if something is
// at path; the Writer can go on then.
func (w *Writer) Link(path, target string) error {
	if err := w.ready(); err != nil {
		return err
	}
	if err := w.link(path, target); err != nil {
		return fmt.Errorf("squashfs link %q: %w", path, err)
	}
	return nil
}

func (w *Writer) link(path, target string) error {
	for _, p := range []string{path, target} {
		if err := checkPath(p); err != nil {
			return err
		}
	}
	n, err := w.tree.find(target)
	if err != nil {
		return err
	}
	if w.tree.inodeOf(n).isDir() {
		return fmt.Errorf("target %q is a directory: %w", target, fs.ErrInvalid)
	}
	if _, _, err := w.tree.free(path, false); err != nil {
		return err
	}
	if err := w.tree.add(path, w.tree.nodes.at(n).inode, w.implicit); err != nil {
		return w.fail(err)
	}
	w.tree.inodeOf(n).nlink++
	return nil
}
