package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/projects"
	"xtoo/projects/ask"
)

type newOptions struct {
	stage3, from, arch string
	set                []string
}

func newNewCommand(g *globals) *cobra.Command {
	var o newOptions
	c := &cobra.Command{
		Use:   "new [TYPE] [PATH]",
		Short: "Make a project of a type; alone: list what types fit here",
		Long: `Make a project: write a commented .xtoo-config.yaml of the type TYPE in the directory PATH of the work
directory, which is made, too. A file that is there is never overwritten. A project without one above it
is a root, and needs a stage3 (--stage3) or an image (--from) to start from.

On a terminal xtoo asks for what the type wants to know. Secrets are not asked for here: they are written
nowhere, and the build asks for them.

Without TYPE, the types are listed that a project at PATH (default: here) may have, and why not the others.`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return runNew(cmd.Context(), g, o, args) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return completeTypes(g, prefix), cobra.ShellCompDirectiveNoFileComp
		},
	}
	f := c.Flags()
	f.StringVar(&o.stage3, "stage3", "", "a root starts from this stage3 `FILE`")
	f.StringVar(&o.from, "from", "", "a root starts from this `IMAGE`: oci:DIR:REF, oci-archive:FILE, docker-archive:FILE or scratch")
	f.StringVar(&o.arch, "arch", "", "what the stage3 or the image is for, as arm-64bit/raspi4 (default: found out when it is built)")
	f.StringArrayVar(&o.set, "set", nil, "write a value of the type: `NAME=VALUE`")
	c.MarkFlagsMutuallyExclusive("stage3", "from")
	return c
}

func runNew(ctx context.Context, g *globals, o newOptions, args []string) error {
	at := ""
	if len(args) > 0 {
		at = args[len(args)-1]
	}
	if len(args) == 1 && isType(g, at) {
		return usagef("xtoo new %s needs the PATH of the project", at)
	}
	tag, err := tagFor(g, at)
	if err != nil {
		return err
	}
	place, err := projects.At(g.source(), tag, o.arch)
	if place == nil {
		return err
	}
	if len(args) < 2 {
		warnOf(g, err)
		return listFits(g, place)
	}
	if place.Tag == "" {
		return usagef("%s is a project already: %s", tag, filepath.Join(g.workdir, filepath.FromSlash(tag), configFile))
	}
	if err := checkNew(g, tag); err != nil {
		return err
	}
	if _, ok := place.Find(args[0]); !ok && err != nil {
		return err // it may be one of those that are wrong
	}
	text, err := o.config(ctx, g, place, args[0])
	if err != nil {
		return err
	}
	if err := writeConfig(g, tag, text); err != nil {
		return err
	}
	return sayNext(g, place, args[0])
}

const configFile = ".xtoo-config.yaml"

func isType(g *globals, name string) bool {
	types, err := projects.Types(g.source())
	if err != nil && len(types) == 0 {
		return false
	}
	for _, t := range types {
		if t.Name == name {
			return true
		}
	}
	return false
}

// tagFor is the tag of a directory: a path relative to the work directory, or an absolute one below it. An empty path is the
// current directory, or the work directory where that is elsewhere; its tag is ".".
func tagFor(g *globals, path string) (string, error) {
	root, err := filepath.Abs(g.workdir)
	if err != nil {
		return "", err
	}
	here := path == ""
	if here {
		if path, err = os.Getwd(); err != nil {
			return "", err
		}
	}
	if filepath.IsAbs(path) {
		if path, err = filepath.Rel(root, path); err != nil {
			return "", err
		}
	}
	path = filepath.ToSlash(filepath.Clean(path))
	if path == ".." || strings.HasPrefix(path, "../") {
		if here {
			return ".", nil
		}
		return "", usagef("%s is outside of the work directory: name another one with -C", path)
	}
	return path, nil
}

