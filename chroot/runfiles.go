package chroot

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// runFile is a RunFile that was read on the host.
type runFile struct {
	name    string
	content []byte
	mode    os.FileMode
}

// readRunFiles reads what comes from host paths, while those can be reached.
func readRunFiles(files map[string]RunFile) ([]runFile, error) {
	all := make([]runFile, 0, len(files))
	for name, f := range files {
		if f.HostPath != "" {
			data, err := os.ReadFile(f.HostPath)
			if err != nil {
				return nil, fmt.Errorf("file for /run/%s: %w", name, err)
			}
			f.Content = data
		}
		if f.Mode == 0 {
			f.Mode = 0o644
		}
		all = append(all, runFile{name: name, content: f.Content, mode: f.Mode.Perm()})
	}
	slices.SortFunc(all, func(a, b runFile) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// writeRunFiles puts them into the guest's /run, and mounts the resolver's files over the image's.
func (g *guest) writeRunFiles(files []runFile, resolv, hosts []byte) error {
	run, err := resolve("/run")
	if err != nil {
		return err
	}
	own := []runFile{{name: "xtoo/resolv.conf", content: resolv, mode: 0o644}, {name: "xtoo/hosts", content: hosts, mode: 0o644}}
	for _, f := range append(own, files...) {
		p := filepath.Join(run, f.name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, f.content, 0o600); err != nil {
			return err
		}
		if err := os.Chmod(p, f.mode); err != nil {
			return err
		}
	}
	for _, name := range []string{"resolv.conf", "hosts"} {
		source, err := openPath(filepath.Join(run, "xtoo", name), 0)
		if err != nil {
			return err
		}
		at, err := g.bind(source, "/etc/"+name, false)
		if err == nil {
			err = setReadonly(at)
		}
		if closeErr := source.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
	}
	return nil
}
