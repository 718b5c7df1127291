package projects

import (
	"fmt"
	"slices"
	"strings"

	"xtoo/internal/nearest"
	"xtoo/projects/library"
	"xtoo/projects/schema"
)

// projectType is a type as its file has it, completed by the types that it extends.
type projectType struct {
	name        string
	pos         schema.Position // the start of its file
	description string
	lineage     []string // its name, then those of the types that it extends, the nearest first
	parents     []string
	root        *bool
	arches      []archRule
	content     *Project // what a project of it has, with the place of the project's own nodes
}

// is reports whether the type has a name, or extends a type that has.
func (t *projectType) is(name string) bool { return t != nil && slices.Contains(t.lineage, name) }

// mayBeRoot reports whether a project without a parent may be of this type.
func (t *projectType) mayBeRoot() bool {
	if t.root != nil {
		return *t.root
	}
	return t.parents == nil
}

// takes reports whether a project of this type may have a parent of that one; nil: one without a type.
func (t *projectType) takes(parent *projectType) bool {
	if t.parents == nil {
		return true
	}
	return slices.ContainsFunc(t.parents, func(name string) bool {
		switch name {
		case anyType:
			return parent != nil
		case noType:
			return parent == nil
		}
		return parent.is(name)
	})
}

// typeState is a type that was read; nil if it is wrong: that has been reported.
type typeState struct{ typ *projectType }

// typeOf reads the type of a name that stands at pos. chain are the types that extend it, the last one it alone. It is
// nil if there is none, or it is wrong: that has been reported.
func (l *loader) typeOf(name string, pos schema.Position, chain []string) *projectType {
	if at := slices.Index(chain, name); at >= 0 {
		ring := append(slices.Clone(chain[at:]), name)
		msg := fmt.Sprintf("types extend each other in a circle: %s", strings.Join(ring, " -> "))
		if len(ring) == 2 {
			msg = fmt.Sprintf("the type %q extends itself", name)
		}
		l.probs.Hintf(pos, "take \"extends\" away, or name another type", "%s", msg)
		return nil
	}
	if s, ok := l.types[name]; ok {
		return s.typ
	}
	found, ok := l.library.Type(name, pos, l.probs)
	if !ok {
		return nil // not kept: it is said at each project
	}
	t := l.readType(found, chain)
	l.types[name] = typeState{t}
	return t
}

func (l *loader) readType(found library.Type, chain []string) *projectType {
	name := found.Name
	before := l.probs.Len()
	v, _ := typeDocument().Read(found.File, found.Data, l.probs)
	t := &projectType{name: name, pos: schema.Position{File: found.File, Line: 1, Column: 1}, lineage: []string{name}}
	t.content = &Project{name: name, Tag: found.Dir, config: found.File, Pos: t.pos}
	if v == nil {
		if l.probs.Len() == before {
			l.probs.Hintf(t.pos, "it needs at least \"description\"", "the type %q says nothing", name)
		}
		return nil
	}
	t.description = strings.TrimSpace(v.Get("description").String())
	from := l.origin
	if found.Place.Name != from.name {
		from = &origin{fsys: found.Place.FS, name: found.Place.Name}
	}
	d := decoder{loader: l, project: t.content, from: from, dir: found.Dir, inType: true}
	t.content.Exclude = d.excludes(v)
	d.body(v)
	d.ownPlace(v, t.content)
	if root := v.Get("root"); root != nil {
		t.root = &root.Yes
	}
	if list := v.Get("parents"); list != nil {
		t.parents = []string{}
		for _, item := range list.Items {
			t.parents = append(t.parents, item.Text)
		}
		l.parentNames(list)
		if len(t.parents) == 0 && !t.mayBeRoot() {
			l.probs.Hintf(list.Pos, `leave it out for "[any, none]", or say "root: true"`, "no project could be of this type: no type may be its parent, and it cannot be a root")
		}
	}
	t.arches = d.archRules(v.Get("architectures"))
	if up := v.Get("extends"); up != nil {
		base := l.typeOf(up.Text, up.Pos, append(slices.Clone(chain), name))
		if base == nil {
			return nil
		}
		t.extend(base, l.probs)
	}
	if l.probs.Len() > before {
		return nil // what is wrong would only be said again, at each project
	}
	return t
}

// parentNames looks whether there are types of these names. They are not read: a type may be the parent of its own.
func (l *loader) parentNames(list *schema.Value) {
	known := l.library.TypeNames()
	for _, item := range list.Items {
		if item.Text != anyType && item.Text != noType && !slices.Contains(known, item.Text) {
			l.probs.Addf(item.Pos, "there is no type %q%s", item.Text, nearest.DidYouMean(item.Text, known))
		}
	}
}

// extend completes the type by the one that it extends.
func (t *projectType) extend(base *projectType, probs *schema.Problems) {
	t.lineage = append(t.lineage, base.lineage...)
	if t.parents == nil && t.root == nil {
		t.root = base.root
	}
	if t.parents == nil {
		t.parents = base.parents
	}
	if t.arches == nil {
		t.arches = base.arches
	}
	t.content.extend(base, probs)
}

// ownPlace sees to it that the project's own nodes have a place among those of the type, and one only.
func (d *decoder) ownPlace(v *schema.Value, p *Project) {
	places := 0
	for i, s := range p.scripts {
		item := v.Get("scripts").Items[i]
		switch {
		case !s.own:
			if _, named := item.Has("name"); !named {
				d.probs.Addf(s.pos, "the script needs a \"name\"")
			}
			continue
		case len(item.Keys) > 1 || !item.Get("own").Yes:
			d.probs.Addf(s.pos, "{own: true} stands alone: it is the place of the project's own nodes")
		}
		if places++; places > 1 {
			d.probs.Addf(s.pos, "the place of the project's own nodes is there already")
		}
	}
	if places == 0 {
		p.scripts = append(p.scripts, &nodeScript{own: true, pos: p.Pos})
	}
}
