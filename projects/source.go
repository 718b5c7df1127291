package projects

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/projects/library"
	"xtoo/projects/schema"
)

// Source is where a tree of projects comes from: a directory on this machine, or any other [fs.FS].
//
// The configurations, the scripts that they name and what nodes declare under `files` are read through it, and nothing
// else is. Links: what FS follows is followed. A directory on this machine follows symbolic links to files wherever they
// lead, so that one beside the configuration can stand for what is elsewhere; an [fs.FS] decides for itself, and
// must be an [fs.ReadLinkFS] if there are links among the declared files.
//
// Stage3s, images, volumes and SIF files are of this machine, whatever the source is.
type Source struct {
	// FS holds the tree, its root being the work directory. nil: the directory Dir of this machine.
	FS fs.FS
	// Name is what positions begin with: a directory ("examples/demo" gives examples/demo/next/.xtoo-config.yaml:3:5),
	// or what ends in a colon ("builtin:" gives builtin:kantoo/.xtoo-config.yaml:3:5). Without FS the default is Dir, as it
	// is given.
	Name string
	// Dir is a directory of this machine. Without FS it is the work directory. With one, paths of this machine that are not
	// absolute mean what they would mean if the tree stood in Dir; if it is empty they are an error, with their position.
	Dir string
	// Version stands behind a colon in the references of all images, as in funtoo/boxer:2022-06-16. "": their references are
	// their tags alone.
	Version string
	// Library is where steps and types are looked for that are neither in the tree itself (steps/NAME, types/NAME.yaml) nor
	// ship; the first place counts.
	Library []library.Place
}

// origin is a source that was opened.
type origin struct {
	fsys fs.FS
	name string
	dir  string // absolute; "" where there is none
	disk bool   // fsys is dir
}

// open checks the source. For a directory on this machine the error is what the system says about it.
func (s Source) open() (*origin, error) {
	if s.FS != nil {
		o := &origin{fsys: s.FS, name: s.Name}
		if s.Dir == "" {
			return o, nil
		}
		var err error
		if o.dir, err = filepath.Abs(s.Dir); err != nil {
			return nil, fmt.Errorf("open work directory: %w", err)
		}
		return o, nil
	}
	abs, err := filepath.Abs(s.Dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, fmt.Errorf("open work directory: %w", err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("open work directory: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open work directory: %s is not a directory", s.Dir)
	}
	o := &origin{fsys: disk(abs), name: s.Name, dir: abs, disk: true}
	if o.name == "" {
		o.name = filepath.Clean(s.Dir)
	}
	return o, nil
}

// shown is a name of the tree for messages; on disk, as it can be opened from the current directory.
func (o *origin) shown(name string) string {
	switch {
	case o.disk:
		return filepath.Join(o.name, filepath.FromSlash(name))
	case strings.HasSuffix(o.name, ":"):
		return o.name + name
	}
	return path.Join(o.name, name)
}

// place is where a name of the tree is, whatever the current directory.
func (o *origin) place(name string) string {
	if o.disk {
		return filepath.Join(o.dir, filepath.FromSlash(name))
	}
	return o.shown(name)
}

// failed says where something failed, in place of the name that the file system has for it.
func (o *origin) failed(name string, err error) error {
	if pe, ok := err.(*fs.PathError); ok { //nolint:errorlint // what wraps one says more than its path
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", o.place(name), err)
}

// hostPath makes a path of this machine absolute that stands in the configuration of a project.
func (o *origin) hostPath(tag, p string, pos schema.Position, probs *schema.Problems) string {
	switch {
	case p == "~" || strings.HasPrefix(p, "~/"):
		home, err := os.UserHomeDir()
		if err != nil {
			probs.Add(schema.Problem{Pos: pos, Msg: fmt.Sprintf("%q: there is no home directory: %v", p, err), Hint: "set HOME, or write the path out", Err: err})
			return p
		}
		return filepath.Join(home, strings.TrimPrefix(p[1:], "/"))
	case strings.HasPrefix(p, "~"):
		probs.Hintf(pos, "write the path out; ~ alone is your own home directory", "%q: the home directories of others are not looked up", p)
		return p
	case filepath.IsAbs(p):
		return filepath.Clean(p)
	case o.dir == "":
		probs.Hintf(pos, "write the path out, or begin it with ~/", "%q is relative, and this tree is in no directory of this machine", p)
		return p
	}
	return filepath.Join(o.dir, filepath.FromSlash(tag), filepath.FromSlash(p))
}

// script finds the file of a script: the file system and the name in it. On disk it can be anywhere on the machine.
// ok is false if it cannot be anywhere; that has been reported.
func (o *origin) script(tag, p string, pos schema.Position, probs *schema.Problems) (from *origin, name string, ok bool) {
	if o.disk {
		host := o.hostPath(tag, p, pos, probs)
		if rel, err := filepath.Rel(o.dir, host); err == nil && !leadsOut(rel) {
			return o, filepath.ToSlash(rel), true
		}
		rel, err := filepath.Rel("/", host)
		return &origin{fsys: disk("/"), name: "/", dir: "/", disk: true}, rel, err == nil
	}
	name = path.Join(tag, p)
	if path.IsAbs(p) || strings.HasPrefix(p, "~") || leadsOut(name) {
		probs.Hintf(pos, "name a file beside the configuration, or elsewhere in the tree",
			"script %q: this tree is in no directory of this machine, and cannot use its files", p)
		return nil, "", false
	}
	return o, name, true
}

// leadsOut reports whether a clean relative path leads out of where it starts.
func leadsOut(rel string) bool { return rel == ".." || strings.HasPrefix(rel, "../") }

// disk is a directory of this machine as an fs.FS. Unlike [os.DirFS] it has files whose names are no UTF-8, and its errors
// have whole paths.
type disk string

func (d disk) join(name string) string { return filepath.Join(string(d), name) }

// Open opens a file for reading.
func (d disk) Open(name string) (fs.File, error) { return os.Open(d.join(name)) }

// Stat follows symbolic links.
func (d disk) Stat(name string) (fs.FileInfo, error) { return os.Stat(d.join(name)) }

// Lstat does not.
func (d disk) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(d.join(name)) }

// ReadLink says where a symbolic link leads.
func (d disk) ReadLink(name string) (string, error) { return os.Readlink(d.join(name)) }

// ReadDir lists a directory by name.
func (d disk) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(d.join(name)) }

// readFile reads a file that is a regular one of this size, or was a moment ago: limit+1 bytes at most. It asks the system
// for no more than that, since a plan reads a thousand small files.
func (d disk) readFile(name string, size, limit int64) ([]byte, error) {
	path := d.join(name)
	fail := func(op string, err error) ([]byte, error) { return nil, &fs.PathError{Op: op, Path: path, Err: err} }
	// Should it be a fifo by now, opening does not wait for a writer.
	fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0) })
	if err != nil {
		return fail("open", err)
	}
	defer func() { _ = unix.Close(fd) }() // read only: nothing can be lost
	data := make([]byte, 0, min(size, limit)+1)
	for {
		n, err := retry(func() (int, error) { return unix.Read(fd, data[len(data):cap(data)]) })
		if err != nil {
			return fail("read", err)
		}
		data = data[:len(data)+n]
		switch got := int64(len(data)); {
		case n == 0, got == size && got < int64(cap(data)), got > limit:
			return data, nil
		case got == int64(cap(data)):
			data = slices.Grow(data, int(min(max(got, 512), limit+1-got)))
		}
	}
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
