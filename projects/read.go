package projects

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
)

// tooLargeError carries the limit that was exceeded.
type tooLargeError int64

func (e tooLargeError) Error() string { return fmt.Sprintf("it is larger than %d bytes", int64(e)) }

// readRegular reads a regular file. Others are refused before they are opened: opening a fifo would hang.
func readRegular(fsys fs.FS, name string, limit int64) (data []byte, err error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a directory")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only: nothing can be lost
	buf := bytes.NewBuffer(make([]byte, 0, min(max(info.Size(), 0), limit)+bytes.MinRead))
	if _, err = buf.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, tooLargeError(limit)
	}
	return buf.Bytes(), nil
}

// reason is what the system said, without operation and path.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// outside reports whether the file of a script is out of the work directory, there or where links lead.
func (l *loader) outside(from *origin, name string) bool {
	if !l.disk || from == l.origin && !l.linked(name) {
		return false
	}
	target, err := filepath.EvalSymlinks(from.place(name))
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(l.dir, target)
	return err != nil || leadsOut(rel)
}

// linked reports whether there is a symbolic link on the way to a name. It remembers the directories.
func (l *loader) linked(name string) bool {
	if name == "." {
		return false
	}
	if known, ok := l.links[name]; ok {
		return known
	}
	info, err := fs.Lstat(l.fsys, name)
	if err != nil {
		return true // whoever asks looks closer
	}
	found := info.Mode()&fs.ModeSymlink != 0 || l.linked(path.Dir(name))
	if info.IsDir() {
		l.links[name] = found
	}
	return found
}
