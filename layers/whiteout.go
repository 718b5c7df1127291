package layers

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Whiteouts in a layer's tar: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const (
	whiteoutPrefix = ".wh."
	// whiteoutMeta begins names that a storage driver has left behind. Apart from whiteoutOpaque they mean nothing.
	whiteoutMeta   = ".wh..wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// isWhiteout reports whether a file of a layer directory is a whiteout: a character device 0/0.
func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}

// makeWhiteout makes a whiteout in dir, where there is nothing of that name.
func makeWhiteout(dir int, name string) error {
	err := unix.Mknodat(dir, name, unix.S_IFCHR, 0)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("make the whiteout of %s: %w: the kernel or a security module does not let a user "+
			"namespace make the character device 0/0 (Linux does since 5.8)", name, err)
	}
	if err != nil {
		return fmt.Errorf("make the whiteout of %s: %w", name, err)
	}
	return nil
}

// isOpaque reports whether a directory of a layer hides the lower ones of its path.
func isOpaque(dir int) (bool, error) {
	value, ok, err := handle{fd: dir}.xattr(xattrOpaque)
	return ok && string(value) == "y", err
}

// makeOpaque makes a directory hide the lower ones of its path.
func makeOpaque(dir int) error {
	if err := (handle{fd: dir}).setXattr(xattrOpaque, []byte("y")); err != nil {
		return fmt.Errorf("make the directory opaque: %w", noUserXattrs(err))
	}
	return nil
}

// whiteoutTarget returns the name that an entry of a layer's tar is the whiteout of. ok is false for other
// entries, and target is empty for those that begin like a whiteout and must be left out.
func whiteoutTarget(name string) (target string, ok bool, err error) {
	rest, ok := strings.CutPrefix(name, whiteoutPrefix)
	if !ok {
		return "", false, nil
	}
	if strings.HasPrefix(name, whiteoutMeta) {
		return "", true, nil
	}
	if !plainName(rest) {
		return "", true, fmt.Errorf("%w: whiteout of %q", ErrUnsafe, rest)
	}
	return rest, true, nil
}

// removeWhiteouts removes the whiteouts in a directory and everything below it. Below an opaque directory
// overlayfs would show them.
func removeWhiteouts(dir int) error {
	names, err := readNames(dir)
	if err != nil {
		return err
	}
	st, err := statAt(dir, ".")
	if err != nil {
		return err
	}
	for _, name := range names {
		child, err := statAt(dir, name)
		switch {
		case err != nil:
		case isWhiteout(&child):
			err = unix.Unlinkat(dir, name, 0)
		case child.Mode&unix.S_IFMT == unix.S_IFDIR:
			var fd int
			if fd, err = openDir(dir, name); err == nil {
				err = removeWhiteouts(fd)
				closeFD(fd)
			}
		}
		if err != nil {
			return err
		}
	}
	return rootHandle(dir).chtimes(st.Mtim)
}
