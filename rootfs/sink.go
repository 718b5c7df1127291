package rootfs

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// copyBuffer is how much is copied at a time, in bytes.
const copyBuffer = 1 << 20

// A sink makes the files of an image below a directory.
type sink struct {
	root *os.Root
	buf  []byte
	// dirs are the directories that were described, to be set at the end. made are the paths of all that are there.
	dirs []layers.Member
	made map[string]bool
	// in is the directory that was made something in before: members of one directory mostly stand together.
	in   *os.File
	path string
	// left are the paths of device nodes that could not be made.
	left map[string]bool

	size                 int64
	uid, gid             uint32
	owners, nodes, attrs int64 // how many are not what the image says
}

func newSink(dir string) (*sink, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &sink{
		root: root, buf: make([]byte, copyBuffer), made: map[string]bool{"": true}, left: map[string]bool{},
		uid: uint32(os.Geteuid()), gid: uint32(os.Getegid()),
	}, nil
}

func (s *sink) close() {
	if s.in != nil {
		_ = s.in.Close() // read only
		s.in = nil
	}
	_ = s.root.Close() // read only
}

// mkdir makes a directory and those above it, for nobody else to enter until all is there.
func (s *sink) mkdir(name string) error {
	if s.made[name] {
		return nil
	}
	if err := s.root.MkdirAll(name, 0o700); err != nil {
		return err
	}
	s.made[name] = true
	return nil
}

// open opens a directory, which is made if it is missing; the caller closes it.
func (s *sink) open(dir string) (*os.File, error) {
	if err := s.mkdir(dir); err != nil {
		return nil, err
	}
	if dir == "" {
		dir = "."
	}
	return s.root.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
}

// split opens the directory of a path, for as long as nothing is made elsewhere.
func (s *sink) split(name string) (dir int, base string, err error) {
	parent, base := path.Split(name)
	parent = strings.TrimSuffix(parent, "/")
	if s.in == nil || s.path != parent {
		in, err := s.open(parent)
		if err != nil {
			return -1, "", err
		}
		if s.in != nil {
			_ = s.in.Close() // read only
		}
		s.in, s.path = in, parent
	}
	return int(s.in.Fd()), base, nil
}

// Add implements merge.Sink.
func (s *sink) Add(m *layers.Member, data io.Reader) error {
	if m.IsDir() {
		s.dirs = append(s.dirs, *m)
		return s.mkdir(m.Path)
	}
	dir, base, err := s.split(m.Path)
	if err != nil {
		return err
	}
	at := place{dir: dir, name: base, file: -1}
	switch m.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return s.addFile(at, m, data)
	case unix.S_IFLNK:
		err = unix.Symlinkat(m.Target, dir, base)
	case unix.S_IFIFO:
		err = unix.Mknodat(dir, base, unix.S_IFIFO|0o600, 0)
	default:
		err = unix.Mknodat(dir, base, m.Mode&unix.S_IFMT|0o600, int(unix.Mkdev(m.Major, m.Minor)))
		if errors.Is(err, unix.EPERM) {
			s.left[m.Path] = true
			s.nodes++
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("make it: %w", err)
	}
	return s.set(at, m)
}

func (s *sink) addFile(at place, m *layers.Member, data io.Reader) error {
	fd, err := unix.Openat(at.dir, at.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("make it: %w", err)
	}
	f := os.NewFile(uintptr(fd), at.name)
	defer f.Close() // an error of writing shows before
	if m.Size > 0 {
		n, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{data}, s.buf)
		if err == nil && n != m.Size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		s.size += n
	}
	at.file = fd
	return s.set(at, m)
}

// Link implements merge.Sink.
func (s *sink) Link(name, target string) error {
	if s.left[target] {
		s.left[name] = true
		return nil
	}
	parent, base := path.Split(target)
	from, err := s.open(strings.TrimSuffix(parent, "/"))
	if err != nil {
		return err
	}
	defer from.Close() // read only
	dir, to, err := s.split(name)
	if err != nil {
		return err
	}
	if err := unix.Linkat(int(from.Fd()), base, dir, to, 0); err != nil {
		return fmt.Errorf("link it to %s: %w", target, err)
	}
	return nil
}

// finish gives the directories what they are to have, those too that no layer describes.
func (s *sink) finish(implied iter.Seq[string]) error {
	for name := range implied {
		if err := s.mkdir(name); err != nil {
			return err
		}
		s.dirs = append(s.dirs, undescribed(name))
	}
	if !slices.ContainsFunc(s.dirs, func(m layers.Member) bool { return m.Path == "" }) {
		s.dirs = append(s.dirs, undescribed(""))
	}
	slices.SortFunc(s.dirs, func(a, b layers.Member) int { return strings.Compare(b.Path, a.Path) })
	for i := range s.dirs {
		m := &s.dirs[i]
		d, err := s.open(m.Path)
		if err == nil {
			err = s.set(place{dir: int(d.Fd()), name: ".", file: int(d.Fd())}, m)
			_ = d.Close() // read only
		}
		if err != nil {
			return fmt.Errorf("directory %q: %w", m.Path, err)
		}
	}
	return nil
}

// undescribed is a directory that no layer describes.
func undescribed(name string) layers.Member {
	return layers.Member{Path: name, Mode: unix.S_IFDIR | 0o755, ModTime: time.Unix(0, 0)}
}

// warn says what is not as the image has it.
func (s *sink) warn(to func(text string)) {
	if to == nil {
		return
	}
	for _, w := range []struct {
		n    int64
		text string
	}{
		{s.owners, "%d files are this user's instead of their owners', without setuid and setgid bits: only root can give them away"},
		{s.nodes, "%d device nodes are left out: only root can make them"},
		{s.attrs, "%d extended attributes are left out: this user may not set them, or the file system cannot hold them"},
	} {
		if w.n > 0 {
			to(fmt.Sprintf(w.text, w.n))
		}
	}
}
