package projects

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"xtoo/projects/schema"
)

// FileSet is one schema.Entry of a node's `files`: a file or directory beside the configuration that the script
// can read under $XTOO_FILES.
type FileSet struct {
	Path string // as the script finds it below $XTOO_FILES: relative, slashes, clean
	Host string // absolute path on this machine
	Pos  schema.Position
}

// FileEntry is one file, directory or symbolic link of a [FileSet].
//
// Only what a version control system would keep counts: kind, content, whether it is executable. So the
// script must be given Mode and not the mode on this machine, which depends on its owner's umask.
type FileEntry struct {
	Path   string      // below $XTOO_FILES
	Host   string      // absolute path on this machine
	Mode   fs.FileMode // type, and 0644 or 0755 for files, 0755 for directories, 0777 for links
	Target string      // of symbolic links
	Size   int64       // of files, in bytes
	Digest digest.Digest
}

// Limits of what one node may declare.
const maxFileEntries = 1_000_000

// Entries lists and hashes what is there now: parents before what is in them, by name. Symbolic links are
// entries of their own and are not followed, except the one that the set itself may be. Sockets, fifos and
// devices are an error.
func (s FileSet) Entries() ([]FileEntry, error) {
	host, err := filepath.EvalSymlinks(s.Host)
	if err != nil {
		return nil, fmt.Errorf("read files %q: %w", s.Path, err)
	}
	var out []FileEntry
	err = filepath.WalkDir(host, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if len(out) >= maxFileEntries {
			return fmt.Errorf("more than %d files", maxFileEntries)
		}
		rel, err := filepath.Rel(host, p)
		if err != nil {
			return err
		}
		e := FileEntry{Path: path.Join(s.Path, filepath.ToSlash(rel)), Host: p}
		if err := e.fill(d); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read files %q: %w", s.Path, err)
	}
	return out, nil
}

func (e *FileEntry) fill(d fs.DirEntry) (err error) {
	switch {
	case d.IsDir():
		e.Mode = fs.ModeDir | 0o755
	case d.Type()&fs.ModeSymlink != 0:
		e.Mode = fs.ModeSymlink | 0o777
		e.Target, err = os.Readlink(e.Host)
	case d.Type().IsRegular():
		err = e.hash()
	default:
		err = errors.New("is neither a file nor a directory nor a symbolic link")
	}
	return err
}

func (e *FileEntry) hash() error {
	f, err := os.Open(e.Host)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only: nothing can be lost
	info, err := f.Stat()
	if err != nil {
		return err
	}
	e.Mode = 0o644
	if info.Mode()&0o111 != 0 {
		e.Mode = 0o755
	}
	h := sha256.New()
	if e.Size, err = io.Copy(h, f); err != nil {
		return err
	}
	e.Digest = digest.NewDigest(digest.SHA256, h)
	return nil
}

// Digest is a digest over all entries.
func (s FileSet) Digest() (digest.Digest, error) {
	entries, err := s.Entries()
	if err != nil {
		return "", err
	}
	parts := make([]string, 0, 4*len(entries))
	for _, e := range entries {
		parts = append(parts, e.Path, e.Mode.String(), e.Target, e.Digest.String())
	}
	return digestOf(parts...), nil
}

// files reads a node's `files`.
func (d *decoder) files(v *schema.Value) []FileSet {
	if v == nil {
		return nil
	}
	var out []FileSet
	for _, item := range v.Items {
		clean := path.Clean(item.Text)
		switch {
		case path.IsAbs(item.Text) || strings.HasPrefix(item.Text, "~"):
			d.probs.Hintf(item.Pos, "use a volume for what is elsewhere on the machine, or a symbolic link beside the configuration",
				"%q: files are named relative to the configuration's directory", item.Text)
			continue
		case hasDotDot(item.Text):
			d.probs.Hintf(item.Pos, "put a symbolic link to it beside the configuration, and name that",
				"%q leads out of the configuration's directory", item.Text)
			continue
		case clean == ".":
			d.probs.Hintf(item.Pos, "name the files and directories that the script needs",
				"%q is the project's whole directory: every change in it, and in the projects below, would run the script again", item.Text)
			continue
		}
		for _, o := range out {
			if clean == o.Path || strings.HasPrefix(clean, o.Path+"/") || strings.HasPrefix(o.Path, clean+"/") {
				d.probs.Addf(item.Pos, "%q and %q are the same files, or one holds the other: name the larger one alone", item.Text, o.Path)
			}
		}
		s := FileSet{Path: clean, Host: filepath.Join(d.project.Dir, filepath.FromSlash(clean)), Pos: item.Pos}
		switch _, err := os.Stat(s.Host); {
		case errors.Is(err, fs.ErrNotExist):
			d.probs.Add(schema.Problem{Pos: item.Pos, Msg: fmt.Sprintf("there is no file or directory %q", item.Text), Hint: "looked for " + s.Host, Err: err})
		case err != nil:
			d.probs.Add(schema.Problem{Pos: item.Pos, Msg: fmt.Sprintf("cannot read %q: %s", item.Text, reason(err)), Err: err})
		}
		out = append(out, s)
	}
	return out
}
