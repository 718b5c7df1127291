package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// A store has one owner. What another user left in it cannot be removed, and what another user can write to is not to be
// trusted: a directory that somebody prepared in a place where all may write is an attack.

// An OwnerError says that a directory of the store is not the user's own.
type OwnerError struct {
	path  string
	owner string // whose it is; empty: anybody may write to it
	user  string // who wants to use it
}

func (e *OwnerError) Error() string {
	if e.owner == "" {
		return fmt.Sprintf("the store's directory %s can be written to by anybody", e.path)
	}
	return fmt.Sprintf("the store's directory %s belongs to %s, and this is %s", e.path, e.owner, e.user)
}

// Hint says what to do.
func (e *OwnerError) Hint() string {
	if e.owner == "" {
		return "chmod o-w " + e.path + ", once you know what is in it; or use another store (--store, XTOO_STORE, XTOO_SCRATCH)"
	}
	return "run xtoo as " + e.owner + ", or with a store of your own: --store DIR, XTOO_STORE=DIR, XTOO_SCRATCH=DIR; " +
		"sudo may keep HOME and these variables: sudo -H, or sudo env -u XTOO_STORE -u XTOO_SCRATCH"
}

// checkOwner finds out whether the store's directories, as far as they are there, are the user's own.
func (s *Store) checkOwner() error {
	for _, dir := range s.Roots() {
		if holder := filepath.Dir(dir); filepath.Base(holder) == dirMachines {
			if err := errors.Join(checkOwner(filepath.Dir(holder)), checkOwner(holder)); err != nil {
				return err
			}
		}
		for _, name := range append([]string{"."}, rooms()...) {
			if err := checkOwner(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkOwner(path string) error {
	own := uint32(os.Geteuid())
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		if st.Uid != own && st.Uid != 0 {
			return &OwnerError{path: path, owner: userName(st.Uid), user: userName(own)}
		}
		err = unix.Stat(path, &st)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &lookError{fs.PathError{Op: "look at the store's directory", Path: path, Err: err}}
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return &fs.PathError{Op: "look at the store's directory", Path: path, Err: unix.ENOTDIR}
	case st.Uid != own:
		return &OwnerError{path: path, owner: userName(st.Uid), user: userName(own)}
	case st.Mode&unix.S_IWOTH != 0 && st.Mode&unix.S_ISVTX == 0:
		return &OwnerError{path: path}
	}
	return nil
}

// A lookError says that nobody can tell whose a directory is.
type lookError struct{ fs.PathError }

// Hint says what to do.
func (e *lookError) Hint() string {
	if !errors.Is(e.Err, fs.ErrPermission) {
		return ""
	}
	return "use a store that this user may look at: --store DIR, XTOO_STORE=DIR (on a network's file system, root has the rights of nobody)"
}

// userName is a user's name and number, for people.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(id)
	if err != nil {
		return "user " + id
	}
	return u.Username + " (" + id + ")"
}
