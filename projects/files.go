package projects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"xtoo/projects/schema"
)

// fileSet is one entry of a node's `files`: a file or directory beside the configuration that the script
// can read under $XTOO_FILES.
type fileSet struct {
	path string // as the script finds it below $XTOO_FILES: relative, slashes, clean
	pos  schema.Position

	from *origin
	name string // in the tree
}

// FileEntry is one file, directory or symbolic link of what a node declares, as data: with the bytes that [Node.Inputs]
// gave away, it is all that an executor needs.
//
// Only what a version control system would keep counts: kind, content, whether it is executable. So the
// script must be given Mode and not the mode where the file was, which depends on its owner's umask.
type FileEntry struct {
	Path   string        // below $XTOO_FILES
	Mode   fs.FileMode   // type, and 0644 or 0755 for files, 0755 for directories, 0777 for links
	Target string        // of symbolic links
	Size   int64         // of files, in bytes
	Digest digest.Digest // of files
}

// Limits of what one node may declare.
const maxFileEntries = 1_000_000

// entries lists and reads what is there now: parents before what is in them, by name. Symbolic links are
// entries of their own and are not followed, except the one that the set itself may be. Sockets, fifos and
// devices are an error.
func (s fileSet) entries(ctx context.Context, keep Keeper) ([]FileEntry, error) {
	var out []FileEntry
	err := fs.WalkDir(s.from.fsys, s.name, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return s.from.failed(p, err)
		}
		if len(out) >= maxFileEntries {
			return fmt.Errorf("more than %d files", maxFileEntries)
		}
		e := FileEntry{Path: s.path + strings.TrimPrefix(p, s.name)}
		if err := e.fill(ctx, s.from.fsys, p, d, keep); err != nil {
			return s.from.failed(p, err)
		}
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read files %q: %w", s.path, err)
	}
	return out, nil
}

func (e *FileEntry) fill(ctx context.Context, fsys fs.FS, name string, d fs.DirEntry, keep Keeper) (err error) {
	switch {
	case d.IsDir():
		e.Mode = fs.ModeDir | 0o755
	case d.Type()&fs.ModeSymlink != 0:
		e.Mode = fs.ModeSymlink | 0o777
		e.Target, err = fs.ReadLink(fsys, name)
	case d.Type().IsRegular():
		err = e.read(ctx, fsys, name, keep)
	default:
		err = errors.New("is neither a file nor a directory nor a symbolic link")
	}
	return err
}

// read gives the file away. Its mode is that of the very file which was read.
func (e *FileEntry) read(ctx context.Context, fsys fs.FS, name string, keep Keeper) (err error) {
	unreadable := false
	e.Digest, e.Size, err = keep.take(ctx, func() (io.ReadCloser, error) {
		f, err := fsys.Open(name)
		if err != nil {
			unreadable = true
			return nil, err
		}
		info, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		e.Mode = 0o644
		if info.Mode()&0o111 != 0 {
			e.Mode = 0o755
		}
		return opened{f, info}, nil
	})
	switch {
	case err == nil && e.Mode == 0:
		return &keepError{errors.New("it was not read")}
	case err != nil && keep != nil && !unreadable:
		return &keepError{err}
	}
	return err
}

// opened is a file of which it is known what it is.
type opened struct {
	fs.File
	info fs.FileInfo
}

func (f opened) Stat() (fs.FileInfo, error) { return f.info, nil }

// keepError is the keeper's failure, which no change of the configuration would mend.
type keepError struct{ error }

func (e *keepError) Unwrap() error { return e.error }

// digestOfEntries is a digest over all entries of a set.
func digestOfEntries(entries []FileEntry) digest.Digest {
	parts := make([]string, 0, 4*len(entries))
	for _, e := range entries {
		parts = append(parts, e.Path, e.Mode.String(), e.Target, e.Digest.String())
	}
	return digestOf(parts...)
}

// files reads a node's `files`.
func (d *decoder) files(v *schema.Value) []fileSet {
	if v == nil {
		return nil
	}
	var out []fileSet
	for _, item := range v.Items {
		s, ok := d.from.fileSet(d.dir, item.Text, item.Pos, d.probs)
		if !ok {
			continue
		}
		for _, o := range out {
			if s.within(o) || o.within(s) {
				d.probs.Addf(item.Pos, "%q and %q are the same files, or one holds the other: name the larger one alone", item.Text, o.path)
			}
		}
		out = append(out, s)
	}
	return out
}

// fileSet finds what a configuration in dir of the tree names. ok is false if it cannot be named; what is wrong is reported.
func (o *origin) fileSet(dir, text string, pos schema.Position, probs *schema.Problems) (s fileSet, ok bool) {
	clean := path.Clean(text)
	switch {
	case path.IsAbs(text) || strings.HasPrefix(text, "~"):
		probs.Hintf(pos, "use a volume for what is elsewhere on the machine, or a symbolic link beside the configuration",
			"%q: files are named relative to the configuration's directory", text)
		return s, false
	case hasDotDot(text):
		probs.Hintf(pos, "put a symbolic link to it beside the configuration, and name that",
			"%q leads out of the configuration's directory", text)
		return s, false
	case clean == ".":
		probs.Hintf(pos, "name the files and directories that the script needs",
			"%q is the project's whole directory: every change in it, and in the projects below, would run the script again", text)
		return s, false
	}
	s = fileSet{path: clean, pos: pos, from: o, name: path.Join(dir, clean)}
	switch _, err := fs.Stat(o.fsys, s.name); {
	case errors.Is(err, fs.ErrNotExist):
		probs.Add(schema.Problem{Pos: pos, Msg: fmt.Sprintf("there is no file or directory %q", text), Hint: "looked for " + o.place(s.name), Err: err})
	case err != nil:
		probs.Add(schema.Problem{Pos: pos, Msg: fmt.Sprintf("cannot read %q: %s", text, reason(err)), Err: err})
	}
	return s, true
}

// within reports whether all of the set is in another one.
func (s fileSet) within(o fileSet) bool {
	return s.path == o.path || strings.HasPrefix(s.path, o.path+"/")
}
