package tree

import (
	"fmt"

	"xtoo/layers/inode"
)

// PrepareUpper makes an empty directory fit to be the upper directory of an overlay mount over lowers (top
// first): it gets the mode, owner, times and xattrs of the merged root, because an overlay shows those of its
// upper directory. [Capture] then finds the root unchanged unless something did change it.
// It runs as root of the user namespace that mounts the overlay.
func PrepareUpper(upper string, lowers []string) error {
	s, err := openStack(lowers)
	if err != nil {
		return fmt.Errorf("prepare the upper directory: %w", err)
	}
	defer s.close()
	m, err := s.rootMeta()
	if err != nil {
		return fmt.Errorf("prepare the upper directory: %w", err)
	}
	root, err := inode.OpenRoot(upper)
	if err != nil {
		return fmt.Errorf("prepare the upper directory: %w", err)
	}
	defer inode.CloseFD(root)
	// What cannot be kept here could not be kept in the lower directory either.
	if _, err := inode.Apply(inode.RootHandle(root), &m.Member, inode.Inheritance{}, true); err != nil {
		return fmt.Errorf("prepare the upper directory %s: %w", upper, err)
	}
	return nil
}
