package projects

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// decoder turns one configuration into a project.
type decoder struct {
	*loader
	project *Project
}

func (d *decoder) decode(data []byte) {
	r := reader{file: d.project.Config, probs: d.probs}
	p, before := d.project, len(d.probs.list)
	n := r.document(data)
	if n == nil {
		p.broken = len(d.probs.list) > before || d.probs.more
		return // empty, or reported
	}
	v := r.read(n, configShape(), "the configuration", 0)
	if v == nil {
		p.broken = true
		return
	}
	p.doc = n
	_, stage3 := v.present["stage3"]
	_, from := v.present["from"]
	p.hasBase = stage3 || from
	p.Pos = v.pos
	p.Type = v.get("type").str()
	p.Bases = d.bases(v)
	p.Exclude = d.excludes(v)
	p.values = d.values(v.get("values"))
	p.env = d.env(v.get("env"))
	p.volumes = d.volumes(v.get("volumes"))
	p.network = v.get("network").str()
	p.Scripts = d.scripts(v.get("scripts"), "")
	p.image = d.image(v.get("image"))
	if sif := v.get("outputs").get("sif"); sif != nil {
		p.sif = parseText(sif, d.probs)
	}
}

// hostPath makes a path of the configuration absolute.
func (d *decoder) hostPath(p string, pos Position) string {
	switch {
	case p == "~" || strings.HasPrefix(p, "~/"):
		home, err := os.UserHomeDir()
		if err != nil {
			d.probs.add(Problem{Pos: pos, Msg: fmt.Sprintf("%q: there is no home directory: %v", p, err), Hint: "set HOME, or write the path out", Err: err})
			return p
		}
		return filepath.Join(home, strings.TrimPrefix(p[1:], "/"))
	case strings.HasPrefix(p, "~"):
		d.probs.hintf(pos, "write the path out; ~ alone is your own home directory", "%q: the home directories of others are not looked up", p)
		return p
	case filepath.IsAbs(p):
		return filepath.Clean(p)
	}
	return filepath.Join(d.project.Dir, filepath.FromSlash(p))
}

