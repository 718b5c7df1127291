package projects

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"xtoo/internal/pathpattern"
	"xtoo/projects/schema"
)

// decoder turns one configuration into a project.
type decoder struct {
	*loader
	project *Project
	from    *origin // where scripts and files are that it names: in the directory dir
	dir     string
	inType  bool // it is a type, which may be anywhere on the machine
}

func (d *decoder) decode(v *schema.Value) {
	p := d.project
	p.doc = v.Node
	_, stage3 := v.Has("stage3")
	_, from := v.Has("from")
	p.hasBase = stage3 || from
	p.Pos = v.Pos
	if typ := v.Get("type"); typ != nil {
		p.typ, p.typePos = typ.Text, typ.Pos
	}
	p.Bases = d.bases(v)
	p.Exclude = d.excludes(v)
	d.body(v)
}

// body reads what types have, too.
func (d *decoder) body(v *schema.Value) {
	p := d.project
	p.values = d.values(v.Get("values"))
	p.env = d.env(v.Get("env"))
	p.volumes = d.volumes(v.Get("volumes"))
	p.exec = d.execution(v)
	p.scripts = d.scripts(v.Get("scripts"), "script", "")
	p.checks = d.checks(v.Get("checks"))
	p.image = d.image(v.Get("image"))
	p.outputs = d.outputs(v.Get("outputs"))
}

// outputs reads which files are asked for.
func (d *decoder) outputs(v *schema.Value) map[Output]*tmplText {
	out := map[Output]*tmplText{}
	for _, o := range configurable() {
		if text := v.Get(string(o)); text != nil {
			out[o] = d.parse(text)
		}
	}
	return out
}

// hostPath makes a path of the configuration absolute.
func (d *decoder) hostPath(p string, pos schema.Position) string {
	return d.from.hostPath(d.dir, p, pos, d.probs)
}

func (d *decoder) excludes(v *schema.Value) []string {
	ex := v.Get("exclude")
	if ex == nil {
		return nil
	}
	if _, ok := v.Has("stage3"); !ok && !d.inType {
		at, _ := v.Has("exclude")
		d.probs.Hintf(at, "in other projects, remove files with a script",
			"\"exclude\" needs \"stage3\": it keeps files of a stage3 out of the base layer")
	}
	var out []string
	for _, item := range ex.Items {
		if _, err := pathpattern.Parse(item.Text); err != nil {
			d.probs.Addf(item.Pos, "%q is not a pattern of paths in the root: %v", item.Text, err)
			continue
		}
		out = append(out, item.Text)
	}
	return out
}

