package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/projects"
)

// A sifTarget is a SIF file to be.
type sifTarget struct {
	project *projects.PlannedProject
	path    string
	// own: a configuration names it (outputs.sif). A file there that xtoo wrote, and nobody has changed since, is
	// replaced without being asked.
	own bool
}

// ErrExists says that a SIF file with other bytes is in the way.
var ErrExists = errors.New("a file with other content is there")

// existsError carries the hint of ErrExists.
type existsError struct{ path string }

func (e *existsError) Error() string { return fmt.Sprintf("SIF %s: %s", e.path, ErrExists) }
func (e *existsError) Unwrap() error { return ErrExists }

// Hint says how to replace it.
func (e *existsError) Hint() string { return "use --force to replace it, or another --sif" }

// sifTargets says which SIF files were asked for, on the command line and in configurations.
func (b *build) sifTargets() ([]sifTarget, error) {
	selected := b.selected()
	var targets []sifTarget
	for _, p := range selected {
		if p.SIF != "" {
			targets = append(targets, sifTarget{project: p, path: p.SIF, own: true})
		}
	}
	fi, err := os.Stat(b.o.SIF)
	isDir := strings.HasSuffix(b.o.SIF, "/") || (err == nil && fi.IsDir())
	switch {
	case b.o.SIF == "":
	case isDir:
		for _, p := range selected {
			targets = append(targets, sifTarget{project: p, path: filepath.Join(b.o.SIF, p.SIFName())})
		}
	case len(selected) == 1:
		targets = append(targets, sifTarget{project: selected[0], path: b.o.SIF})
	case countProjects(selected) == 1:
		for _, p := range selected {
			targets = append(targets, sifTarget{project: p, path: projects.SIFPath(b.o.SIF, p.Platform())})
		}
	default:
		return nil, &UsageError{
			Text: fmt.Sprintf("--sif %s names one file, and %d projects are to be built", b.o.SIF, countProjects(selected)),
			Todo: "name one project, or give a directory: --sif " + b.o.SIF + "/",
		}
	}
	for _, t := range targets {
		if err := checkWritable(t.path); err != nil {
			return nil, err
		}
	}
	return targets, nil
}

// countProjects counts a project that is built for several platforms once.
func countProjects(list []*projects.PlannedProject) int {
	seen := map[*projects.Project]bool{}
	for _, p := range list {
		seen[p.Project] = true
	}
	return len(seen)
}

// checkWritable says whether a file or directory can be made, or is there and can be written to.
func checkWritable(path string) error {
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		fi, err := os.Stat(p)
		if errors.Is(err, fs.ErrNotExist) && p != filepath.Dir(p) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if !fi.IsDir() {
			if p == filepath.Clean(path) && fi.Mode().IsRegular() {
				continue // it will be replaced: its directory is what matters
			}
			return fmt.Errorf("write %s: %s is not a directory", path, p)
		}
		if err := unix.Access(p, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("write %s: directory %s: %w", path, p, err)
		}
		return nil
	}
}
