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

// A target is a file to be.
type target struct {
	project *projects.PlannedProject
	path    string
	// own: a configuration names it (outputs). A file there that xtoo wrote, and nobody has changed since, is
	// replaced without being asked.
	own bool
}

// asked says which files of a kind are to be written.
type asked struct {
	output projects.Output
	flag   string // "--sif"
	// path is what stands behind the flag: a file, or a directory; empty: only what configurations ask for.
	path string
	// beside are the suffixes of the files beside the one that was asked for. They appear before it.
	beside []string
	// claims are the files of all kinds.
	claims Claims
}

// Claims are the files that outputs of all kinds are to write, with what each is to be: none is to be two. A nil one takes no notes.
type Claims map[string]string

// claim notes the files of a target.
func (a *asked) claim(t target) error {
	if a.claims == nil {
		return nil
	}
	for _, suffix := range append([]string{""}, a.beside...) {
		path, err := filepath.Abs(t.path + suffix)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("the %s%s of %s", a.output, suffix, t.project.Label())
		if other := a.claims[path]; other != "" && other != what {
			return &UsageError{text: fmt.Sprintf("%s and %s would both be %s", other, what, path), hint: "give one of them another name"}
		}
		a.claims[path] = what
	}
	return nil
}

// errExists says that a file with other bytes is in the way.
var errExists = errors.New("a file with other content is there")

// existsError carries the hint of errExists.
type existsError struct {
	output     projects.Output
	flag, path string
}

func (e *existsError) Error() string { return fmt.Sprintf("%s %s: %s", e.output, e.path, errExists) }
func (e *existsError) Unwrap() error { return errExists }

// Hint says how to replace it.
func (e *existsError) Hint() string { return "use --force to replace it, or another " + e.flag }

// A UsageError says that what was asked for does not fit together.
type UsageError struct{ text, hint string }

func (e *UsageError) Error() string { return e.text }

// Hint says what to ask for instead.
func (e *UsageError) Hint() string { return e.hint }

// targets says which files were asked for, on the command line and in configurations.
func (a *asked) targets(list []*projects.PlannedProject) ([]target, error) {
	var targets []target
	for _, p := range list {
		if path := p.Outputs[a.output]; path != "" {
			targets = append(targets, target{project: p, path: path, own: true})
		}
	}
	if a.path == "" {
		return targets, nil
	}
	fi, err := os.Stat(a.path)
	switch {
	case strings.HasSuffix(a.path, "/") || (err == nil && fi.IsDir() && !a.directories()):
		for _, p := range list {
			targets = append(targets, target{project: p, path: filepath.Join(a.path, p.OutputName(a.output))})
		}
	case len(list) == 1:
		targets = append(targets, target{project: list[0], path: a.path})
	case countProjects(list) == 1:
		for _, p := range list {
			targets = append(targets, target{project: p, path: a.output.WithPlatform(a.path, p.Platform())})
		}
	default:
		return nil, &UsageError{
			text: fmt.Sprintf("%s %s names one %s, and %d projects are to be built", a.flag, a.path, a.noun(), countProjects(list)),
			hint: fmt.Sprintf("name one project, or give a directory: %s %s/", a.flag, a.path),
		}
	}
	return targets, nil
}

// directories: what is written are directories, and one that is there is none to write to unless its path ends in a slash.
func (a *asked) directories() bool { return a.output == projects.OutputRootfs }

// noun is what is written.
func (a *asked) noun() string {
	if a.directories() {
		return "directory"
	}
	return "file"
}

// check finds what is wrong with the targets of projects.
func (a *asked) check(list []*projects.PlannedProject) error {
	targets, err := a.targets(list)
	if err != nil {
		return err
	}
	good := map[string]bool{} // directories that can be written to
	for _, t := range targets {
		if problem, hint := a.output.NameProblem(t.path); problem != "" {
			return &UsageError{text: fmt.Sprintf("%s %s: the name %s", a.flag, t.path, problem), hint: hint}
		}
		if err := a.claim(t); err != nil {
			return err
		}
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
