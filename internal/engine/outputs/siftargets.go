package outputs

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

// errExists says that a SIF file with other bytes is in the way.
var errExists = errors.New("a file with other content is there")

// existsError carries the hint of errExists.
type existsError struct{ path string }

func (e *existsError) Error() string { return fmt.Sprintf("SIF %s: %s", e.path, errExists) }
func (e *existsError) Unwrap() error { return errExists }

// Hint says how to replace it.
func (e *existsError) Hint() string { return "use --force to replace it, or another --sif" }

// A UsageError says that what was asked for does not fit together.
type UsageError struct{ text, todo string }

func (e *UsageError) Error() string { return e.text }

// Hint says what to ask for instead.
func (e *UsageError) Hint() string { return e.todo }

// targets says which SIF files were asked for, on the command line and in configurations.
func (s *SIF) targets(asked []*projects.PlannedProject) ([]sifTarget, error) {
	var targets []sifTarget
	for _, p := range asked {
		if p.SIF != "" {
			targets = append(targets, sifTarget{project: p, path: p.SIF, own: true})
		}
	}
	if s.Path == "" {
		return targets, nil
	}
	fi, err := os.Stat(s.Path)
	switch {
	case strings.HasSuffix(s.Path, "/") || (err == nil && fi.IsDir()):
		for _, p := range asked {
			targets = append(targets, sifTarget{project: p, path: filepath.Join(s.Path, p.SIFName())})
		}
	case len(asked) == 1:
		targets = append(targets, sifTarget{project: asked[0], path: s.Path})
	case countProjects(asked) == 1:
		for _, p := range asked {
			targets = append(targets, sifTarget{project: p, path: projects.SIFPath(s.Path, p.Platform())})
		}
	default:
		return nil, &UsageError{
			text: fmt.Sprintf("--sif %s names one file, and %d projects are to be built", s.Path, countProjects(asked)),
			todo: "name one project, or give a directory: --sif " + s.Path + "/",
		}
	}
	return targets, nil
}

// Check implements [engine.Output].
func (s *SIF) Check(asked []*projects.PlannedProject) error {
	targets, err := s.targets(asked)
	if err != nil {
		return err
	}
	good := map[string]bool{} // directories that can be written to
	for _, t := range targets {
		dir := filepath.Dir(t.path)
		fi, err := os.Stat(t.path)
		if good[dir] && (errors.Is(err, fs.ErrNotExist) || err == nil && fi.Mode().IsRegular()) {
			continue
		}
		if err := checkWritable(t.path); err != nil {
			return err
		}
		good[dir] = true
	}
	return nil
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
