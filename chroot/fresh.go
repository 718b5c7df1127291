package chroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// Tmpfs has the sizes of the file systems in memory, as tmpfs(5) has them: a number of bytes, with k, m or g behind it, or
// of hundredths of the machine's memory, with % behind it. Empty: 50%, and 20% for Run.
type Tmpfs struct {
	Tmp string // /tmp
	Run string // /run
	Shm string // /dev/shm
}

// withDefaults checks and completes the sizes.
func (t Tmpfs) withDefaults() (Tmpfs, error) {
	valid := regexp.MustCompile(`^[1-9][0-9]{0,15}[kmgKMG%]?$`)
	for _, one := range []struct {
		size    *string
		name, d string
	}{{&t.Tmp, "/tmp", "50%"}, {&t.Run, "/run", "20%"}, {&t.Shm, "/dev/shm", "50%"}} {
		if *one.size == "" {
			*one.size = one.d
		}
		if !valid.MatchString(*one.size) {
			return t, fmt.Errorf("size %q of %s: must be a number, with k, m, g or %% behind it", *one.size, one.name)
		}
	}
	return t, nil
}

// A freshDir is a directory that is empty at the beginning of each node, and gone at its end: /tmp and /run.
type freshDir struct {
	path  string
	at    string   // where it was mounted
	image *os.File // what it hides
	mode  uint32   // of the fresh one
	owned string   // what is there from the beginning
	clear bool     // what it hides is removed
}

// mountFresh mounts a fresh directory.
func (g *guest) mountFresh(f freshDir, data string) (string, error) {
	at, err := g.place(f.path, true)
	if err != nil {
		return "", fmt.Errorf("mount tmpfs on %s: %w", f.path, err)
	}
	if f.clear {
		if err := removeIn(at); err != nil {
			return "", fmt.Errorf("empty %s: %w", f.path, err)
		}
	}
	if f.image, err = os.Open(at); err != nil {
		return "", err
	}
	if f.at, err = g.mount("tmpfs", f.path, unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=%04o,%s", f.mode, data)); err != nil {
		return "", errors.Join(err, f.image.Close())
	}
	g.fresh = append(g.fresh, f)
	return f.at, nil
}

// removeIn empties a directory of the guest.
func removeIn(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// lost says what the script has left in fresh directories where the image has something: it may have been meant for that, and is
// in no layer. It is called when all processes have ended.
func (g *guest) lost() ([]string, error) {
	var all []string
	for _, f := range g.fresh {
		text, err := f.lost()
		if err = errors.Join(err, f.image.Close()); err != nil {
			return nil, err
		}
		if text != "" {
			all = append(all, text)
		}
	}
	return all, nil
}

func (f *freshDir) lost() (string, error) {
	var is, was unix.Stat_t
	if err := errors.Join(unix.Stat(f.at, &is), unix.Fstat(int(f.image.Fd()), &was)); err != nil {
		return "", fmt.Errorf("stat %s: %w", f.path, err)
	}
	left, err := entriesOf(f.at, f.owned)
	if err != nil {
		return "", err
	}
	const permissions = 0o7777
	if len(left) == 0 && is.Mode&permissions == f.mode {
		return "", nil
	}
	names, err := f.image.Readdirnames(-1)
	if err != nil {
		return "", fmt.Errorf("list %s of the image: %w", f.path, err)
	}
	what := strings.Join(left[:min(len(left), maxNamed)], ", ")
	switch mode := is.Mode & permissions; {
	case mode != f.mode && mode != was.Mode&permissions:
		what = fmt.Sprintf("mode %04o", mode)
	case len(left) == 0 || len(shown(names, f.owned)) == 0:
		return "", nil
	}
	return fmt.Sprintf("what the script left in %s (%s): that is fresh for each node, and what the image has there stays as it is", f.path, what), nil
}

// maxNamed is how many names a message has.
const maxNamed = 3

// entriesOf lists a directory of the guest.
func entriesOf(dir, owned string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return shown(names, owned), nil
}

// shown leaves out what means nothing: what xtoo has put there, and the marks with which distributions keep a directory.
func shown(names []string, owned string) []string {
	var rest []string
	for _, n := range names {
		if n != owned && !strings.HasPrefix(n, ".keep") {
			rest = append(rest, n)
		}
	}
	return rest
}