// checkNew says why there can be no project of a tag: for its name, or because it leads through a symbolic link, where xtoo
// looks for none.
func checkNew(g *globals, tag string) error {
	if err := projects.CheckTag(tag); err != nil {
		return usageError{err}
	}
	for up := tag; up != "."; up = path.Dir(up) {
		info, err := os.Lstat(filepath.Join(g.workdir, filepath.FromSlash(up)))
		if err == nil && info.Mode().Type() == fs.ModeSymlink {
			return usagef("%s is a symbolic link, and xtoo does not look there for projects", filepath.Join(g.workdir, filepath.FromSlash(up)))
		}
	}
	return nil
}

func listFits(g *globals, place *projects.NewPlace) error {
	if g.json {
		return printJSON(g.out, place)
	}
	var b strings.Builder
	switch {
	case place.Parent == "":
		b.WriteString("A project here is a root: it starts from a stage3 (--stage3) or an image (--from).\n")
	case place.ParentType == "":
		fmt.Fprintf(&b, "The parent of a project here is %s, which has no type.\n", place.Parent)
	default:
		fmt.Fprintf(&b, "The parent of a project here is %s, of type %s.\n", place.Parent, place.ParentType)
	}
	width, fits := 0, 0
	for _, t := range place.Types {
		width = max(width, len(t.Name))
		if t.Why == "" {
			fits++
		}
	}
	titles := map[bool]string{true: "\nTypes that it may have:\n", false: "\nTypes that it may not have:\n"}
	for _, good := range []bool{true, false} {
		for _, t := range place.Types {
			if (t.Why == "") != good {
				continue
			}
			b.WriteString(titles[good])
			titles[good] = ""
			about := t.Why
			if good {
				about = summary(t.Description)
			}
			fmt.Fprintf(&b, "  %-*s  %s\n", width, t.Name, about)
		}
	}
	if fits > 0 {
		b.WriteString("\nxtoo new TYPE PATH makes one; xtoo types show TYPE describes a type.\n")
	}
	_, err := fmt.Fprint(g.out, printableText(b.String()))
	return err
}

// config makes the text of the configuration.
func (o newOptions) config(ctx context.Context, g *globals, place *projects.NewPlace, name string) ([]byte, error) {
	fit, ok := place.Find(name)
	if !ok {
		_, err := projects.Type(g.source(), name) // says what there is
		return nil, err
	}
	if fit.Why != "" {
		return nil, usageError{newFitError{name, place.Tag, fit.Why}}
	}
	c := projects.NewConfig{Type: fit.TypeInfo, Values: map[string]string{}}
	given := map[string]bool{}
	for _, arg := range o.set {
		key, text, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usagef("--set needs NAME=VALUE")
		}
		var err error
		if c.Values[key], err = fit.Given(key, text); err != nil {
			return nil, usagef("--set %s: %w", key, err)
		}
		given[key] = true
	}
	var err error
	if c.Base, err = o.base(ctx, g, place); err != nil || !canAsk() {
		return c.Text(), err
	}
	var questions []ask.Question
	for _, q := range fit.Questions(place.Tag) {
		if !given[q.Name] {
			questions = append(questions, q)
		}
	}
	answers, err := askOn(ctx, g.err, questions)
	if err != nil {
		return nil, err
	}
	for _, a := range answers {
		if a.Text == "" {
			continue
		}
		if c.Values[a.Name], err = fit.Given(a.Name, a.Text); err != nil {
			return nil, err
		}
	}
	return c.Text(), nil
}

// A newFitError is a type that does not fit where somebody wants it.
type newFitError struct{ name, tag, why string }

func (e newFitError) Error() string {
	return fmt.Sprintf("a project at %s cannot be of type %s: %s", e.tag, e.name, e.why)
}

// Hint names what lists those that fit.
func (e newFitError) Hint() string { return "`xtoo new " + e.tag + "` lists the types that fit there" }