func (d *decoder) excludes(v *val) []string {
	ex := v.get("exclude")
	if ex == nil {
		return nil
	}
	if _, ok := v.present["stage3"]; !ok {
		d.probs.hintf(v.present["exclude"], "in other projects, remove files with a script",
			"\"exclude\" needs \"stage3\": it keeps files of a stage3 out of the base layer")
	}
	var out []string
	for _, item := range ex.items {
		if _, err := path.Match(item.text, ""); err != nil {
			d.probs.addf(item.pos, "%q is not a pattern: %v", item.text, err)
			continue
		}
		if clean := path.Clean(item.text); clean == "/" || hasDotDot(item.text) {
			d.probs.addf(item.pos, "%q names nothing in the root that could be excluded", item.text)
			continue
		}
		out = append(out, path.Clean(item.text))
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

func (d *decoder) env(v *val) []envEntry {
	if v == nil {
		return nil
	}
	var out []envEntry
	for _, e := range v.keys {
		if strings.HasPrefix(e.key, "XTOO_") {
			d.probs.hintf(e.pos, "declare a value: scripts see it as XTOO_NAME", "%q: variables that begin with XTOO_ are xtoo's own", e.key)
			continue
		}
		out = append(out, envEntry{e.key, parseText(e.val, d.probs)})
	}
	return out
}

func (d *decoder) volumes(v *val) []Volume {
	if v == nil {
		return nil
	}
	var out []Volume
	seen := map[string]Position{}
	for _, item := range v.items {
		source, target := item.get("source"), item.get("target")
		if source == nil || target == nil {
			continue // reported
		}
		vol := Volume{Text: source.text, Target: path.Clean(target.text), Pos: item.pos}
		vol.Source = d.hostPath(source.text, source.pos)
		if ro := item.get("readonly"); ro != nil {
			vol.ReadOnly = ro.yes
		}
		if why := targetProblem(target.text); why != "" {
			d.probs.addf(target.pos, "a volume cannot be at %q: %s", target.text, why)
			continue
		}
		if first, dup := seen[vol.Target]; dup {
			d.probs.addf(target.pos, "there is a volume at %s already, in line %d", vol.Target, first.Line)
			continue
		}
		seen[vol.Target] = target.pos
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

// scripts reads a list of nodes; parent is the path of the node they belong to.
func (d *decoder) scripts(v *val, parent string) []*Script {
	if v == nil {
		return nil
	}
	var out []*Script
	seen := map[string]Position{}
	for _, item := range v.items {
		s := d.script(item, parent)
		if s.Name != "" {
			if first, dup := seen[s.Name]; dup {
				d.probs.addf(item.get("name").pos, "there is a script %q beside this one already, in line %d", s.Name, first.Line)
			} else {
				seen[s.Name] = item.get("name").pos
			}
		}
		out = append(out, s)
	}
	return out
}

func (d *decoder) script(v *val, parent string) *Script {
	s := &Script{Name: v.get("name").str(), Pos: v.pos}
	s.Path = path.Join(parent, s.Name)
	if run := v.get("run"); run != nil {
		s.run = parseText(run, d.probs)
		if s.run.tmpl == nil {
			// What holds a template is looked at once it is rendered.
			if _, err := interpreter([]byte(s.run.src)); err != nil {
				d.probs.addf(run.pos, "%v", err)
			}
		}
	}
	if file := v.get("script"); file != nil {
		d.scriptFile(s, file)
	}
	if names := v.get("values"); names != nil {
		s.narrow = true
		for _, n := range names.items {
			s.values = append(s.values, nameRef{n.text, n.pos})
		}
	}
	s.files = d.files(v.get("files"))
	s.env = d.env(v.get("env"))
	s.volumes = d.volumes(v.get("volumes"))
	s.network = v.get("network").str()
	s.Children = d.scripts(v.get("scripts"), s.Path)
	return s
}

func (d *decoder) scriptFile(s *Script, v *val) {
	s.File = v.text
	host := d.hostPath(v.text, v.pos)
	body, err := readRegular(host, MaxScriptSize)
	switch {
	case errors.As(err, new(tooLargeError)):
		d.probs.hintf(v.pos, "put data and programs under \"files\"", "script %q: %v", v.text, err)
		return
	case errors.Is(err, os.ErrNotExist):
		d.probs.add(Problem{Pos: v.pos, Msg: fmt.Sprintf("there is no script %q", v.text), Hint: "looked for " + host, Err: err})
		return
	case err != nil:
		d.probs.add(Problem{Pos: v.pos, Msg: fmt.Sprintf("cannot read the script %q: %s", v.text, reason(err)), Err: err})
		return
	}
	if target, err := filepath.EvalSymlinks(host); err == nil && !within(d.dir, target) {
		d.warn.addf(v.pos, "the script %q is outside of the work directory", v.text)
	}
	s.body = body
	if s.interp, err = interpreter(body); err != nil {
		d.probs.addf(v.pos, "script %q: %v", v.text, err)
	}
}

func within(dir, p string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func (d *decoder) image(v *val) imageConfig {
	var c imageConfig
	if v == nil {
		return c
	}
	c.entrypoint, c.cmd = d.words(v.get("entrypoint")), d.words(v.get("cmd"))
	if env := v.get("env"); env != nil {
		for _, e := range env.keys {
			c.env = append(c.env, envEntry{e.key, parseText(e.val, d.probs)})
		}
	}
	if labels := v.get("labels"); labels != nil {
		for _, e := range labels.keys {
			c.labels = append(c.labels, envEntry{e.key, parseText(e.val, d.probs)})
		}
	}
	if ports := v.get("ports"); ports != nil {
		c.ports = []string{}
		for _, p := range ports.items {
			number, proto, _ := strings.Cut(p.text, "/")
			if n, err := strconv.Atoi(number); err != nil || n < 1 || n > 65535 {
				d.probs.addf(p.pos, "%q: ports go from 1 to 65535", p.text)
			}
			if proto == "" {
				proto = "tcp"
			}
			c.ports = append(c.ports, strings.TrimLeft(number, "0")+"/"+proto)
		}
	}
	if volumes := v.get("volumes"); volumes != nil {
		c.volumes = []string{}
		for _, p := range volumes.items {
			c.volumes = append(c.volumes, path.Clean(p.text))
		}
	}
	for _, o := range []struct {
		to  **string
		key string
	}{{&c.user, "user"}, {&c.workdir, "workdir"}, {&c.stopSignal, "stop_signal"}} {
		if set := v.get(o.key); set != nil {
			text := set.text
			*o.to = &text
		}
	}
	return c
}

// words reads a list of texts; nil where the key does not stand, empty for an empty list.
func (d *decoder) words(v *val) []*tmplText {
	if v == nil {
		return nil
	}
	out := []*tmplText{}
	for _, item := range v.items {
		out = append(out, parseText(item, d.probs))
	}
	return out
}
