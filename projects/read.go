package projects

import (
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

// readRegular reads a regular file. Others are refused before they are opened: opening a fifo would hang. link says
// whether the name is a symbolic link to it.
func readRegular(fsys fs.FS, name string, limit int64) (data []byte, link bool, err error) {
	info, err := fs.Lstat(fsys, name)
	if link = err == nil && info.Mode()&fs.ModeSymlink != 0; link {
		info, err = fs.Stat(fsys, name)
	}
	switch {
	case err != nil:
		return nil, link, err
	case info.IsDir():
		return nil, link, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return nil, link, errors.New("it is not a regular file")
	}
	if d, ok := fsys.(disk); ok {
		data, err = d.readFile(name, info.Size(), limit)
	} else {
		data, err = readAll(fsys, name, limit)
	}
	if err == nil && int64(len(data)) > limit {
		err = tooLargeError(limit)
	}
	return data, link, err
}

// readAll reads a file, limit+1 bytes at most.
func readAll(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing can be lost
	return io.ReadAll(io.LimitReader(f, limit+1))
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
func (l *loader) outside(from *origin, name string, link bool) bool {
	if !l.disk || from == l.origin && !link && !l.linked(path.Dir(name)) {
		return false
	}
	target, err := filepath.EvalSymlinks(from.place(name))
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(l.dir, target)
	return err != nil || leadsOut(rel)
}

// linked reports whether there is a symbolic link on the way to a directory, or at its end. Those that the search for
// projects came through are known.
func (l *loader) linked(dir string) bool {
	if known, ok := l.links[dir]; ok || dir == "." {
		return known
	}
	info, err := fs.Lstat(l.fsys, dir)
	found := err != nil || info.Mode()&fs.ModeSymlink != 0 || l.linked(path.Dir(dir))
	l.links[dir] = found
	return found
}