// base are the lines that say what a root starts from.
func (o newOptions) base(ctx context.Context, g *globals, place *projects.NewPlace) (string, error) {
	if place.Parent != "" {
		if o.stage3 != "" || o.from != "" || o.arch != "" {
			return "", usagef("--stage3, --from and --arch are for roots: %s starts from its parent %s", place.Tag, place.Parent)
		}
		return "", nil
	}
	if o.from != "" {
		return projects.BaseLines("from", o.from, o.arch)
	}
	if o.stage3 == "" && canAsk() {
		answers, err := askOn(ctx, g.err, []ask.Question{{Project: place.Tag, Name: "stage3", Prompt: "Stage3 that it starts from (a file)",
			Check: func(text string) error { return checkStage3(text) }}})
		if err != nil {
			return "", err
		}
		o.stage3 = answers[0].Text
	}
	if o.stage3 == "" {
		return "", usagef("%s has no project above it, and so is a root: name what it starts from with --stage3 FILE or --from IMAGE", place.Tag)
	}
	if err := checkStage3(o.stage3); err != nil {
		return "", usageError{err}
	}
	file := o.stage3
	if !filepath.IsAbs(file) && !strings.HasPrefix(file, "~/") { // beside the configuration it is another path
		abs, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		dir, err := filepath.Abs(filepath.Join(g.workdir, filepath.FromSlash(place.Tag)))
		if err != nil {
			return "", err
		}
		if file, err = filepath.Rel(dir, abs); err != nil {
			return "", err
		}
	}
	return projects.BaseLines("stage3", file, o.arch)
}

// checkStage3 looks for a stage3. As in a configuration, ~/ is the home directory: where somebody is asked, no shell has put it there.
func checkStage3(file string) error {
	at := file
	if below, ok := strings.CutPrefix(file, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		at = filepath.Join(home, below)
	}
	info, err := os.Stat(at)
	switch {
	case err != nil:
		return fmt.Errorf("stage3: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("stage3 %s: it is not a file", file)
	}
	return nil
}

// writeConfig writes a configuration that is not there yet. One that turns out to be wrong, or cannot be written as a whole, is taken away
// again.
func writeConfig(g *globals, tag string, text []byte) error {
	root, err := filepath.Abs(g.workdir)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, filepath.FromSlash(tag))
	made := firstMissing(dir)
	undo := func(err error) error {
		if made != "" { // what is in it now is ours
			return errors.Join(err, os.RemoveAll(made))
		}
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return undo(err)
	}
	file := filepath.Join(dir, configFile)
	if err := writeNew(file, text); err != nil {
		return undo(err)
	}
	if _, err := projects.Load(g.source()); err != nil {
		return undo(errors.Join(err, os.Remove(file)))
	}
	return nil
}

// firstMissing is the topmost directory of a path that is not there; "" if all are.
func firstMissing(dir string) string {
	missing := ""
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			return missing
		}
		missing = dir
	}
}

// writeNew makes a file that appears whole, and never in place of another.
func writeNew(file string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".xtoo-config.*.part")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), file)
}

// sayNext says what was written, and what comes next.
func sayNext(g *globals, place *projects.NewPlace, name string) error {
	if g.quiet {
		return nil
	}
	at := ""
	if g.workdir != "." {
		at = " -C " + g.workdir
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: a project of type %s\n", filepath.Join(g.workdir, filepath.FromSlash(place.Tag), configFile), name)
	fit, _ := place.Find(name)
	for _, v := range fit.Values {
		if v.Secret && v.Default == nil {
			fmt.Fprintf(&b, "The build asks for %s, or takes it from --secret %s=file:PATH or env:VAR.\n", v.Name, v.Name)
		}
	}
	fmt.Fprintf(&b, "Next: look the file over, then\n  xtoo tree%s %s    what would be executed\n  xtoo build%s %s   build it\n", at, place.Tag, at, place.Tag)
	_, err := fmt.Fprint(g.out, b.String())
	return err
}
