package projects

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"xtoo/projects/schema"
	"xtoo/qemu"
)

// archRule is one item of `architectures` of a type.
type archRule struct {
	text    string
	match   func(qemu.Arch) bool
	example qemu.Arch // one that fits
}

// archRules reads `architectures`; nil where it does not stand.
func (d *decoder) archRules(v *schema.Value) []archRule {
	if v == nil {
		return nil
	}
	out := []archRule{}
	for _, item := range v.Items {
		match, err := archMatcher(item.Text)
		if err != nil {
			d.probs.Add(schema.Problem{Pos: item.Pos, Msg: err.Error(), Err: err})
			continue
		}
		r := archRule{text: item.Text, match: match}
		for _, a := range qemu.All() {
			if match(a) {
				r.example = a
				break
			}
		}
		out = append(out, r)
	}
	return out
}

// archMatcher reads a name of an architecture as qemu does, with * in the subarch, or "native".
func archMatcher(text string) (func(qemu.Arch) bool, error) {
	if text == nativeArch {
		return func(a qemu.Arch) bool {
			host := qemu.Host()
			return a.Name == host.Name || host.RunsAsCompat(a)
		}, nil
	}
	family, glob, _ := strings.Cut(text, "/")
	if !strings.ContainsAny(glob, "*?[") || strings.Contains(glob, "/") {
		p, err := qemu.ParsePattern(text)
		if err != nil {
			return nil, err
		}
		return p.Match, nil
	}
	a, err := qemu.Lookup(family, "")
	if err != nil {
		return nil, err
	}
	if _, err := path.Match(glob, ""); err != nil {
		return nil, fmt.Errorf("%q is not a pattern of subarchs: %w", glob, err)
	}
	return func(b qemu.Arch) bool {
		ok, err := path.Match(glob, b.Subarch)
		return err == nil && ok && b.Name == a.Name
	}, nil
}

// fits reports whether a project of this type may be for an architecture.
func (t *projectType) fits(a qemu.Arch) bool {
	return t.arches == nil || slices.ContainsFunc(t.arches, func(r archRule) bool { return r.match(a) })
}

// archList names the architectures that fit, for messages.
func (t *projectType) archList() string {
	var out []string
	for _, r := range t.arches {
		out = append(out, r.text)
		if r.text == nativeArch {
			out[len(out)-1] = fmt.Sprintf("this machine's own (%s)", qemu.Host().Name)
		}
	}
	return strings.Join(out, ", ")
}

// checkArch reports an architecture that the type of a project does not fit.
func checkArch(p *Project, a qemu.Arch, probs *schema.Problems) {
	if p.of == nil || a.IsZero() || p.of.fits(a) {
		return
	}
	probs.Hintf(p.typePos, "choose another type, or a root for such an architecture", "%s is for %s; this tree is %s", p.of.name, p.of.archList(), a)
}

// checkDeclaredArch holds a project to the architectures that its root declares.
func (l *loader) checkDeclaredArch(p *Project) {
	for _, b := range p.Root().Bases {
		checkArch(p, b.Arch, l.probs)
	}
}

// checkParent holds a project to what its type says of its parent.
func (l *loader) checkParent(t *Tree, p *Project) {
	of := p.of
	switch {
	case p.parent == nil && of.mayBeRoot():
		return
	case p.parent == nil:
		l.probs.Hintf(p.typePos, l.wouldDo(t, p), "%s cannot be a root: it needs a parent %s", article(of.name), of.parentList())
		return
	case p.parent.typeless || of.takes(p.parent.of):
		return
	}
	is := "is " + article(p.parent.typ)
	if p.parent.of == nil {
		is = "has no type"
	}
	l.probs.Hintf(p.typePos, l.wouldDo(t, p), "%s's parent must be %s; %s %s", article(of.name), of.parentList(), p.parent.Tag, is)
}

// parentList says which types a parent may have.
func (t *projectType) parentList() string {
	var types []string
	untyped := ""
	for _, name := range t.parents {
		if name == noType {
			untyped = "without a type"
			continue
		}
		types = append(types, name)
	}
	out := ""
	if len(types) > 0 {
		out = "of type " + orWords(types)
		if slices.Contains(types, anyType) {
			out = "of any type"
		}
	}
	if out != "" && untyped != "" {
		return out + ", or " + untyped
	}
	return out + untyped
}

// wouldDo names the projects that could be the parent.
func (l *loader) wouldDo(t *Tree, p *Project) string {
	var tags []string
	for _, other := range t.projects {
		if other != p && !other.typeless && p.of.takes(other.of) && !slices.Contains(other.chain(), p) && p.of.fitsRoot(other) {
			tags = append(tags, other.Tag)
		}
	}
	if len(tags) == 0 {
		return "there is no such project yet: xtoo new writes one"
	}
	return "projects that would do: " + firstFew(tags, 10)
}

// fitsRoot reports whether all declared architectures of a project's root fit.
func (t *projectType) fitsRoot(p *Project) bool {
	return !slices.ContainsFunc(p.Root().Bases, func(b *Base) bool { return !b.Arch.IsZero() && !t.fits(b.Arch) })
}

// article puts the right one before a name.
func article(name string) string {
	if name != "" && strings.ContainsRune("aeiox", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

// orWords puts "or" before the last of several words.
func orWords(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
