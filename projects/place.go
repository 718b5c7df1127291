package projects

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"xtoo/projects/schema"
	"xtoo/qemu"
)

// NewPlace is where a project is to be made.
type NewPlace struct {
	Tag        string `json:"tag,omitempty"`         // what its tag will be; "" for a place just below Parent
	Parent     string `json:"parent,omitempty"`      // the tag of its parent; "": it will be a root
	ParentType string `json:"parent_type,omitempty"` // "": it has none
	Types      []Fit  `json:"types"`                 // all types, by name
}

// Fit is a type, and whether a project at a place may have it.
type Fit struct {
	TypeInfo
	Why string `json:"why,omitempty"` // why not; "": it may
}

// At looks where a project of a tag would be: what its parent would be, and which types it may have there. arch is the
// architecture that its stage3 will be for, "" where that is not known; it counts for roots alone. With an empty tag, or that
// of a project, the place is just below. The work directory may hold no project yet; what is wrong with
// those that it holds is an [*schema.Errors]. So is what is wrong with types: then the place is there, with the others.
func At(s Source, tag, arch string) (*NewPlace, error) {
	tree, err := Load(s)
	if err != nil && !errors.Is(err, errNoProjects) {
		return nil, err
	}
	l, err := openLoader(s)
	if err != nil {
		return nil, err
	}
	place := &NewPlace{Tag: tag}
	var parent *Project
	for up := tag; up != "." && up != "" && tree != nil && parent == nil; up = path.Dir(up) {
		if parent = tree.find(up); parent != nil && up == tag {
			place.Tag = ""
		}
	}
	arches, err := place.arches(parent, arch)
	if err != nil {
		return nil, err
	}
	var of *projectType
	if parent != nil {
		place.Parent, place.ParentType, of = parent.Tag, parent.typ, parent.of
	}
	for _, name := range l.library.TypeNames() {
		if t := l.typeOf(name, schema.Position{}, nil); t != nil {
			place.Types = append(place.Types, Fit{t.info(), t.why(parent, of, arches)})
		}
	}
	return place, l.probs.Err()
}

func (n *NewPlace) arches(parent *Project, arch string) ([]qemu.Arch, error) {
	if parent == nil {
		if arch == "" {
			return nil, nil
		}
		a, err := qemu.Lookup(arch, "")
		return []qemu.Arch{a}, err
	}
	var out []qemu.Arch
	for _, b := range parent.Root().Bases {
		if !b.Arch.IsZero() {
			out = append(out, b.Arch)
		}
	}
	return out, nil
}

// why says why a project cannot be of the type below a parent, or as a root.
func (t *projectType) why(parent *Project, of *projectType, arches []qemu.Arch) string {
	switch {
	case parent == nil && !t.mayBeRoot():
		return "it needs a parent " + t.parentList()
	case parent != nil && !t.takes(of):
		return "its parent must be " + t.parentList()
	}
	if i := slices.IndexFunc(arches, func(a qemu.Arch) bool { return !t.fits(a) }); i >= 0 {
		return fmt.Sprintf("it is for %s; this is %s", t.archList(), arches[i])
	}
	return ""
}

// Find returns the type of a name, and whether it may be at the place.
func (n *NewPlace) Find(name string) (*Fit, bool) {
	i := slices.IndexFunc(n.Types, func(f Fit) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return &n.Types[i], true
}

// CheckTag says why a directory of the work directory cannot be a project; nil: it can, or is one.
func CheckTag(tag string) error {
	if !fs.ValidPath(tag) || tag == "." {
		return fmt.Errorf("%q is no directory below the work directory", tag)
	}
	for _, part := range strings.Split(tag, "/") {
		if bad := nameProblem(part); bad != "" {
			return fmt.Errorf("%q cannot be part of an image's name: %s", part, bad)
		}
	}
	if len(tag) > maxTag {
		return fmt.Errorf("the path has %d characters: more than the %d that an image's name may have", len(tag), maxTag)
	}
	return nil
}
