package oci

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// openRegular opens a regular file. A pipe or device that stands in its place neither blocks nor is read.
func openRegular(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w: not a regular file", errInvalid)}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readFile reads a JSON file of at most maxDocument bytes.
func readFile(name string) ([]byte, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	data, err := readDocument(f)
	if err != nil {
		err = fmt.Errorf("read %s: %w", name, err)
	}
	return data, errors.Join(err, f.Close())
}

// layoutMark is the content of oci-layout.
func layoutMark() []byte { return []byte(`{"imageLayoutVersion":"` + v1.ImageLayoutVersion + `"}`) }

// leftover matches the temporary files of package atomicfile for the names that a layout has. What a killed
// build left is removed by the next one that writes; no other tool uses such names.
var leftover = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\.(oci-layout|index\.json|[0-9a-f]{64}|[0-9a-f]{128})\.[A-Z0-9]+\.part$`)
})

func isLeftover(name string) bool { return leftover().MatchString(name) }

// removeLeftovers removes what killed builds left of an index, and with blobs set, of blobs. The caller holds the
// lock, so that nobody who is alive is writing such a file.
func (l *Layout) removeLeftovers(blobs bool) error {
	dirs := []string{l.dir}
	if blobs {
		for _, algorithm := range []string{"sha256", "sha512"} {
			dirs = append(dirs, filepath.Join(l.dir, v1.ImageBlobsDir, algorithm))
		}
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("layout %s: %w", l.dir, err)
		}
		for _, e := range entries {
			if !isLeftover(e.Name()) {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return unwritable(l.dir, fmt.Errorf("layout %s: %w", l.dir, err))
			}
		}
	}
	return nil
}
