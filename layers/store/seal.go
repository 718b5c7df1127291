package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A layer directory is trusted as long as its seal is whole: a few of its files have the owner, the mode and the time of
// their last change (ctime) that they had when it was made. A chown, chmod or setfattr over the store, and a copy that is
// brought back, change at least the time. To look costs the same for a directory of any size.

// A sealed is one file of a layer directory as it was.
type sealed struct {
	Path  string `json:"path"` // below fs; "." is fs itself
	Mode  uint32 `json:"mode"` // with its type
	UID   uint32 `json:"uid"`
	GID   uint32 `json:"gid"`
	Ctime int64  `json:"ctime_ns"`
}

// How much of a directory is looked at for its seal, and how much stands in it: the first entries, and more of those that
// belong to others, since nothing but the owner may be taken from them.
const (
	sealLooks  = 4096
	sealFirst  = 12
	sealOthers = 12
)

func lookAt(path string) (sealed, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return sealed{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return sealed{Mode: st.Mode, UID: st.Uid, GID: st.Gid, Ctime: unix.TimespecToNsec(st.Ctim)}, nil
}

// sealOf takes the seal of a directory, breadth first, with the rights of the user outside of the namespaces: what
// cannot be looked at so is left out.
func sealOf(dir string) ([]sealed, error) {
	root, err := lookAt(dir)
	if err != nil {
		return nil, err
	}
	root.Path = "."
	seal, others, looks := []sealed{root}, 0, 0
	for queue := []string{"."}; len(queue) > 0 && looks < sealLooks; queue = queue[1:] {
		for _, name := range firstNames(filepath.Join(dir, queue[0]), sealLooks-looks) {
			looks++
			path := filepath.Join(queue[0], name)
			one, err := lookAt(filepath.Join(dir, path))
			if err != nil {
				continue
			}
			one.Path = path
			if one.Mode&unix.S_IFMT == unix.S_IFDIR {
				queue = append(queue, path)
			}
			other := one.UID != root.UID || one.GID != root.GID
			switch {
			case other && others < sealOthers:
				others++
			case len(seal)-others > sealFirst:
				continue
			}
			seal = append(seal, one)
		}
		if others == sealOthers && len(seal)-others > sealFirst {
			break
		}
	}
	return seal, nil
}

// firstNames lists at most n names of a directory; none if it cannot be read.
func firstNames(dir string, n int) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close() // read only
	names, err := f.Readdirnames(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return names
}

// broken returns the path of the first file that is not as it was, or "".
func (m *made) broken(dir string) string {
	for _, was := range m.Seal {
		path := filepath.Join(dir, was.Path)
		now, err := lookAt(path)
		now.Path = was.Path
		if err != nil || now != was {
			return path
		}
	}
	if len(m.Seal) == 0 {
		return dir
	}
	return ""
}