func hasDotDot(p string) bool {
	for _, part := range strings.Split(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

func (d *decoder) env(v *schema.Value) []envEntry {
	if v == nil {
		return nil
	}
	var out []envEntry
	for _, e := range v.Keys {
		if strings.HasPrefix(e.Key, "XTOO_") {
			d.probs.Hintf(e.Pos, "declare a value: scripts see it as XTOO_NAME", "%q: variables that begin with XTOO_ are xtoo's own", e.Key)
			continue
		}
		out = append(out, envEntry{e.Key, d.parse(e.Val)})
	}
	return out
}

func (d *decoder) volumes(v *schema.Value) []Volume {
	if v == nil {
		return nil
	}
	var out []Volume
	seen := map[string]schema.Position{}
	for _, item := range v.Items {
		source, target := item.Get("source"), item.Get("target")
		if source == nil || target == nil {
			continue // reported
		}
		vol := Volume{text: source.Text, Target: path.Clean(target.Text), pos: item.Pos}
		vol.Source = d.hostPath(source.Text, source.Pos)
		if ro := item.Get("readonly"); ro != nil {
			vol.ReadOnly = ro.Yes
		}
		if track := item.Get("track"); track != nil && track.Yes {
			vol.track = &tracker{}
		}
		if why := targetProblem(target.Text); why != "" {
			d.probs.Addf(target.Pos, "a volume cannot be at %q: %s", target.Text, why)
			continue
		}
		if first, dup := seen[vol.Target]; dup {
			d.probs.Addf(target.Pos, "there is a volume at %s already, in line %d", vol.Target, first.Line)
			continue
		}
		seen[vol.Target] = target.Pos
		out = append(out, vol)
	}
	return out
}

// targetProblem says why a script cannot have a volume there.
func targetProblem(target string) string {
	if hasDotDot(target) {
		return "write the path without .."
	}
	clean := path.Clean(target)
	if clean == "/" {
		return "it would hide the whole root"
	}
	for _, own := range []string{"/proc", "/sys", "/dev", "/run/xtoo"} {
		if clean == own || strings.HasPrefix(clean, own+"/") {
			return "xtoo mounts " + own + " itself"
		}
	}
	if clean == "/run" || clean == "/tmp" {
		return "xtoo mounts it itself; a directory below it will do"
	}
	return ""
}

// scripts reads a list of nodes, or of checks, which is what kind calls them; parent is the path of the node they belong to.
func (d *decoder) scripts(v *schema.Value, kind, parent string) []*nodeScript {
	if v == nil {
		return nil
	}
	var out []*nodeScript
	seen := map[string]schema.Position{}
	for _, item := range v.Items {
		if own := item.Get("own"); own != nil {
			out = append(out, &nodeScript{own: true, pos: item.Pos})
			continue
		}
		s := d.node(item, parent)
		if when := item.Get("when"); when != nil {
			s.when = &nameRef{when.Text, when.Pos}
		}
		if s.name != "" {
			if first, dup := seen[s.name]; dup {
				d.probs.Addf(item.Get("name").Pos, "there is a %s %q beside this one already, in line %d", kind, s.name, first.Line)
			} else {
				seen[s.name] = item.Get("name").Pos
			}
		}
		out = append(out, s)
	}
	return out
}

func (d *decoder) node(v *schema.Value, parent string) *nodeScript {
	s := &nodeScript{name: v.Get("name").String(), pos: v.Pos}
	s.path = path.Join(parent, s.name)
	if run := v.Get("run"); run != nil {
		s.run = d.parse(run)
		if s.run.tmpl == nil {
			// What holds a template is looked at once it is rendered.
			if _, err := interpreter([]byte(s.run.src)); err != nil {
				d.probs.Addf(run.Pos, "%v", err)
			}
		}
	}
	if file := v.Get("script"); file != nil {
		d.scriptFile(s, file)
	}
	d.step(s, v)
	if names := v.Get("values"); names != nil {
		s.narrow = true
		for _, n := range names.Items {
			s.values = append(s.values, nameRef{n.Text, n.Pos})
		}
	}
	s.files = d.files(v.Get("files"))
	s.env = d.env(v.Get("env"))
	s.volumes = d.volumes(v.Get("volumes"))
	s.exec.add(d.execution(v))
	s.children = d.scripts(v.Get("scripts"), "script", s.path)
	return s
}

func (d *decoder) scriptFile(s *nodeScript, v *schema.Value) {
	from, name, ok := d.from.script(d.dir, v.Text, v.Pos, d.probs)
	if !ok {
		return
	}
	body, link, err := readRegular(from.fsys, name, maxScriptSize)
	switch {
	case errors.As(err, new(tooLargeError)):
		d.probs.Hintf(v.Pos, "put data and programs under \"files\"", "script %q: %v", v.Text, err)
		return
	case errors.Is(err, fs.ErrNotExist):
		d.probs.Add(schema.Problem{Pos: v.Pos, Msg: fmt.Sprintf("there is no script %q", v.Text), Hint: "looked for " + from.place(name), Err: err})
		return
	case err != nil:
		d.probs.Add(schema.Problem{Pos: v.Pos, Msg: fmt.Sprintf("cannot read the script %q: %s", v.Text, reason(err)), Err: err})
		return
	}
	if !d.inType && d.outside(from, name, link) {
		d.warn.Addf(v.Pos, "the script %q is outside of the work directory", v.Text)
	}
	s.body = body
	if s.interp, err = interpreter(body); err != nil {
		d.probs.Addf(v.Pos, "script %q: %v", v.Text, err)
	}
}

func (d *decoder) image(v *schema.Value) imageConfig {
	var c imageConfig
	if v == nil {
		return c
	}
	c.entrypoint, c.cmd = d.words(v.Get("entrypoint")), d.words(v.Get("cmd"))
	if env := v.Get("env"); env != nil {
		for _, e := range env.Keys {
			c.env = append(c.env, envEntry{e.Key, d.parse(e.Val)})
		}
	}
	if labels := v.Get("labels"); labels != nil {
		for _, e := range labels.Keys {
			c.labels = append(c.labels, envEntry{e.Key, d.parse(e.Val)})
		}
	}
	if ports := v.Get("ports"); ports != nil {
		c.ports = []string{}
		for _, p := range ports.Items {
			number, proto, _ := strings.Cut(p.Text, "/")
			if n, err := strconv.Atoi(number); err != nil || n < 1 || n > 65535 {
				d.probs.Addf(p.Pos, "%q: ports go from 1 to 65535", p.Text)
			}
			if proto == "" {
				proto = "tcp"
			}
			c.ports = append(c.ports, strings.TrimLeft(number, "0")+"/"+proto)
		}
	}
	if volumes := v.Get("volumes"); volumes != nil {
		c.volumes = []string{}
		for _, p := range volumes.Items {
			c.volumes = append(c.volumes, path.Clean(p.Text))
		}
	}
	for _, o := range []struct {
		to  **string
		key string
	}{{&c.user, "user"}, {&c.workdir, "workdir"}, {&c.stopSignal, "stop_signal"}} {
		if set := v.Get(o.key); set != nil {
			text := set.Text
			*o.to = &text
		}
	}
	return c
}

// words reads a list of texts; nil where the key does not stand, empty for an empty list.
func (d *decoder) words(v *schema.Value) []*tmplText {
	if v == nil {
		return nil
	}
	out := []*tmplText{}
	for _, item := range v.Items {
		out = append(out, d.parse(item))
	}
	return out
}
