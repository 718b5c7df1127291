package chroot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
)

// checkRunFiles refuses names that are not below /run, or that lead through a link which is itself one of the files.
func checkRunFiles(files map[string]RunFile) error {
	for name, f := range files {
		if name == "." || !fs.ValidPath(name) {
			return fmt.Errorf("run a node: %q is no path below /run", name)
		}
		if kind := f.Mode.Type(); kind != 0 && kind != fs.ModeSymlink && kind != fs.ModeDir {
			return fmt.Errorf("run a node: the file /run/%s: %w: %v", name, errUnsupported, f.Mode)
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if above, ok := files[dir]; ok && !above.Mode.IsDir() {
				return fmt.Errorf("run a node: the file /run/%s is below another, /run/%s (%v)", name, dir, above.Mode)
			}
		}
	}
	return nil
}

// writeRunFiles puts the files into the guest's /run. Meanwhile the root of the process is the host's again, where
// their sources are.
func (g *guest) writeRunFiles(files map[string]RunFile) error {
	if err := g.leave(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeRunFile(g.run, name, files[name]); err != nil {
			return fmt.Errorf("file /run/%s: %w", name, err)
		}
	}
	return g.enter()
}

func writeRunFile(run *os.Root, name string, f RunFile) error {
	if f.Mode.IsDir() {
		return run.MkdirAll(name, 0o755)
	}
	if err := run.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if f.Mode&fs.ModeSymlink != 0 {
		return run.Symlink(string(f.Content), name)
	}
	var from io.Reader = bytes.NewReader(f.Content)
	if f.HostPath != "" {
		source, err := os.Open(f.HostPath)
		if err != nil {
			return err
		}
		defer source.Close()
		from = source
	}
	mode := f.Mode.Perm()
	if f.Mode == 0 {
		mode = 0o644
	}
	to, err := run.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode) // the umask is 0 here
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
