package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/internal/catalyst"
	"xtoo/projects"
	"xtoo/projects/schema"
)

func newImportSpecCommand(g *globals) *cobra.Command {
	var o newOptions
	c := &cobra.Command{
		Use:   "import-spec FILE [PATH]",
		Short: "Make a project of type stage4 from a catalyst spec",
		Long: `Make a project of type stage4 from a spec file of catalyst (target: stage4) in the directory PATH of the
work directory (default: the name of the file), as xtoo new does: packages, use, rcadd, rcdel, root_overlay,
fsscript, users, groups, ssh_public_keys, unmerge, rm, empty and boot/kernel become values and nodes. Scripts
and keys are copied; a root overlay is referred to by a symbolic link. What is in the spec and not in the
project is said, with its line.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return runImportSpec(cmd.Context(), g, o, args) },
	}
	f := c.Flags()
	f.StringVar(&o.stage3, "stage3", "", "a root starts from this stage3 `FILE`")
	f.StringVar(&o.from, "from", "", "a root starts from this `IMAGE`: oci:DIR:REF, oci-archive:FILE, docker-archive:FILE or scratch")
	f.StringVar(&o.arch, "arch", "", "what the stage3 or the image is for (default: the spec's subarch, where xtoo knows it)")
	c.MarkFlagsMutuallyExclusive("stage3", "from")
	return c
}

func runImportSpec(ctx context.Context, g *globals, o newOptions, args []string) error {
	file := args[0]
	spec, err := readSpec(file)
	if err != nil {
		return err
	}
	at := specName(file)
	if len(args) > 1 {
		at = args[1]
	}
	tag, err := tagFor(g, at)
	if err == nil {
		err = checkNew(g, tag)
	}
	if err != nil {
		return err
	}
	place, err := projects.At(g.source(), tag, o.arch)
	if place == nil {
		return err
	}
	if place.Tag == "" {
		return usagef("%s is a project already", tag)
	}
	fit, ok := place.Find("stage4")
	if !ok {
		return cmp.Or(err, errors.New("there is no type stage4"))
	}
	if fit.Why != "" {
		return usageError{newFitError{"stage4", tag, fit.Why}}
	}
	im := importer{file: file, config: projects.NewConfig{Type: fit.TypeInfo, Values: map[string]string{}, Comment: "Made from " + filepath.Base(file) + ", a spec of catalyst."}}
	if im.config.Base, err = o.base(ctx, g, place); err != nil {
		return err
	}
	im.all(spec)
	if err := writeProject(g, tag, im.config.Text(), im.files); err != nil {
		return err
	}
	for _, n := range im.notes {
		say(g.err, "warning", n)
	}
	return sayNext(g, place, "stage4")
}

// readSpec reads a spec, and sees that it is one of a stage4.
func readSpec(file string) (*catalyst.Spec, error) {
	data, err := readSmall(file, catalyst.MaxSize)
	if err != nil {
		return nil, err
	}
	spec, err := catalyst.Parse(data)
	var syntax *catalyst.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, usagef("%s:%d: %s", file, syntax.Line, syntax.Msg)
	case err != nil:
		return nil, usagef("%s: %w", file, err)
	}
	if t := spec.Get("target"); t == nil || t.Text() != "stage4" {
		line, is := 1, "does not say its target"
		if t != nil {
			line, is = t.Line, "is for the target "+schema.Shorten(t.Text())
		}
		return nil, usagef("%s:%d: the spec %s: want `target: stage4`", file, line, is)
	}
	return spec, nil
}

// readSmall reads a regular file of at most limit bytes.
func readSmall(file string, limit int64) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: it is not a file", file)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s: it has %d bytes: more than %d", file, info.Size(), limit)
	}
	return os.ReadFile(file)
}

// specName is the name of a project for a spec.
func specName(file string) string {
	name := strings.ToLower(strings.TrimSuffix(filepath.Base(file), ".spec"))
	return strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(name, "-"), "-")
}

// projectFile is a file that goes beside a configuration: with its content, or a symbolic link to where it is.
type projectFile struct {
	name string
	data []byte
	link string
}

// writeProject writes a configuration and what belongs beside it, or nothing.
func writeProject(g *globals, tag string, text []byte, files []projectFile) error {
	root, err := filepath.Abs(g.workdir)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, filepath.FromSlash(tag))
	made := firstMissing(dir)
	var written []string
	undo := func(err error) error {
		for _, name := range written {
			err = errors.Join(err, os.Remove(name))
		}
		if made != "" { // what is in it now is ours
			err = errors.Join(err, os.RemoveAll(made))
		}
		return err
	}
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return undo(err)
		}
		if f.link != "" {
			err = os.Symlink(f.link, name)
		} else {
			err = writeNew(name, f.data)
		}
		if err != nil {
			return undo(err)
		}
		written = append(written, name)
	}
	if err := writeConfig(g, tag, text); err != nil {
		return undo(err)
	}
	return nil
}

// importer makes a project of a spec.
type importer struct {
	file   string
	config projects.NewConfig
	files  []projectFile
	nodes  []string
	notes  []string // what it could not, each with its place
}

// note says what could not be taken.
func (im *importer) note(line int, format string, args ...any) {
	im.notes = append(im.notes, fmt.Sprintf("%s:%d: %s", im.file, line, fmt.Sprintf(format, args...)))
}

// values are keys whose words are a value of the type.
func specValues() map[string]string {
	return map[string]string{
		"use": "use", "packages": "packages", "rcadd": "services", "rcdel": "services_off", "unmerge": "unmerge", "rm": "remove", "empty": "empty",
		"groups": "groups", "users": "users",
	}
}

// all goes through the spec in its order; nodes come in catalyst's.
func (im *importer) all(spec *catalyst.Spec) {
	nodes := map[string]func(*catalyst.Key){"root_overlay": im.overlay, "fsscript": im.script, "ssh_public_keys": im.keys}
	for i := range spec.Keys {
		k := &spec.Keys[i]
		name, ours := strings.CutPrefix(k.Name, "stage4/")
		value := specValues()[name]
		switch {
		case len(k.Words) == 0, k.Name == "target", k.Name == "version_stamp", k.Name == "rel_type":
		case ours && nodes[name] != nil:
			nodes[name](k)
		case ours && value != "":
			im.value(value, k)
		case k.Name == "boot/kernel":
			im.kernel(spec, k)
		case strings.HasPrefix(k.Name, "boot/kernel/"):
		default:
			im.note(k.Line, "%s: %s", k.Name, whyNot(name))
		}
	}
	for i := range spec.Keys {
		im.unusedKernel(spec, &spec.Keys[i])
	}
	for _, n := range im.nodes {
		im.config.Scripts += "  - " + n + "\n"
	}
}

// whyNot says what becomes of a key that is not taken.
func whyNot(name string) string {
	switch name {
	case "subarch", "source_subpath":
		return "the project starts from its parent, or from what --stage3 or --from names"
	case "profile":
		return "not taken: set it with the step `profile` in a project above"
	case "snapshot", "snapshot_treeish", "repos", "portage_overlay", "portage_confdir", "portage_prefix":
		return "not taken: the steps `sync`, `repos` and `portage-config` of a project above do this"
	case "pkgcache_path", "kerncache_path", "distcc_hosts", "update_seed", "update_seed_command", "compression_mode", "decompressor_search_order":
		return "not taken: it is about how catalyst works; volumes and the cache stand for it"
	case "gk_mainargs", "linuxrc", "splash_theme", "busybox_config":
		return "not taken: xtoo makes no initramfs; a script of the project's can run genkernel"
	case "cflags", "cxxflags", "ldflags", "common_flags", "chost", "hostuse", "cbuild":
		return "not taken: set it with the step `portage-config` (make_conf)"
	}
	return "not taken: xtoo has nothing like it"
}

// value makes words a value of the type.
func (im *importer) value(name string, k *catalyst.Key) {
	var words []string
	for _, w := range k.Words {
		text := w.Text
		switch name {
		case "services", "services_off":
			text = strings.ReplaceAll(text, "|", "@")
		case "users":
			text = strings.ReplaceAll(text, ",", "+")
		}
		if strings.Contains(text, "{{") || strings.Contains(text, ",") {
			im.note(w.Line, "%s: the word %q is not taken: %s", k.Name, schema.Shorten(text), "it holds a comma, or {{, which begins a template")
			continue
		}
		words = append(words, text)
	}
	text, err := im.config.Type.Given(name, strings.Join(words, ","))
	if err != nil {
		im.note(k.Line, "%s: %v", k.Name, err)
		return
	}
	im.config.Values[name] = text
}

// found looks a file of the spec up: absolute, or beside the spec.
func (im *importer) found(k *catalyst.Key, name string) (string, bool) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(im.file), name)
	}
	abs, err := filepath.Abs(name)
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err != nil {
		im.note(k.Line, "%s: %v", k.Name, err)
	}
	return abs, err == nil
}

func (im *importer) overlay(k *catalyst.Key) {
	if len(k.Words) > 1 {
		im.note(k.Line, "%s: there are several; the first is taken, write a node with the step `files` for each of the others", k.Name)
	}
	if dir, ok := im.found(k, k.Words[0].Text); ok {
		im.files = append(im.files, projectFile{name: "root_overlay", link: dir})
		im.config.Values["root_overlay"] = "root_overlay"
	}
}

// copied copies a small file beside the configuration.
func (im *importer) copied(k *catalyst.Key, from, to string) bool {
	file, ok := im.found(k, from)
	if !ok {
		return false
	}
	data, err := readSmall(file, catalyst.MaxSize)
	if err != nil {
		im.note(k.Line, "%s: %v", k.Name, err)
		return false
	}
	im.files = append(im.files, projectFile{name: to, data: data})
	return true
}

func (im *importer) script(k *catalyst.Key) {
	if len(k.Words) > 1 {
		im.note(k.Line, "%s: one script is taken, without arguments", k.Name)
	}
	if im.copied(k, k.Words[0].Text, "fsscript.sh") {
		im.nodes = append(im.nodes, "{name: fsscript, script: fsscript.sh}")
	}
}

// keys makes a node for each user with a key. The users come with a node of their own before: those of the type come after.
func (im *importer) keys(k *catalyst.Key) {
	for _, w := range k.Words {
		user, file, ok := strings.Cut(w.Text, "=")
		if !ok || !userName.MatchString(user) {
			im.note(w.Line, "%s: the word %q is not taken: want USER=FILE", k.Name, schema.Shorten(w.Text))
			continue
		}
		to := path.Join("keys", user+".pub")
		if im.copied(k, file, to) {
			im.nodes = append(im.nodes, fmt.Sprintf("{name: keys-%s, step: ssh-keys, with: {user: %q, file: %q}, scripts: [{name: user, step: users, with: {users: [{name: %q}]}}]}", user, user, to, user))
		}
	}
}

var userName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}$`)
