package tree

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// A copyState is what stands beside a copy of a root.
type copyState struct {
	Apart bool
	Files map[string]fileID // by path in the copy, "" for the root
	// Changed is what TakeChanges has found since.
	Changed *changed
}

// A fileID tells whether a name is still that of the same file, and whether somebody has touched that: nobody can set the time of an
// inode's change.
type fileID struct {
	Ino            uint64
	Changed, Birth int64 // in nanoseconds; Birth is 0 where the file system does not keep it
	Linked         bool  // what it is a copy of has other names
}

// A changed is a name that a script has touched, or that leads to one.
type changed struct {
	Name     string
	Children []*changed

	dir     bool
	touched bool
	id      fileID
	st      unix.Stat_t
	names   []string // of a directory that was touched
}

// identify looks at a file.
func identify(dir int, name string) (fileID, unix.Stat_t, error) {
	var x unix.Statx_t
	err := inode.Retry(func() error {
		return unix.Statx(dir, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &x)
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // refused by a filter of a container's
		st, err := inode.StatAt(dir, name)
		return fileID{Ino: st.Ino, Changed: st.Ctim.Nano(), Linked: st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR}, st, err
	}
	if err != nil {
		return fileID{}, unix.Stat_t{}, err
	}
	at := func(t unix.StatxTimestamp) int64 { return t.Sec*int64(time.Second) + int64(t.Nsec) }
	id := fileID{Ino: x.Ino, Changed: at(x.Ctime), Linked: x.Nlink > 1 && x.Mode&unix.S_IFMT != unix.S_IFDIR}
	if x.Mask&unix.STATX_BTIME != 0 {
		id.Birth = at(x.Btime)
	}
	st := unix.Stat_t{Ino: x.Ino, Dev: unix.Mkdev(x.Dev_major, x.Dev_minor), Mode: uint32(x.Mode), Uid: x.Uid, Gid: x.Gid, Rdev: unix.Mkdev(x.Rdev_major, x.Rdev_minor)}
	st.Mtim, st.Size = unix.NsecToTimespec(at(x.Mtime)), int64(x.Size)
	return id, st, nil
}

// isDirectory reports whether a file is one.
func isDirectory(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

// note notes all files of a directory, and itself.
func (s *copyState) note(ctx context.Context, dir int, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	id, _, err := identify(dir, ".")
	if err != nil {
		return wrapPath(path, err)
	}
	s.Files[path] = id
	names, err := inode.ReadNames(dir)
	if err != nil {
		return wrapPath(path, err)
	}
	for _, name := range names {
		child := joinPath(path, name)
		id, st, err := identify(dir, name)
		if err != nil {
			return wrapPath(child, err)
		}
		if !isDirectory(&st) {
			s.Files[child] = id
			continue
		}
		fd, err := inode.OpenDir(dir, name)
		if err != nil {
			return wrapPath(child, err)
		}
		err = s.note(ctx, fd, child)
		inode.CloseFD(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

const stateName = "state"

func (s *copyState) write(at string) error {
	f, err := os.Create(filepath.Join(at, stateName))
	if err != nil {
		return err
	}
	if err := errors.Join(gob.NewEncoder(f).Encode(s), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return nil
}

func readCopyState(at string) (*copyState, error) {
	f, err := os.Open(filepath.Join(at, stateName))
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	s := &copyState{}
	if err := gob.NewDecoder(f).Decode(s); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return s, nil
}

// maxTick is more than any file system's clock takes for a step (FAT has two seconds).
const maxTick = 3 * time.Second

// awaitTick waits until the file system's clock has gone on, so that what is changed from now on has another time than what is there. A file
// system that does not note what a change is, where its time of modification was set back, is an error.
func awaitTick(ctx context.Context, at string) error {
	name := filepath.Join(at, "clock")
	var first int64
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		changed, err := touchProbe(name)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return fmt.Errorf("read the clock of the file system: %w", err)
		}
		if first == 0 {
			first = changed
		}
		if changed != first {
			return os.Remove(name)
		}
		if time.Since(begun) > maxTick {
			return errors.New("the file system keeps no times of changes, by which to see what a script has changed")
		}
	}
}

// touchProbe writes to a file, sets its times back, and returns the time of its change.
func touchProbe(name string) (int64, error) {
	var st unix.Stat_t
	err := os.WriteFile(name, []byte("x"), 0o600)
	if err == nil {
		err = os.Chtimes(name, time.Unix(0, 0), time.Unix(0, 0))
	}
	if err == nil {
		err = unix.Stat(name, &st)
	}
	return st.Ctim.Nano(), err
}
